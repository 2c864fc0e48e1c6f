package keepalived

import "slices"

// fileLevel is what may stand in a file outside of all blocks: what keepalived 2.4.3 knows, and the spellings and blocks of all versions before it.
var fileLevel = &level{"the file", slices.Concat(
	[]*keyword{
		k("global_defs", mapping).block(globalKeywords...),
		k("linkbeat_use_polling", linkbeat),
		k("linkbeat_interfaces", linkbeat).list(word("an interface"), rest(word("a way to poll"))),
		k("net_namespace", unsupported("an agent works in the network namespace that it was started in", "start the agent in that namespace, by `ip netns exec` or NetworkNamespacePath= of its unit"), word("a name")),
		k("net_namespace_ipvs", unsupported("the balancing is done in the agent's own network namespace", "start the agent in that namespace"), opt(word("a name"))),
		k("namespace_with_ipsets", ignored("no ipsets are used")),
		k("instance", ignored("an agent is told apart by its name"), word("a name")),
		k("use_pid_dir", ignored("there are no pid files")),
		k("child_wait_time", ignored("an agent is one process"), number(0, 1<<31)),
	},
	vrrpBlocks, serverBlocks,
)}

var (
	linkbeat    = ignored("the state of interfaces comes from the kernel at once; nothing is polled")
	processes   = ignored("an agent is one process, with a real-time thread for the lease where its rights allow")
	buffers     = ignored("the agent sizes its buffers itself, and reads the kernel anew when it has lost a message")
	dumping     = ignored("`quorate status`, the API and the metrics show the state at any time; there are no dump files")
	noFirewall  = ignored("the fence has a table or a BPF program of its own")
	reloading   = ignored("the configuration is applied as a whole by `quorate apply`, and refused as a whole when it is wrong")
	snmp        = unsupported("there is no SNMP", "use the metrics for Prometheus, and notify blocks in place of traps")
	dbus        = unsupported("there is no D-Bus", "use the API, or a notify block")
	garp        = ignored("the new owner announces an address at once, several times, and again while it has it, without being told")
	answers     = ignored("an advert with a worse claim is answered at once, as RFC 9568 has it; who has the addresses is the same either way")
	lastWord    = changed("the cluster yields without an advert of its own, so that the other does not announce its addresses anew for it", "set garp_master_refresh on the directors that stay, if a switch keeps old entries")
	noOwner     = ignored("the cluster is no owner of the addresses, which would have priority 255")
	listed      = ignored("adverts count only when they come from one of peers")
	lists       = ignored("adverts with other addresses count, and the difference is reported")
	strictMode  = changed("what the RFCs leave out was left out of the virtual router too; but an owner takes in packets for its address (there is no no_accept)", "")
	startDelay  = ignored("a node owns nothing before it has caught up with the cluster and has its lease")
	noScriptMid = "this version has no script that is run when the agent starts or ends"
)

// user is how the user of a script is given.
var user = []value{opt(word("a user")), opt(word("a group"))}

