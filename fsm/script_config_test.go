package fsm

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// config reads lines like
//
//	vip web 192.0.2.10/24 group=g prefer=n1,n2 preempt network=dmz interface=eth1
//	vip web 192.0.2.10/24 router=VI_1 mode=shadow, or with a virtual router of its own: vrid=51 and what router has
//	router VI_1 vrid=51 version=2 priority=100 interval=2s password=x keys=1:5a… hmac=permissive peers=192.0.2.5 unicast source=192.0.2.250 vmac
//	  no-preempt delay=30s no-yield checksum=learn
//	group g prefer=n1 preempt
//	service http vip=web port=80 forward=dr scheduler=wlc check through servers=10.0.0.1:80*2,10.0.0.2:80 quorum=2 sorry=10.0.0.9:80 inhibit slow_start=30s
//	service many vips=web,web2 ports=80,8000-8099 addresses=203.0.113.0/28,203.0.113.32-203.0.113.40 persistence=6m protocol=udp fwmark=7
//	notify hook events=assign,health vips=web limit=2/1m script by=leader
//	set profile=fast observers=2 fwmark_base=100
func config(lines []string) Config {
	c := Config{Settings: DefaultSettings(), VIPs: map[string]VIP{}, Groups: map[string]Group{}, Services: map[string]Service{}, Notifiers: map[string]Notifier{}}
	for _, line := range lines {
		f := strings.Fields(line)
		a := parseArgs(f[1:])
		name := a.first()
		switch f[0] {
		case "set":
			if v, ok := a.set["profile"]; ok {
				c.Settings.Profile = Profile(v)
			}
			c.Settings.Observers = int(a.num("observers", 3))
			c.Settings.Rebalance = a.has("rebalance")
			c.Settings.MaxMoves = int(a.num("max_moves_per_minute", 0))
			c.Settings.MarkBase = uint32(a.num("fwmark_base", 0))
			c.Settings.Mode = Mode(a.set["mode"])
			c.Settings.HoldDown, _ = time.ParseDuration(a.set["hold_down"])
		case "vip":
			p, err := netip.ParsePrefix(a.words[1])
			if err != nil {
				panic(err)
			}
			c.VIPs[name] = VIP{Name: name, Address: p, Network: a.set["network"], Interface: a.set["interface"], Group: a.set["group"],
				Prefer: nodeIDs(a.set["prefer"]), Preempt: a.has("preempt"), QuorumLost: QuorumLost(a.set["quorum_lost"]),
				Router: a.set["router"], Mode: Mode(a.set["mode"])}
			if _, own := a.set["vrid"]; own {
				v, r := c.VIPs[name], router(a)
				v.VRRP = &r
				c.VIPs[name] = v
			}
		case "router":
			if c.Routers == nil {
				c.Routers = map[string]VirtualRouter{}
			}
			c.Routers[name] = router(a)
		case "group":
			c.Groups[name] = Group{Name: name, Prefer: nodeIDs(a.set["prefer"]), Preempt: a.has("preempt")}
		case "notify":
			n := Notifier{Name: name, VIPs: splitList(a.set["vips"]), Services: splitList(a.set["services"]), Nodes: nodeIDs(a.set["nodes"]), By: NotifyBy(a.set["by"]),
				Webhook: &Webhook{URL: "https://hooks.example.org/"}}
			for _, k := range splitList(a.set["events"]) {
				n.Events = append(n.Events, EventKind(k))
			}
			if a.has("script") {
				n.Webhook, n.Script = nil, &Script{Command: []string{"/bin/notify"}}
			}
			if count, per, ok := strings.Cut(a.set["limit"], "/"); ok {
				n.Limit.Count, _ = strconv.Atoi(count)
				n.Limit.Per = span(per)
			}
			c.Notifiers[name] = n
		case "service":
			s := Service{Name: name, VIP: a.set["vip"], Port: uint16(a.num("port", 80)), Protocol: TCP, Scheduler: "rr", Forward: NAT}
			if s.VIPs = splitList(a.set["vips"]); len(s.VIPs) > 0 {
				s.VIP = ""
			}
			for _, text := range splitList(a.set["ports"]) {
				r, err := ParsePortRange(text)
				if err != nil {
					panic(err)
				}
				s.Ports, s.Port = append(s.Ports, r), uint16(a.num("port", 0))
			}
			for _, text := range splitList(a.set["addresses"]) {
				r, err := ParseAddressRange(text)
				if err != nil {
					panic(err)
				}
				s.Addresses = append(s.Addresses, r)
			}
			s.Persistence.Timeout = span(a.set["persistence"])
			if v, ok := a.set["protocol"]; ok {
				s.Protocol = Protocol(v)
			}
			if s.Mark = uint32(a.num("fwmark", 0)); s.Mark != 0 {
				s.Port, s.Protocol = 0, ""
			}
			if v, ok := a.set["scheduler"]; ok {
				s.Scheduler = v
			}
			if v, ok := a.set["forward"]; ok {
				s.Forward = Forward(v)
			}
			s.Quorum, s.Hysteresis, s.Inhibit = int(a.num("quorum", 0)), int(a.num("hysteresis", 0)), a.has("inhibit")
			s.SlowStart, s.DrainTimeout = span(a.set["slow_start"]), span(a.set["drain_timeout"])
			if v, ok := a.set["sorry"]; ok {
				s.Sorry = &Server{Address: netip.MustParseAddrPort(v), Weight: 1}
			}
			if a.has("check") {
				s.Checks = []Check{{Type: CheckTCP, Interval: 2 * time.Second, Timeout: time.Second, Rise: 2, Fall: 3}}
			}
			if a.has("through") {
				s.Checks = []Check{{Type: CheckTCP, Interval: 2 * time.Second, Timeout: time.Second, Rise: 2, Fall: 3, Through: ThroughForwarding}}
			}
			for _, text := range splitList(a.set["servers"]) {
				addr, weight, _ := strings.Cut(text, "*")
				w := 1
				if weight != "" {
					w, _ = strconv.Atoi(weight)
				}
				s.Servers = append(s.Servers, Server{Address: netip.MustParseAddrPort(addr), Weight: w})
			}
			c.Services[name] = s
		}
	}
	return c
}

func server(text string) ServerKey {
	var k ServerKey
	if err := k.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return k
}

// span is a duration; "" = 0.
func span(text string) time.Duration {
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		panic(err)
	}
	return d
}

func splitList(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' })
}

func nodeIDs(text string) []NodeID {
	var out []NodeID
	for _, id := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' }) {
		out = append(out, NodeID(id))
	}
	return out
}

func router(a args) VirtualRouter {
	r := VirtualRouter{VRID: uint8(a.num("vrid", 0)), Version: uint8(a.num("version", 0)), Priority: uint8(a.num("priority", 0)), Password: a.set["password"],
		HMACKeys: splitList(a.set["keys"]), HMACMode: HMACMode(a.set["hmac"]), Unicast: a.has("unicast"), VMAC: a.has("vmac"), NoPreempt: a.has("no-preempt"),
		NoYield: a.has("no-yield"), Checksum: ChecksumForm(a.set["checksum"])}
	r.Interval, _ = time.ParseDuration(a.set["interval"])
	r.PreemptDelay, _ = time.ParseDuration(a.set["delay"])
	r.Source, _ = netip.ParseAddr(a.set["source"])
	for _, text := range splitList(a.set["peers"]) {
		r.Peers = append(r.Peers, netip.MustParseAddr(text))
	}
	return r
}
