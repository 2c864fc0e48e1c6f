package keepalived

import "slices"

var (
	vmacName = ignored("the interface of a virtual MAC has a name of the agent's own")
	routes   = unsupported("this version moves addresses alone, and no routes or rules with them", "set them on all directors, or by the script of a notify block")
	static   = unsupported("the addresses, routes and rules that stay on a machine are not the cluster's business", "set them in the network configuration of the machine")
)

// entryOfAddress, of a route, of a tracker: the first word and any others, which the mapping looks at.
var (
	entryOfAddress = []value{word("an address"), rest(word("an option"))}
	entryOfRoute   = []value{word("a route or rule"), rest(word("an option"))}
	entryOfTracker = []value{word("a name"), rest(word("weight W, reverse or noreverse"))}
)

var vrrpBlocks = []*keyword{
	k("track_group", static, word("a name")).block(k("group", static).listOfWords(word("an instance"))),
	k("static_ipaddress", static).list(entryOfAddress...),
	k("static_routes", static).list(entryOfRoute...),
	k("static_rules", static).list(entryOfRoute...),
	k("garp_group", garp).block(
		k("garp_interval", garp, seconds(0, 1e6)), k("gna_interval", garp, seconds(0, 1e6)), k("interface", garp, word("an interface")), k("interfaces", garp).listOfWords(word("an interface"))),
	k("interface_up_down_delays", unsupported("a change of an interface counts at once", "where an interface bounces, put a node_check with a check \"interface\" and rise on it")).list(word("an interface"), seconds(0, 255), opt(seconds(0, 255))),
	k("vrrp_sync_group", mapping, word("a name")).block(slices.Concat(trackers, notifyKeywords, []*keyword{
		k("group", mapping).listOfWords(word("an instance")),
		k("global_tracking", ignored("a check of a member counts for the whole group")),
		k("sync_group_tracking_weight", ignored("weights count for a group as for a VIP")),
	})...),
	k("vrrp_instance", mapping, word("a name")).block(instanceKeywords...),
	k("vrrp_script", mapping, word("a name")).block(
		k("script", mapping, some(word("a program"))).script(),
		k("interval", mapping, seconds(0, 1e6)),
		k("timeout", mapping, seconds(0, 1e6)),
		k("weight", mapping, number(-254, 254), opt(oneOf("reverse", "noreverse"))),
		k("rise", mapping, number(1, 1<<31)),
		k("fall", mapping, number(1, 1<<31)),
		k("user", mapping, append([]value{word("a user")}, user[1:]...)...),
		k("init_fail", ignored("a node on which a check is not known yet gets nothing")),
	),
	k("vrrp_track_process", mapping, word("a name")).block(
		k("process", mapping, some(word("a program"))),
		k("param_match", mapping, opt(oneOf("initial", "partial"))),
		k("weight", mapping, number(-254, 254), opt(oneOf("reverse", "noreverse"))),
		k("quorum", mapping, number(1, 65535)),
		k("quorum_max", mapping, number(0, 65535)),
		k("delay", mapping, seconds(0, 3600)),
		k("fork_delay", mapping, seconds(0, 3600)),
		k("terminate_delay", mapping, seconds(0, 3600)),
		k("full_command", mapping),
	),
	trackFile("track_file"),
	trackFile("vrrp_track_file").as("track_file"),
	k("bfd_instance", mapping, word("a name")).block(
		k("neighbor_ip", mapping, address()), k("neighbour_ip", mapping, address()).also("neighbor_ip"), k("source_ip", mapping, address()),
		k("min_rx", mapping, seconds(0, 1e6)), k("min_tx", mapping, seconds(0, 1e6)), k("idle_tx", mapping, seconds(0, 1e6)), k("multiplier", mapping, number(1, 255)),
		k("passive", mapping), k("ttl", mapping, number(1, 255)), k("hoplimit", mapping, number(1, 255)), k("max_hops", mapping, number(0, 255)), k("multihop", mapping, boolean()),
		k("weight", mapping, number(-253, 253), opt(oneOf("reverse", "noreverse"))), k("vrrp", mapping), k("checker", mapping),
	),
}

func trackFile(name string) *keyword {
	return k(name, mapping, word("a name")).block(
		k("file", mapping, word("a path")),
		k("weight", mapping, number(-1<<31, 1<<31), opt(oneOf("reverse", "noreverse"))),
		k("init_file", unsupported("the agent writes no files that it watches", "make the file by tmpfiles.d"), rest(word("a value or overwrite"))),
	)
}

// trackers are what instances and groups watch.
var trackers = []*keyword{
	k("track_interface", mapping).list(entryOfTracker...),
	k("track_script", mapping).list(entryOfTracker...),
	k("track_file", mapping).list(entryOfTracker...),
	k("track_process", mapping).list(entryOfTracker...),
	k("track_bfd", mapping).list(entryOfTracker...),
}