var globalKeywords = slices.Concat(
	[]*keyword{
		k("router_id", mapping, word("a name")),
		// Mail.
		k("notification_email", mapping).listOfWords(word("an address")),
		k("notification_email_from", mapping, word("an address")),
		k("smtp_server", mapping, word("a host"), opt(number(1, 65535))),
		k("smtp_helo_name", ignored("mail names the node itself"), word("a name")),
		k("smtp_connect_timeout", mapping, number(0, 1<<31)),
		k("smtp_alert", mapping, boolean()),
		k("smtp_alert_vrrp", mapping, boolean()),
		k("smtp_alert_checker", mapping, boolean()),
		k("no_email_faults", changed("mail is sent of the kinds of events that the notify block names", "take out the kinds that nobody wants to read")),
		k("no_checker_emails", ignored("only verdicts of the cluster are told, not every check")),
		// Scripts.
		k("script_user", mapping, append([]value{word("a user")}, user[1:]...)...),
		k("enable_script_security", ignored("security is always on: what root runs may be written by root alone")),
		k("use_symlink_paths", ignored("the program that is named is the one that is run, and its links are checked"), boolean()),
		k("set_supplementary_groups", ignored("a script runs with the groups of its user")),
		k("startup_script", unsupported(noScriptMid, "put it into ExecStartPre= of the agent's unit"), append([]value{word("a program")}, user...)...).script(),
		k("startup_script_timeout", ignored("there is no such script"), number(1, 1000)),
		k("shutdown_script", unsupported(noScriptMid, "put it into ExecStopPost= of the agent's unit"), append([]value{word("a program")}, user...)...).script(),
		k("shutdown_script_timeout", ignored("there is no such script"), number(1, 1000)),
		// Pipes.
		k("notify_fifo", mapping, append([]value{word("a path")}, user...)...),
		k("vrrp_notify_fifo", mapping, append([]value{word("a path")}, user...)...),
		k("lvs_notify_fifo", mapping, append([]value{word("a path")}, user...)...),
		k("notify_fifo_script", fifoScript, append([]value{word("a program")}, user...)...).script(),
		k("vrrp_notify_fifo_script", fifoScript, append([]value{word("a program")}, user...)...).script(),
		k("lvs_notify_fifo_script", fifoScript, append([]value{word("a program")}, user...)...).script(),
		k("fifo_write_vrrp_states_on_reload", ignored("an agent that starts writes all states, and a change of the configuration is no reload")),
		k("vrrp_notify_priority_changes", ignored("there are no priorities to tell of"), boolean()),
		// IPVS.
		k("lvs_sync_daemon", mapping, word("an interface"), rest(word("an option"))),
		k("lvs_timeouts", mapping, some(word("a name or seconds"))),
		k("lvs_flush", changed("the agent touches only what it made itself, and services of the configuration; other entries of the table stay", "remove entries of others once, with `ipvsadm -C`, before the agent starts")),
		k("lvs_flush_on_stop", changed("an agent that ends leaves the table, so that connections go on while it is replaced", "`quorate node drain` moves everything away first"), opt(oneOf("VS"))),
		k("lvs_flush_onstop", changed("an agent that ends leaves the table, so that connections go on while it is replaced", ""), opt(oneOf("VS"))).as("lvs_flush_on_stop"),
		k("nftables_ipvs", ignored("services with several addresses get firewall marks by themselves (fwmark_base)"), opt(word("a table"))),
		k("nftables_ipvs_priority", ignored("services with several addresses get firewall marks by themselves"), number(-1<<31, 1<<31)),
		k("nftables_ipvs_start_fwmark", mapping, number(1, 1<<32-1)),
		k("checker_log_all_failures", ignored("every probe that fails is counted, and `quorate events` has the verdicts"), boolean()),
		k("rs_init_notifies", ignored("an agent that starts writes all states")),
	},
	vrrpDefaults, processKeywords,
)

var fifoScript = unsupported("the agent does not start readers of its pipes", "start the reader as a service of its own, which reads the pipe of the notify block")

var vrrpDefaults = slices.Concat(
	[]*keyword{
		k("vrrp_version", mapping, oneOf("2", "3")),
		k("vrrp_mcast_group4", mapping, address()),
		k("vrrp_mcast_group6", mapping, address()),
		k("vrrp_gna_interval", garp, seconds(0, 1e6)),
		k("vrrp_min_garp", garp, boolean()),
		k("vrrp_garp_interval", garp, seconds(0, 1e6)),
		k("vrrp_garp_extra_if", garp, word("all or seconds"), opt(number(0, 86400))),
		k("vrrp_vmac_garp_intvl", garp, word("all or seconds"), opt(number(0, 86400))).as("vrrp_garp_extra_if"),
		k("vrrp_down_timer_adverts", mapping, number(1, 100)),
		k("vrrp_lower_prio_no_advert", answers, boolean()),
		k("vrrp_higher_prio_send_advert", lastWord, boolean()),
		k("vrrp_owner_ignore_adverts", noOwner, boolean()),
		k("vrrp_check_unicast_src", listed),
		k("vrrp_skip_check_adv_addr", lists, boolean()),
		k("vrrp_strict", strictMode, boolean()),
		k("v3_checksum_as_v2", mapping, boolean()),
		k("vrrp_startup_delay", startDelay, seconds(0, 1e6)),
		k("vrrp_delay_after_boot", startDelay, seconds(0, 1e6)),
		k("log_unknown_vrids", ignored("`quorate vrrp scan` shows who speaks VRRP on a link")),
		k("default_interface", mapping, word("an interface")),
		k("dynamic_interfaces", ignored("interfaces may come and go at any time"), opt(oneOf("allow_if_changes"))),
		k("vmac_prefix", vmacName, word("a name")),
		k("vmac_addr_prefix", vmacName, word("a name")),
		k("disable_local_igmp", ignored("the interface of a virtual MAC joins no groups of its own")),
	},
	garpKeywords("vrrp_"),
)

// garpKeywords are the settings of gratuitous ARP, of all or of one instance.
func garpKeywords(prefix string) []*keyword {
	return []*keyword{
		k(prefix+"garp_master_delay", garp, number(0, 1<<31)),
		k(prefix+"garp_master_repeat", garp, number(0, 1<<31)),
		k(prefix+"garp_master_refresh", garp, number(0, 1<<31)),
		k(prefix+"garp_master_refresh_repeat", garp, number(0, 1<<31)),
		k(prefix+"garp_lower_prio_delay", garp, number(0, 1<<31)),
		k(prefix+"garp_lower_prio_repeat", garp, number(0, 1<<31)),
	}
}

