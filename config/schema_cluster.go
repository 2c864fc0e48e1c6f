package config

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/zclconf/go-cty/cty"

	"quorate/fsm"
)

// The table of a cluster's configuration.

var clusterFile = &block{
	doc:    "What the whole cluster is to do. It is applied as one transaction.",
	blocks: []*block{clusterBlock, groupBlock, routerBlock, vipBlock, nodeCheckBlock, serviceBlock, notifyBlock},
}

var clusterBlock = &block{
	name: "cluster", once: true,
	doc:    "Settings of the cluster as a whole.",
	blocks: []*block{syncBlock, timeoutsBlock},
	keys: []key{
		text("profile", func(s *fsm.Settings) *fsm.Profile { return &s.Profile },
			"Timing of leases and elections. `lan`: a lost owner is replaced within half a second; `fast`: within a tenth of a second; every node needs a real-time lease thread and every director the BPF gate, else it is refused; `wan`: for nodes far apart.").
			or(cty.StringVal(string(fsm.DefaultSettings().Profile))).oneOf(string(fsm.LAN), string(fsm.Fast), string(fsm.WAN)),
		text("data_plane", func(s *fsm.Settings) *string { return &s.DataPlane },
			"What balances the load in the kernel. `auto`: IPVS where the kernel has it, else nftables.").
			or(cty.StringVal(fsm.DefaultSettings().DataPlane)).oneOf("auto", "ipvs", "nft"),
		number("observers", func(s *fsm.Settings) *int { return &s.Observers },
			"How many nodes probe each server; all of them if there are fewer. The majority decides.").
			or(cty.NumberIntVal(int64(fsm.DefaultSettings().Observers))).within("1 to 99"),
		boolean("rebalance", func(s *fsm.Settings) *bool { return &s.Rebalance },
			"Move VIPs that have no `prefer` from nodes that have too many for their weight to nodes that have too few, when that takes at least one whole VIP and a tenth of the load off the difference. Otherwise balance moves nothing."),
		number("max_moves_per_minute", func(s *fsm.Settings) *int { return &s.MaxMoves },
			"How many moves for `preempt` and `rebalance` may begin in a minute; a group counts as one. Left out: 10. Fences, drains and what operators ask for are not counted and do not wait.").within("1 to 600"),
		number("fwmark_base", func(s *fsm.Settings) *uint32 { return &s.MarkBase },
			fmt.Sprintf("First of the 16384 firewall marks that quorate gives by itself to services with `vips`, `ports` or `addresses`. To change it makes these services anew, and their connections end. Left out: %d (0x%[1]x).", uint32(fsm.DefaultMarkBase))).within("1 to 4294950912"),
		duration("hold_down", func(s *fsm.Settings) *time.Duration { return &s.HoldDown },
			"How long nothing is moved for `preempt` or `rebalance` to a node that came back after a fence, and how long a VIP is left alone after a failover or such a move. It doubles, up to 30 minutes, each time that the next failure comes within an hour. Left out: 30s.").within("1s to 1h"),
		policy("mode", "live", func(s *fsm.Settings) *fsm.Mode { return &s.Mode },
			"`shadow`: all VIPs are in shadow, see `mode` of a VIP. Left out: `live`.").
			oneOf("live", string(fsm.ShadowMode)),
		boolean("set_sysctls", func(s *fsm.Settings) *bool { return &s.SetSysctls },
			"The agents may set what the services and the block `sync` need in their kernels (sysctls), and put back what was there when they end. Otherwise `quorate status` says which commands do it."),
	},
}

var timeoutsBlock = &block{
	name: "ipvs_timeouts", once: true,
	doc: "How long the directors' IPVS keeps connections that are silent, as `ipvsadm --set` does: for all services alike. A director that balances by nftables has its kernel's net.netfilter.nf_conntrack_*_timeout_* instead. What is left out stays as the kernel has it; what is taken out goes back to what it was.",
	keys: []key{
		duration("tcp", func(t *fsm.Timeouts) *time.Duration { return &t.TCP }, "Of established TCP connections; the kernel begins with 15m. Longer than the clients' keepalive, else connections that are merely silent end.").within(timeoutRange),
		duration("tcp_fin", func(t *fsm.Timeouts) *time.Duration { return &t.TCPFin }, "Of TCP connections that a side has closed; the kernel begins with 2m.").within(timeoutRange),
		duration("udp", func(t *fsm.Timeouts) *time.Duration { return &t.UDP }, "Of what a client says by UDP; the kernel begins with 5m.").within(timeoutRange),
	},
}

const timeoutRange = "1s to 480h"