var notifyKeywords = []*keyword{
	k("notify_master", mapping, append([]value{word("a program")}, user...)...).script(),
	k("notify_backup", mapping, append([]value{word("a program")}, user...)...).script(),
	k("notify_fault", mapping, append([]value{word("a program")}, user...)...).script(),
	k("notify_stop", mapping, append([]value{word("a program")}, user...)...).script(),
	k("notify_deleted", mapping, append([]value{opt(word("a program"))}, user...)...).script(),
	k("notify", mapping, append([]value{word("a program")}, user...)...).script(),
	k("notify_priority_changes", ignored("there are no priorities to tell of"), boolean()),
	k("smtp_alert", mapping, boolean()),
}

var instanceKeywords = slices.Concat(trackers, notifyKeywords, garpKeywords(""), []*keyword{
	k("state", mapping, oneOf("MASTER", "BACKUP")),
	k("interface", mapping, word("an interface")),
	k("vrf", unsupported("this version puts addresses on interfaces, and knows no VRF", "name the interface"), word("a VRF")),
	k("virtual_router_id", mapping, number(1, 255)),
	k("priority", mapping, number(1, 255)),
	k("advert_int", mapping, seconds(0.01, 255)),
	k("version", mapping, oneOf("2", "3")),
	k("nopreempt", mapping),
	k("preempt", mapping),
	k("preempt_delay", mapping, seconds(0, 1000)),
	k("virtual_ipaddress", mapping).list(entryOfAddress...),
	k("virtual_ipaddress_excluded", mapping).list(entryOfAddress...),
	k("no_virtual_ipaddress", unsupported("an instance without an address is nothing to own here", "what its scripts move is a VIP of ours, or stays with them")),
	k("virtual_routes", routes).list(entryOfRoute...),
	k("virtual_rules", routes).list(entryOfRoute...),
	k("unicast_peer", mapping).list(entryOfAddress...),
	k("unicast_src_ip", mapping, address()),
	k("unicast_ttl", mapping, number(0, 255)),
	k("unicast_fault_no_peer", ignored("without a peer a virtual router with unicast is refused")),
	k("check_unicast_src", listed, boolean()),
	k("mcast_src_ip", mapping, address()),
	k("mcast_dst_ip", mapping, address()),
	k("track_src_ip", ignored("a node sends from an address that it has, unless source says one for all")),
	k("authentication", mapping).block(k("auth_type", mapping, word("PASS or AH")), k("auth_pass", mapping, word("a password"))),
	k("auth_hmac", mapping).block(
		k("key", mapping, number(1, 255), word("a key")), k("active_key", mapping, number(1, 255)), k("anti_replay", mapping, oneOf("time", "monotonic")),
		k("time_window", mapping, number(1, 300)), k("mode", mapping, oneOf("enforce", "permissive", "receive-only"))),
	k("use_vmac", mapping, rest(word("an option"))),
	k("use_vmac_addr", unsupported("only the addresses of a virtual router have its virtual MAC, on its own interface", "give addresses on other interfaces a virtual router there, with a VRID of its own")),
	k("vmac_xmit_base", changed("which of the two interfaces the adverts of a virtual router with vmac leave by is the agent's own choice", "look whether a switch expects a certain MAC as their source")),
	k("use_ipvlan", unsupported("addresses are on the interface itself, or with vmac = true on one with the virtual MAC", "set vmac = true in the virtual router, if the MAC of the owner must not be seen"), rest(word("an option"))),
	k("dont_track_primary", unsupported("a node without the interface of an address cannot own it", "nothing, unless the link is expected to be down")),
	k("linkbeat_use_polling", linkbeat),
	k("accept", ignored("an owner takes in packets for its address")),
	k("no_accept", unsupported("an owner takes in packets for its address", "filter them on the directors")),
	k("garp_extra_if", garp, word("all or seconds"), opt(number(0, 86400))),
	k("vmac_garp_intvl", garp, word("all or seconds"), opt(number(0, 86400))).as("garp_extra_if"),
	k("skip_check_adv_addr", lists, boolean()),
	k("lower_prio_no_advert", answers, boolean()),
	k("higher_prio_send_advert", lastWord, boolean()),
	k("owner_ignore_adverts", noOwner, boolean()),
	k("down_timer_adverts", mapping, number(1, 100)),
	k("timer_expired_backup", stalled, opt(number(1, 254))),
	k("thread_timer_expired", stalled, opt(number(1, 254))).also("timer_expired_backup"),
	k("old_unicast_checksum", mapping, opt(oneOf("never"))),
	k("v3_checksum_as_v2", mapping, boolean()),
	k("strict_mode", strictMode, boolean()),
	k("promote_secondaries", ignored("addresses are made and taken away one by one, and what disappears with another is put back")),
	k("native_ipv6", ignored("the addresses say which family it is")),
	k("debug", ignored("it does nothing in keepalived either"), rest(number(0, 4))),
	k("kernel_rx_buf_size", buffers, rest(number(0, 1<<31))),
	k("lvs_sync_daemon_interface", mapping, word("an interface")),
	k("notify_master_rx_lower_pri", unsupported("no script is run when another router is heard", "`quorate events` and notify blocks of the leader tell of it"), append([]value{word("a program")}, user...)...).script(),
})

var stalled = ignored("a node that stalls loses its lease by the kernel's clock, and is silent before another owns the address")