var processKeywords = slices.Concat(
	ofDaemons("priority", number(-20, 19)), ofDaemons("no_swap"), ofDaemons("rt_priority", number(1, 99)), ofDaemons("cpu_affinity", some(number(0, 1<<16))),
	ofDaemons("rlimit_rttime", number(1, 1<<31)), ofDaemons("process_name", word("a name")),
	[]*keyword{
		k("vrrp_rlimit_rtime", processes, number(1, 1<<31)).as("vrrp_rlimit_rttime"),
		k("checker_rlimit_rtime", processes, number(1, 1<<31)).as("checker_rlimit_rttime"),
		k("bfd_rlimit_rtime", processes, number(1, 1<<31)).as("bfd_rlimit_rttime"),
		k("lvs_process_name", processes, word("a name")).as("checker_process_name"),
		k("process_names", processes), k("process_name", processes, word("a name")),
		k("max_auto_priority", processes, opt(number(-1, 99))),
		k("min_auto_priority_delay", processes, number(0, 10_000_000)),
		k("child_wait_time", processes, number(0, 1<<31)),
		k("umask", ignored("the files of an agent are for its user alone"), word("a mask")),
		// Buffers.
		k("vrrp_netlink_cmd_rcv_bufs", buffers, number(1, 1<<31)), k("vrrp_netlink_cmd_rcv_bufs_force", buffers, boolean()),
		k("vrrp_netlink_monitor_rcv_bufs", buffers, number(1, 1<<31)), k("vrrp_netlink_monitor_rcv_bufs_force", buffers, boolean()),
		k("lvs_netlink_cmd_rcv_bufs", buffers, number(1, 1<<31)), k("lvs_netlink_cmd_rcv_bufs_force", buffers, boolean()),
		k("lvs_netlink_monitor_rcv_bufs", buffers, number(1, 1<<31)), k("lvs_netlink_monitor_rcv_bufs_force", buffers, boolean()),
		k("process_monitor_rcv_bufs", buffers, number(1, 1<<31)), k("process_monitor_rcv_bufs_force", buffers, boolean()),
		k("vrrp_rx_bufs_policy", buffers, word("MTU, ADVERT or bytes")), k("vrrp_rx_bufs_multiplier", buffers, number(1, 1<<31)),
		// Firewalls.
		k("vrrp_iptables", noFirewall, opt(word("a chain")), opt(word("a chain"))), k("vrrp_ipsets", noFirewall, rest(word("a name"))),
		k("nftables", noFirewall, opt(word("a table"))), k("nftables_priority", noFirewall, number(-1<<31, 1<<31)),
		k("nftables_counters", noFirewall), k("nftables_ifindex", noFirewall),
		// SNMP and D-Bus.
		k("snmp_socket", snmp, word("an address")), k("enable_traps", snmp), k("enable_snmp_vrrp", snmp), k("enable_snmp_checker", snmp),
		k("enable_snmp_keepalived", snmp).as("enable_snmp_vrrp"),
		k("enable_snmp_rfc", snmp), k("enable_snmp_rfcv2", snmp), k("enable_snmp_rfcv3", snmp),
		k("snmp_vs_stats_update_interval", snmp, seconds(0.001, 30)), k("snmp_rs_stats_update_interval", snmp, seconds(0.001, 30)),
		k("enable_dbus", dbus), k("dbus_service_name", dbus, word("a name")), k("dbus_no_interface_name", dbus, word("a name")),
		// Reloading and dumping.
		k("reload_check_config", reloading, opt(word("a file"))), k("reload_time_file", reloading, word("a file")), k("reload_repeat", reloading), k("reload_file", reloading, opt(word("a file"))),
		k("config_save_dir", reloading, word("a directory")), k("tmp_config_directory", reloading, word("a directory")),
		k("include_check", ignored("it says which includes have to find a file, and was followed here"), rest(word("readable, match, wildcard_match or brace_match"))),
		k("data_use_instance", dumping, boolean()), k("json_version", dumping, oneOf("1", "2")),
		k("state_dump_file", dumping, word("a file")), k("stats_dump_file", dumping, word("a file")), k("json_dump_file", dumping, word("a file")),
		// As the manual calls them.
		k("state_file_location", dumping, word("a file")), k("stats_file_location", dumping, word("a file")), k("json_file_location", dumping, word("a file")),
		k("random_seed", ignored("no number is taken by chance"), number(0, 1<<32-1)),
		k("iproute_usr_dir", ignored("names of tables are not looked up"), word("a directory")), k("iproute_etc_dir", ignored("names of tables are not looked up"), word("a directory")),
	},
)

// ofDaemons gives a setting of each of keepalived's processes.
func ofDaemons(name string, values ...value) []*keyword {
	var out []*keyword
	for _, d := range []string{"vrrp_", "checker_", "bfd_"} {
		out = append(out, k(d+name, processes, values...))
	}
	return out
}