var syncBlock = &block{
	name: "sync", once: true,
	doc: "How the directors keep each other's connections, so that established ones go on when their VIP moves.",
	keys: []key{
		text("transport", func(s *fsm.Sync) *string { return &s.Transport },
			"`relay`: the agents carry what their kernels say to each other, sealed, from UDP port to UDP port (the second one after that of `bind`); `multicast`: the kernels do it themselves, in the clear (IPVS only); `off`: nobody does, and connections end with their director. Left out: `relay`.").
			oneOf(fsm.SyncRelay, fsm.SyncMulticast, fsm.SyncOff),
		text("interface", func(s *fsm.Sync) *string { return &s.Interface }, "Interface that carries the multicast, of the same name on all directors. Only with `multicast`, and necessary there."),
		text("group", func(s *fsm.Sync) *string { return &s.Group }, "Multicast group of the kernels' daemons. The relay uses it on the interface lo alone. Left out: 224.0.0.81."),
		number("port", func(s *fsm.Sync) *int { return &s.Port }, "First UDP port of the kernels' daemons. Left out: 8848.").within(fmt.Sprintf("1 to %d", fsm.MaxSyncPort)),
		number("sync_id", func(s *fsm.Sync) *int { return &s.SyncID }, "What tells this cluster's messages from others' on the same group. Left out: 81.").within("1 to 255"),
		number("max_len", func(s *fsm.Sync) *int { return &s.MaxLen }, "Longest message, in bytes. Left out: 1280.").
			within(fmt.Sprintf("%d to %d", fsm.MinSyncLen, fsm.MaxSyncLen)),
		number("ttl", func(s *fsm.Sync) *int { return &s.TTL }, "How many networks the multicast may cross. Left out: 1.").within("1 to 255"),
		text("threshold", func(s *fsm.Sync) *string { return &s.Threshold },
			"`PACKET PERIOD` (sync_threshold): a connection is told of at that packet of each period; `0 0`: as soon as it is established, and then by time alone. Left out: `0 0`."),
		duration("refresh", func(s *fsm.Sync) *time.Duration { return &s.Refresh },
			"How often a connection that has packets is told of again (sync_refresh_period). Left out: 10s.").within("1s to 1h"),
		number("ports", func(s *fsm.Sync) *int { return &s.Ports }, "Threads of each daemon, each with a port of its own (sync_ports): 1, 2, 4 … 64. Left out: 1.").within("1 to 64"),
		number("queue", func(s *fsm.Sync) *int { return &s.Queue }, "Messages that the kernel keeps while they cannot be sent (sync_qlen_max). Left out: what it is.").within(fmt.Sprintf("1 to %d", 1<<24)),
		number("sock_size", func(s *fsm.Sync) *int { return &s.SockSize }, "Buffers of the daemons' sockets, in bytes (sync_sock_size). Left out: what it is.").within(fmt.Sprintf("1 to %d", 1<<30)),
		boolean("template_only", func(s *fsm.Sync) *bool { return &s.TemplateOnly },
			"Of services with persistence only tell which client belongs to which server, not of each connection (sync_persist_mode)."),
	},
}

var groupBlock = &block{
	name: "group", label: "NAME", labelKey: "name",
	doc: "VIPs that always have the same owner, and where they go.",
	keys: []key{
		list("prefer", func(g *fsm.Group) *[]fsm.NodeID { return &g.Prefer },
			"Nodes in the order in which they should own the group; nodes not listed come after them."),
		boolean("preempt", func(g *fsm.Group) *bool { return &g.Preempt },
			"Move the group back when a more preferred node can own it again. Otherwise it stays where it is."),
	},
}

var vipBlock = &block{
	name: "vip", label: "NAME", labelKey: "name",
	doc: "A virtual IP address, which one node at a time owns.",
	keys: []key{
		prefix("address", func(v *fsm.VIP) *netip.Prefix { return &v.Address },
			"The address, IPv4 or IPv6, with the prefix length of its subnet.").must(),
		text("network", func(v *fsm.VIP) *string { return &v.Network },
			"Name of the layer-2 network, where the same address exists on several. No director may be on two networks that have it."),
		text("interface", func(v *fsm.VIP) *string { return &v.Interface },
			"Network interface that carries the address. Left out: the one that has the subnet, on each node."),
		text("group", func(v *fsm.VIP) *string { return &v.Group },
			"Group that the VIP belongs to. The group then says `prefer` and `preempt`."),
		list("prefer", func(v *fsm.VIP) *[]fsm.NodeID { return &v.Prefer },
			"Nodes in the order in which they should own the VIP; nodes not listed come after them."),
		boolean("preempt", func(v *fsm.VIP) *bool { return &v.Preempt },
			"Move the VIP back when a more preferred node can own it again. Otherwise it stays where it is."),
		policy("quorum_lost", "release", func(v *fsm.VIP) *fsm.QuorumLost { return &v.QuorumLost },
			"What the owner does with the VIP when it loses the quorum. `release`: it gives it up, so that at most one node ever claims it. `hold`: it goes on as long as it sees nobody else claim it. Two nodes may then claim it at once; operate.md says when. `vrrp`: the nodes elect by VRRP who serves it, also when the owner is lost, with the same risk; for a VIP of a virtual router with multicast. Left out: `release`.").
			oneOf("release", string(fsm.HoldVIP), string(fsm.VRRPVIP)),
		text("virtual_router", func(v *fsm.VIP) *string { return &v.Router },
			"Virtual router that the VIP belongs to, so that it can be shared with, or taken over from, routers that speak VRRP."),
		policy("mode", "live", func(v *fsm.VIP) *fsm.Mode { return &v.Mode },
			"`shadow`: the cluster decides who has the VIP, and says what it would do, but touches no kernel for it: for a rehearsal beside what serves it now. Left out: `live`.").
			oneOf("live", string(fsm.ShadowMode)),
	},
	blocks: []*block{vrrpBlock},
}

