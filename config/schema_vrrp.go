package config

import (
	"net/netip"
	"time"

	"quorate/fsm"
)

var routerBlock = &block{
	name: "virtual_router", label: "NAME", labelKey: "name",
	doc: "How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one " +
		"network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.",
	keys: routerKeys,
}

var vrrpBlock = &block{
	name: "vrrp", once: true,
	doc:  "A virtual router of this VIP alone, in place of `virtual_router`; it is called by the VIP's name.",
	keys: routerKeys,
}

// routerKeys are those of a virtual router, wherever it is written.
var routerKeys = []key{
	number("vrid", func(r *fsm.VirtualRouter) *uint8 { return &r.VRID },
		"Virtual router id, that of the others. On one link each has its own, for each family.").must().within("1 to 255"),
	number("version", func(r *fsm.VirtualRouter) *uint8 { return &r.Version }, "Version of VRRP, that of the others. Left out: 3.").within("2 or 3").notZero("there is none", "use 2 or 3"),
	number("priority", func(r *fsm.VirtualRouter) *uint8 { return &r.Priority },
		"Priority of the cluster, whichever node speaks. Above that of the others the cluster has the VIPs, below it the others have them. Left out: 254.").within("1 to 254").notZero("there is none", "use 1 to 254"),
	duration("interval", func(r *fsm.VirtualRouter) *time.Duration { return &r.Interval },
		"How often adverts are sent, as the others have it. Version 2 knows whole seconds alone, version 3 steps of 10ms. Left out: 1s.").within("1s to 255s, or 10ms to 40.95s"),
	text("password", func(r *fsm.VirtualRouter) *string { return &r.Password },
		"Password in the adverts of version 2 (auth_type PASS), at most 8 octets. Whoever is on the link can read it, and whoever may read this configuration.").secret(),
	list("hmac_keys", func(r *fsm.VirtualRouter) *[]string { return &r.HMACKeys },
		"Keys that sign the adverts (auth_hmac of keepalived 2.4 and later), each as `KEYID:HEX`: an id from 1 to 255, and 32 to 64 bytes. The first one signs, all of them verify. Whoever may read this configuration can read them.").secret(),
	policy("hmac_mode", string(fsm.HMACEnforce), func(r *fsm.VirtualRouter) *fsm.HMACMode { return &r.HMACMode },
		"`enforce`: only what is signed counts; `permissive`: what is not signed counts, too; `receive-only`: the same, and ours is not signed. Left out: `enforce`.").
		oneOf(string(fsm.HMACEnforce), string(fsm.HMACPermissive), string(fsm.HMACReceiveOnly)),
	addresses("peers", func(r *fsm.VirtualRouter) *[]netip.Addr { return &r.Peers },
		"Addresses that the others send their adverts from. Only theirs count; the adverts of any other router raise an alarm, and move nothing."),
	boolean("unicast", func(r *fsm.VirtualRouter) *bool { return &r.Unicast }, "Send the adverts to each of the peers. Otherwise they go to the multicast group of VRRP."),
	address("group", func(r *fsm.VirtualRouter) *netip.Addr { return &r.Group },
		"Multicast group that adverts go to and are heard in, that of the others (keepalived's vrrp_mcast_group4, vrrp_mcast_group6 or mcast_dst_ip). Left out: 224.0.0.18, or ff02::12."),
	address("source", func(r *fsm.VirtualRouter) *netip.Addr { return &r.Source },
		"Address that adverts are sent from, whichever node speaks, so that the others see one router for ever. No host may have it. Left out: each node sends from its own."),
	boolean("vmac", func(r *fsm.VirtualRouter) *bool { return &r.VMAC },
		"The VIPs have the virtual MAC address 00:00:5e:00:01:VRID (of IPv6 00:00:5e:00:02:VRID), on an interface of its own that the agent makes."),
	unless("preempt", func(r *fsm.VirtualRouter) *bool { return &r.NoPreempt }, "Take over from a peer of lower priority that has the VIPs."),
	duration("preempt_delay", func(r *fsm.VirtualRouter) *time.Duration { return &r.PreemptDelay }, "How long such a peer keeps them, counted from when it was first heard. Left out: not at all.").within("0 to 1000s"),
	unless("yield", func(r *fsm.VirtualRouter) *bool { return &r.NoYield },
		"A peer of higher priority gets the VIPs (`foreign-owner`), until it is heard no more. With false two claim them, and there is an alarm."),
	policy("checksum", string(fsm.ChecksumLearn), func(r *fsm.VirtualRouter) *fsm.ChecksumForm { return &r.Checksum },
		"Form of the checksum of version 3 over IPv4, of which there are several: keepalived's is `pseudo-header`, with v3_checksum_as_v2 `message-only`. Left out: `learn`, as the peers have it, or the node that spoke before. By unicast the nodes do not hear each other: name it there, unless it is `pseudo-header`.").
		oneOf(string(fsm.ChecksumLearn), string(fsm.ChecksumPseudo), string(fsm.ChecksumMessage), string(fsm.ChecksumGroup)),
}

// secret has messages not show what is written.
func (k key) secret() key {
	k.hidden = true
	return k
}