var serviceBlock = &block{
	name: "service", label: "NAME", labelKey: "name",
	doc: "A virtual service: traffic to a port of a VIP, spread over real servers.",
	keys: []key{
		text("vip", func(s *fsm.Service) *string { return &s.VIP }, "Name of the VIP.").but("vips"),
		list("vips", func(s *fsm.Service) *[]string { return &s.VIPs },
			"Names of several VIPs of one address family, in place of `vip`. Each may be on another node; all of these balance what comes to theirs."),
		number("port", func(s *fsm.Service) *uint16 { return &s.Port },
			"Port of the VIP. `0`: all ports, with `persistence`.").but("ports", "fwmark").within("0 to 65535"),
		portRanges("ports", func(s *fsm.Service) *[]fsm.PortRange { return &s.Ports },
			"Several ports, in place of `port`: `80`, `\"8000-8099\"`; `0` alone: all of them, with `persistence`.").within("1 to 65535"),
		addressRanges("addresses", func(s *fsm.Service) *[]fsm.AddressRange { return &s.Addresses },
			"Addresses that the service takes besides those of its VIPs: the network routes them to one of these, no machine has them, and they are in no subnet of a VIP or a director. As in `\"198.51.100.0/28\"`, all of its addresses, or `\"203.0.113.10-203.0.113.19\"`."),
		number("fwmark", func(s *fsm.Service) *uint32 { return &s.Mark },
			"Firewall mark: the service takes the packets that carry it, in place of those to a port of the VIP. Rules of yours set it; the packets have to be addressed to the director. The VIP says which node balances them.").within("1 to 4294967295"),
		text("protocol", func(s *fsm.Service) *fsm.Protocol { return &s.Protocol }, "Transport protocol. Left out: `tcp`; with `fwmark` there is none.").
			oneOf(string(fsm.TCP), string(fsm.UDP), string(fsm.SCTP)),
		text("scheduler", func(s *fsm.Service) *string { return &s.Scheduler },
			"How a server is chosen for a new connection, by the name that IPVS gives it. Not every data plane has all of them; `quorate plan` says so.").
			or(cty.StringVal("wlc")).oneOf(fsm.Schedulers()...),
		list("scheduler_flags", func(s *fsm.Service) *[]string { return &s.Flags },
			"Flags of the scheduler. `sh-port`, `mh-port`: the client's port counts, too; `sh-fallback`, `mh-fallback`: another server when the one that is meant takes no connections."),
		boolean("one_packet", func(s *fsm.Service) *bool { return &s.OnePacket },
			"Schedule each datagram for itself, and remember none. `udp` only."),
		duration("persistence", func(s *fsm.Service) *time.Duration { return &s.Persistence.Timeout },
			"How long the next connection of a client goes to the same server, since its last one. Left out: not at all.").within("1s to 744h"),
		number("persistence_prefix", func(s *fsm.Service) *int { return &s.Persistence.Prefix },
			"How many bits of the client's address count for that, so that a network is one client. Left out: all of them.").within("1 to 32 or 128"),
		text("persistence_engine", func(s *fsm.Service) *string { return &s.Persistence.Engine },
			"What else binds connections together. `sip`: the Call-ID of SIP over `udp`. Left out: the client's address.").oneOf("sip"),
		text("forward", func(s *fsm.Service) *fsm.Forward { return &s.Forward },
			"Forwarding method of the servers that do not say otherwise. `nat`: rewrite the destination, answers come back through the director; `dr`: direct routing, servers answer by themselves; `tun`: the same through an IP tunnel.").
			or(cty.StringVal(string(fsm.NAT))).oneOf(string(fsm.NAT), string(fsm.DirectRouting), string(fsm.Tunnel)),
		text("tunnel", func(s *fsm.Service) *string { return &s.Encap.Type }, tunnelDoc).oneOf("ipip", "gue", "gre"),
		number("tunnel_port", func(s *fsm.Service) *uint16 { return &s.Encap.Port }, tunnelPortDoc).within("1 to 65535"),
		text("tunnel_checksum", func(s *fsm.Service) *string { return &s.Encap.Checksum }, tunnelChecksumDoc).oneOf("none", "csum", "remcsum"),
		boolean("masquerade", func(s *fsm.Service) *bool { return &s.Masquerade },
			"Rewrite the source to the director's address too, for servers whose way back does not lead through it. `nat` only."),
		number("quorum", func(s *fsm.Service) *int { return &s.Quorum },
			"Sum of the weights of servers that are up, from which on they serve. While there are fewer, the sorry server does, or nobody. Above the sum of all weights, that sum is meant. Left out: one server is enough.").within("1 and more"),
		number("hysteresis", func(s *fsm.Service) *int { return &s.Hysteresis },
			"How far above the quorum the weights must come, and how far below it they may fall, until it is reached or lost. Less than the quorum."),
		boolean("inhibit_on_failure", func(s *fsm.Service) *bool { return &s.Inhibit },
			"Give a server that is down the weight 0, in place of taking it out: its established connections go on."),
		duration("slow_start", func(s *fsm.Service) *time.Duration { return &s.SlowStart },
			"How long a server that has come back takes to reach its weight. Left out: it has it at once.").within("1s to 1h"),
		duration("drain_timeout", func(s *fsm.Service) *time.Duration { return &s.DrainTimeout },
			"How long a drained server keeps its connections before it is taken out. Left out: as long as they last.").within("1s to 24h"),
		unless("sync", func(s *fsm.Service) *bool { return &s.NoSync },
			"Keep the connections on the other directors too, so that they go on when the VIP moves; see the block `sync`. Hardly needed with the scheduler `mh`, by which all directors choose the same servers but for a client in a hundred after one has left and come back (the kernel's net.ipv4.vs.sloppy_tcp has to be 1 then)."),
	},
	blocks: []*block{healthBlock, checkBlock, serverBlock, sorryBlock},
}

const (
	tunnelDoc         = "Kind of tunnel, with `forward = \"tun\"`. `ipip`: IP in IP, also IPv4 in IPv6 and the other way round; `gue`: generic UDP encapsulation; `gre`. Left out: `ipip`."
	tunnelPortDoc     = "UDP port of the server's end of a `gue` tunnel."
	tunnelChecksumDoc = "Checksum of a `gue` or `gre` tunnel: `none`, `csum`, or `remcsum` for GUE's remote checksum offload. Left out: `none`."
)

var serverBlock = &block{
	name: "server", label: "ADDRESS:PORT", labelKey: "address",
	doc: "A real server, e.g. `10.0.0.11:8080` or `[2001:db8::11]:8080`. Port 0, in a service for all ports or by firewall mark, is the port that the client asked for.",
	keys: append([]key{
		number("weight", func(s *fsm.Server) *int { return &s.Weight },
			"Share of the connections relative to the other servers; 0 = no new ones.").
			or(cty.NumberIntVal(1)).within("0 to 65535"),
	}, serverKeys...),
}

var sorryBlock = &block{
	name: "sorry_server", label: "ADDRESS:PORT", labelKey: "address",
	doc:  "The server that gets the connections while the quorum of the others is lost. It is not checked. At most one in a service.",
	keys: serverKeys,
}

// serverKeys are those that a server and a sorry server have.
var serverKeys = []key{
	text("forward", func(s *fsm.Server) *fsm.Forward { return &s.Forward }, "The server's own forwarding method. Left out: that of the service, with its tunnel.").
		oneOf(string(fsm.NAT), string(fsm.DirectRouting), string(fsm.Tunnel)),
	text("tunnel", func(s *fsm.Server) *string { return &s.Encap.Type }, tunnelDoc).oneOf("ipip", "gue", "gre"),
	number("tunnel_port", func(s *fsm.Server) *uint16 { return &s.Encap.Port }, tunnelPortDoc).within("1 to 65535"),
	text("tunnel_checksum", func(s *fsm.Server) *string { return &s.Encap.Checksum }, tunnelChecksumDoc).oneOf("none", "csum", "remcsum"),
	number("upper_threshold", func(s *fsm.Server) *uint32 { return &s.Upper },
		"Number of connections at which the server gets no new ones. Left out: no limit."),
	number("lower_threshold", func(s *fsm.Server) *uint32 { return &s.Lower },
		"Number of connections below which it gets new ones again. Left out: three quarters of the upper threshold."),
}
