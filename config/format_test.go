package config

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quorate/fsm"
)

// drawConfig makes a random valid configuration with everything in it that a file can say.
func drawConfig(t *rapid.T) fsm.Config {
	name := rapid.StringMatching(`[a-zA-Z0-9._-]{1,12}`)
	node := rapid.Map(rapid.StringMatching(`[a-z0-9._-]{1,8}`), func(s string) fsm.NodeID { return fsm.NodeID(s) })
	prefer := rapid.SliceOfNDistinct(node, 0, 3, rapid.ID)
	c := fsm.Config{Settings: fsm.Settings{
		Profile:   rapid.SampledFrom([]fsm.Profile{fsm.LAN, fsm.Fast, fsm.WAN}).Draw(t, "profile"),
		DataPlane: rapid.SampledFrom([]string{"auto", "ipvs", "nft"}).Draw(t, "plane"),
		Observers: rapid.IntRange(1, 99).Draw(t, "observers"),
		Rebalance: rapid.Bool().Draw(t, "rebalance"), MaxMoves: rapid.IntRange(0, fsm.MaxMaxMoves).Draw(t, "max moves"),
		HoldDown:   rapid.SampledFrom([]time.Duration{0, fsm.MinHoldDown, 90 * time.Second, fsm.MaxHoldDown}).Draw(t, "hold-down"),
		SetSysctls: rapid.Bool().Draw(t, "set sysctls"),
		Mode:       rapid.SampledFrom([]fsm.Mode{fsm.LiveMode, fsm.ShadowMode}).Draw(t, "mode"),
		Sync: fsm.Sync{
			Transport: rapid.SampledFrom([]string{"", fsm.SyncRelay, fsm.SyncOff}).Draw(t, "transport"), SyncID: rapid.IntRange(0, 255).Draw(t, "sync id"),
			Ports: rapid.SampledFrom([]int{0, 1, 64}).Draw(t, "ports"), Threshold: rapid.SampledFrom([]string{"", "0 0", "3 50"}).Draw(t, "threshold"),
			Refresh: rapid.SampledFrom([]time.Duration{0, time.Second, time.Hour}).Draw(t, "refresh"),
		},
		Timeouts: fsm.Timeouts{
			TCP: rapid.SampledFrom([]time.Duration{0, time.Second, fsm.MaxTimeout}).Draw(t, "tcp"), UDP: rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(t, "udp"),
		},
	}}
	c.Groups = map[string]fsm.Group{}
	for _, n := range rapid.SliceOfNDistinct(name, 0, 3, rapid.ID).Draw(t, "groups") {
		c.Groups[n] = fsm.Group{Name: n, Prefer: prefer.Draw(t, "prefer"), Preempt: rapid.Bool().Draw(t, "preempt")}
	}
	c.VIPs = map[string]fsm.VIP{}
	for i, n := range rapid.SliceOfNDistinct(name, 0, 4, rapid.ID).Draw(t, "vips") {
		v := fsm.VIP{
			Name:      n,
			Address:   netip.MustParsePrefix(fmt.Sprintf("192.0.2.%d/%d", 10+i, rapid.SampledFrom([]int{24, 25, 32}).Draw(t, "bits"))),
			Network:   rapid.SampledFrom([]string{"", "dmz", "a.b-c"}).Draw(t, "network"),
			Interface: rapid.SampledFrom([]string{"", "eth0", "bond0.12", "${x}", `"\`, "%{y}"}).Draw(t, "interface"),
		}
		v.QuorumLost = rapid.SampledFrom([]fsm.QuorumLost{fsm.ReleaseVIP, fsm.HoldVIP}).Draw(t, "quorum lost")
		if rapid.Bool().Draw(t, "v6") {
			v.Address = netip.MustParsePrefix(fmt.Sprintf("2001:db8::%x/64", 10+i))
		}
		if len(c.Groups) > 0 && rapid.Bool().Draw(t, "grouped") {
			v.Group = rapid.SampledFrom(keysOf(c.Groups)).Draw(t, "group")
		} else {
			v.Prefer, v.Preempt = prefer.Draw(t, "prefer"), rapid.Bool().Draw(t, "preempt")
		}
		v.Mode = rapid.SampledFrom([]fsm.Mode{fsm.LiveMode, fsm.ShadowMode}).Draw(t, "mode")
		drawRouter(t, &c, &v, uint8(1+i))
		c.VIPs[n] = v
	}
	c.Notifiers = drawNotifiers(t, c)
	c.NodeChecks = drawNodeChecks(t, c)
	if len(c.VIPs) == 0 {
		return c
	}
	c.Services = map[string]fsm.Service{}
	for i, n := range rapid.SliceOfNDistinct(name, 0, 4, rapid.ID).Draw(t, "services") {
		vip := c.VIPs[rapid.SampledFrom(keysOf(c.VIPs)).Draw(t, "vip")]
		c.Services[n] = drawService(t, n, vip, uint16(80+i), c.Settings.Sync.By() == fsm.SyncOff, func(s *fsm.Service) {
			if rapid.Bool().Draw(t, "compound") {
				drawCompound(t, s, c.VIPs, i)
			}
		})
	}
	if rapid.Bool().Draw(t, "own marks") {
		c.Settings.MarkBase = rapid.Uint32Range(1<<24, 1<<31).Draw(t, "fwmark base")
	}
	return c
}

// drawCompound makes the service one of several VIPs, ports or addresses: of ports and addresses that are only the i-th service's.
func drawCompound(t *rapid.T, s *fsm.Service, vips map[string]fsm.VIP, i int) {
	is4 := vips[s.VIP].Address.Addr().Is4()
	if rapid.Bool().Draw(t, "several vips") {
		s.VIPs = []string{s.VIP}
		for _, name := range slices.Sorted(maps.Keys(vips)) {
			if name != s.VIP && vips[name].Address.Addr().Is4() == is4 && rapid.Bool().Draw(t, "one more") {
				s.VIPs = append(s.VIPs, name)
			}
		}
		s.VIP = ""
	}
	if rapid.Bool().Draw(t, "several ports") {
		s.Ports, s.Port = []fsm.PortRange{{From: s.Port, To: s.Port}}, 0
		for first := uint16(10_000 * (i + 1)); rapid.Bool().Draw(t, "one more port"); first += 1000 {
			r := fsm.PortRange{From: first, To: first + rapid.Uint16Range(0, 999).Draw(t, "ports")}
			s.Ports = append(s.Ports, r)
		}
	}
	for n := range rapid.IntRange(0, 3).Draw(t, "addresses") {
		first := netip.AddrFrom4([4]byte{203, 0, byte(113 + i), byte(32 * n)})
		last := netip.AddrFrom4([4]byte{203, 0, byte(113 + i), byte(32*n + rapid.IntRange(0, 31).Draw(t, "size"))})
		if !is4 {
			first = netip.MustParseAddr(fmt.Sprintf("2001:db8:%d:%d::", 100+i, n))
			last = netip.MustParseAddr(fmt.Sprintf("2001:db8:%d:%d:%x::ffff", 100+i, n, rapid.IntRange(0, 9).Draw(t, "size")))
		}
		s.Addresses = append(s.Addresses, fsm.AddressRange{First: first, Last: last})
	}
}

// drawNodeChecks draws checks of nodes for what c has.
func drawNodeChecks(t *rapid.T, c fsm.Config) map[string]fsm.NodeCheck {
	out := map[string]fsm.NodeCheck{}
	some := func(names []string, label string) []string {
		slices.Sort(names)
		if len(names) == 0 || rapid.Bool().Draw(t, "all "+label) {
			return nil
		}
		return names[:rapid.IntRange(1, len(names)).Draw(t, label)]
	}
	for _, name := range rapid.SliceOfNDistinct(rapid.StringMatching(`[a-zA-Z0-9._-]{1,12}`), 0, 3, rapid.ID).Draw(t, "node checks") {
		n := fsm.NodeCheck{Name: name, VIPs: some(keysOf(c.VIPs), "vips of a check"), Groups: some(keysOf(c.Groups), "groups of a check")}
		if n.Required = rapid.Bool().Draw(t, "required"); !n.Required {
			n.Weight = rapid.IntRange(fsm.MinNodeWeight, -1).Draw(t, "loses")
		}
		if rapid.Bool().Draw(t, "some nodes") {
			n.Nodes = []fsm.NodeID{"lb1", "lb2"}
		}
		for range rapid.IntRange(1, 3).Draw(t, "checks") {
			n.Checks = append(n.Checks, drawLocal(t, true))
		}
		out[name] = n
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// drawLocal draws a check that asks the director itself, of a node or of a server.
func drawLocal(t *rapid.T, node bool) fsm.Check {
	types := []fsm.CheckType{fsm.CheckScript, fsm.CheckFile}
	if node {
		types = append(types, fsm.CheckProcess, fsm.CheckInterface)
	}
	c := fsm.NewCheck(rapid.SampledFrom(types).Draw(t, "local"))
	c.Interval, c.Timeout, c.Rise, c.Fall = time.Minute, time.Second, rapid.IntRange(1, 100).Draw(t, "rise"), 1
	word := rapid.SampledFrom([]string{"-v", "a b", `"${x}`, "\\", "%{y}"})
	switch {
	case c.Script != nil:
		c.Script.Command = append([]string{"/usr/lib/checks/x y"}, rapid.SliceOfN(word, 0, 3).Draw(t, "words")...)
		c.Script.User = rapid.SampledFrom([]string{"", "root", "www-data"}).Draw(t, "user")
		c.Script.DynamicWeight = !node && rapid.Bool().Draw(t, "dynamic")
	case c.File != nil:
		c.File.File, c.File.Missing = "/run/x", rapid.SampledFrom([]string{"", fsm.FileDown}).Draw(t, "missing")
		if !node {
			c.File.Multiplier = rapid.IntRange(0, 100).Draw(t, "multiplier")
		}
	case c.Process != nil:
		c.Process.Process, c.Process.Least = rapid.SampledFrom([]string{"haproxy", "/usr/sbin/nginx"}).Draw(t, "process"), rapid.IntRange(1, 9).Draw(t, "least")
		c.Process.Arguments = rapid.SampledFrom([][]string{nil, {"-f", "a b"}}).Draw(t, "arguments")
		c.Process.Most = rapid.SampledFrom([]int{0, 9, 20}).Draw(t, "most")
		c.Process.Match = rapid.SampledFrom([]fsm.ArgumentMatch{"", fsm.MatchAll}).Draw(t, "match")
		if rapid.Bool().Draw(t, "absent") {
			c.Process.Least, c.Process.Most, c.Process.Absent = 1, 0, true
		}
		c.Process.Delay = rapid.SampledFrom([]time.Duration{0, time.Second}).Draw(t, "delay")
	case c.Link != nil:
		c.Link.Interface = "eth1"
	}
	return c
}

// drawService draws a service; its servers may be of another address family where the connections are not synchronised.
func drawService(t *rapid.T, name string, vip fsm.VIP, port uint16, cross bool, compound func(*fsm.Service)) fsm.Service {
	s := fsm.Service{
		Name: name, VIP: vip.Name, Port: port,
		Protocol:  rapid.SampledFrom([]fsm.Protocol{fsm.TCP, fsm.UDP, fsm.SCTP}).Draw(t, "protocol"),
		Scheduler: rapid.SampledFrom(fsm.Schedulers()).Draw(t, "scheduler"),
		Forward:   rapid.SampledFrom([]fsm.Forward{fsm.NAT, fsm.DirectRouting, fsm.Tunnel}).Draw(t, "forward"),
		Inhibit:   rapid.Bool().Draw(t, "inhibit"),
	}
	if rapid.Bool().Draw(t, "mark") {
		s.Mark, s.Port, s.Protocol = uint32(port)<<16, 0, ""
		port = 0
	} else {
		compound(&s)
	}
	if len(s.Ports) > 1 {
		port = 0
	}
	if flags := fsm.SchedulerFlags(s.Scheduler); len(flags) > 0 {
		s.Flags = rapid.SliceOfNDistinct(rapid.SampledFrom(flags), 0, 2, rapid.ID).Draw(t, "flags")
		if len(s.Flags) == 0 {
			s.Flags = nil
		}
	}
	if rapid.Bool().Draw(t, "persistent") {
		s.Persistence.Timeout = time.Duration(rapid.IntRange(1, 2_678_400).Draw(t, "seconds")) * time.Second
		s.Persistence.Prefix = rapid.IntRange(0, 32).Draw(t, "prefix")
		if s.Protocol == fsm.UDP && rapid.Bool().Draw(t, "sip") {
			s.Persistence.Engine = "sip"
		}
	} else {
		s.OnePacket = s.Protocol == fsm.UDP && rapid.Bool().Draw(t, "one-packet")
	}
	if s.Forward == fsm.Tunnel {
		s.Encap = drawEncap(t)
	}
	if s.Quorum = rapid.IntRange(0, 10).Draw(t, "quorum"); s.Quorum > 1 {
		s.Hysteresis = rapid.IntRange(0, s.Quorum-1).Draw(t, "hysteresis")
	}
	s.SlowStart = time.Duration(rapid.IntRange(0, 3600).Draw(t, "slow start")) * time.Second
	s.DrainTimeout = time.Duration(rapid.IntRange(0, 86400).Draw(t, "drain timeout")) * time.Second
	if rapid.Bool().Draw(t, "sorry") {
		sorry := drawServer(t, s, vip, port, 99, cross)
		sorry.Weight = 0
		s.Sorry = &sorry
	}
	s.Masquerade = s.Forward == fsm.NAT && rapid.Bool().Draw(t, "masquerade")
	for range rapid.IntRange(0, 3).Draw(t, "checks") {
		interval := time.Duration(rapid.Int64Range(int64(50*time.Millisecond), int64(time.Hour)).Draw(t, "interval"))
		if rapid.Bool().Draw(t, "round") {
			interval = max(time.Second, interval.Round(time.Minute))
		}
		c := fsm.Check{
			Type: fsm.CheckTCP, Port: rapid.Uint16Range(map[bool]uint16{true: 1}[port == 0], 65535).Draw(t, "port"), Interval: interval,
			Timeout: time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(interval)).Draw(t, "timeout")),
			Rise:    rapid.IntRange(1, 100).Draw(t, "rise"), Fall: rapid.IntRange(1, 100).Draw(t, "fall"),
		}
		if rapid.Bool().Draw(t, "own way") {
			c.FastInterval = time.Duration(rapid.Int64Range(int64(max(c.Timeout, 50*time.Millisecond)), int64(interval)).Draw(t, "fast interval"))
			c.Address = rapid.SampledFrom([]netip.Addr{{}, netip.MustParseAddr("10.1.1.1")}).Draw(t, "address")
			if c.Address.IsValid() {
				c.Source = rapid.SampledFrom([]netip.Addr{{}, netip.MustParseAddr("10.1.1.2")}).Draw(t, "source")
			}
			c.Interface = rapid.SampledFrom([]string{"", "eth0.10"}).Draw(t, "interface")
			c.FwMark = rapid.Uint32Range(0, 3).Draw(t, "fwmark")
		}
		if rapid.Bool().Draw(t, "http") {
			c.Type = fsm.CheckHTTP
			c.HTTP = drawHTTP(t)
			if rapid.Bool().Draw(t, "https") {
				c.Type, c.TLS = fsm.CheckHTTPS, drawTLS(t)
			}
		}
		if rapid.Bool().Draw(t, "protocol") {
			c = drawProtocol(t, c)
		}
		if c.Type == fsm.CheckTCP {
			c.TCP = &fsm.TCPCheck{
				Send: rapid.SampledFrom([]string{"", "PING\r\n", "${x}"}).Draw(t, "send"), Expect: rapid.SampledFrom([]string{"", "+PONG", "\x00%{"}).Draw(t, "expect"),
				ExpectRegex: rapid.SampledFrom([]string{"", `^\+`}).Draw(t, "expect_regex"),
			}
			if c.TCP.Send == "" {
				c.TCP.SendHex = rapid.SampledFrom([]string{"", "0a0b 0c"}).Draw(t, "send_hex")
			}
			switch rapid.IntRange(0, 2).Draw(t, "with TLS, or half open") {
			case 1:
				c.TLS = drawTLS(t)
				c.TLS.On = true
			case 2:
				c.TCP = &fsm.TCPCheck{HalfOpen: true}
			}
			c = c.Spared()
		}
		s.Checks = append(s.Checks, c)
	}
	if rapid.Bool().Draw(t, "local check") {
		s.Checks = append(s.Checks, drawLocal(t, false))
	}
	if rapid.Bool().Draw(t, "health") {
		s.Health = drawHealth(t, len(s.Checks), s.Inhibit)
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "servers") {
		s.Servers = append(s.Servers, drawServer(t, s, vip, port, 1+i, cross))
	}
	return s
}

func drawHTTP(t *rapid.T) *fsm.HTTPCheck {
	host := rapid.SampledFrom([]string{"", "www.example.org", "a:80"})
	request := func() fsm.HTTPRequest {
		r := fsm.HTTPRequest{
			Path: "/" + rapid.StringMatching(`([!"$&-~]|%[0-9a-fA-F]{2}){0,10}`).Draw(t, "path"), Host: host.Draw(t, "host"),
			Method:   rapid.SampledFrom([]string{"", "OPTIONS"}).Draw(t, "method"),
			Contains: rapid.StringMatching(`[ -~é\n]{0,5}`).Draw(t, "contains"), Regex: rapid.SampledFrom([]string{"", `^a\.b$`, "${x}"}).Draw(t, "regex"),
			NotRegex: rapid.SampledFrom([]string{"", "%{x}"}).Draw(t, "not_regex"), MD5: rapid.StringMatching("([0-9a-f]{32})?").Draw(t, "md5"),
			SHA256: rapid.StringMatching("([0-9a-f]{64})?").Draw(t, "sha256"),
		}
		for range rapid.IntRange(1, 3).Draw(t, "ranges") {
			from := rapid.IntRange(100, 599).Draw(t, "from")
			r.Status = append(r.Status, fsm.StatusRange{From: from, To: rapid.IntRange(from, 599).Draw(t, "to")})
		}
		return r
	}
	h := &fsm.HTTPCheck{
		Version:   rapid.SampledFrom([]string{"", "2"}).Draw(t, "version"),
		Headers:   rapid.SliceOfN(rapid.SampledFrom([]string{"X-Probe: yes", "Authorization: Basic YTpi", "a:"}), 0, 2).Draw(t, "headers"),
		Redirects: rapid.IntRange(0, fsm.MaxRedirects).Draw(t, "redirects"),
	}
	if len(h.Headers) == 0 {
		h.Headers = nil
	}
	if rapid.Bool().Draw(t, "one URL") {
		h.HTTPRequest = request()
		return h
	}
	h.Host = host.Draw(t, "host of all")
	for range rapid.IntRange(1, 3).Draw(t, "URLs") {
		h.URLs = append(h.URLs, request())
	}
	return h
}

func drawTLS(t *rapid.T) *fsm.TLSCheck {
	file := rapid.SampledFrom([]string{"/etc/ssl/a.pem", "/b c/${x}"})
	c := &fsm.TLSCheck{ServerName: rapid.SampledFrom([]string{"", "a.example", "2001:db8::1"}).Draw(t, "server name"), Unverified: rapid.Bool().Draw(t, "unverified")}
	if !c.Unverified && rapid.Bool().Draw(t, "authority") {
		c.CA = file.Draw(t, "ca")
	}
	if rapid.Bool().Draw(t, "client certificate") {
		c.Certificate, c.Key = file.Draw(t, "certificate"), file.Draw(t, "key")
	}
	return c
}

// drawHealth draws what a service with so many checks makes of them.
func drawHealth(t *rapid.T, checks int, inhibit bool) fsm.Health {
	h := fsm.Health{
		Checks:       rapid.SampledFrom([]string{"", "any"}).Draw(t, "needed"),
		Observers:    rapid.SampledFrom([]fsm.ObserverPolicy{fsm.ByMajority, fsm.ByAny, fsm.ByAll, fsm.ByOwner}).Draw(t, "policy"),
		Panic:        rapid.SampledFrom([]string{"", "off", "all", "1%", "99%"}).Draw(t, "panic"),
		OnDown:       rapid.SampledFrom([]fsm.OnDown{fsm.DropServer, fsm.KeepConns, fsm.ShutdownConns}).Draw(t, "on down"),
		NoDamping:    rapid.Bool().Draw(t, "no damping"),
		NoPassive:    rapid.Bool().Draw(t, "no passive"),
		DampingAfter: rapid.IntRange(0, 100).Draw(t, "damping after"),
		DampingMax:   time.Duration(rapid.IntRange(0, 86400).Draw(t, "damping max")) * time.Second,
		DampingQuiet: time.Duration(rapid.IntRange(0, 86400).Draw(t, "damping quiet")) * time.Second,
	}
	if checks > 0 && rapid.Bool().Draw(t, "a number") {
		h.Checks = strconv.Itoa(rapid.IntRange(1, checks).Draw(t, "of them"))
	}
	if h.DampingMax > 0 && h.DampingMax < 5*time.Second {
		h.DampingHold = time.Second
	}
	if inhibit && h.OnDown == fsm.ShutdownConns {
		h.OnDown = fsm.DropServer
	}
	return h
}

func drawEncap(t *rapid.T) fsm.Encap {
	return rapid.SampledFrom([]fsm.Encap{
		{}, {Type: "ipip"}, {Type: "gue", Port: 6080}, {Type: "gue", Port: 1, Checksum: "remcsum"}, {Type: "gre", Checksum: "csum"}, {Type: "gre", Checksum: "none"},
	}).Draw(t, "tunnel")
}

func drawServer(t *rapid.T, s fsm.Service, vip fsm.VIP, port uint16, i int, cross bool) fsm.Server {
	out := fsm.Server{Weight: rapid.IntRange(0, 65535).Draw(t, "weight"), Upper: rapid.Uint32().Draw(t, "upper")}
	if out.Upper > 0 {
		out.Lower = rapid.Uint32Range(0, out.Upper-1).Draw(t, "lower")
	}
	out.Forward = rapid.SampledFrom([]fsm.Forward{"", fsm.NAT, fsm.DirectRouting, fsm.Tunnel}).Draw(t, "own method")
	if out.Forward == fsm.Tunnel {
		out.Encap = drawEncap(t)
	}
	a := netip.MustParseAddr(fmt.Sprintf("10.0.0.%d", i))
	forward, _ := s.Method(out)
	if crosses := cross && forward == fsm.Tunnel && rapid.Bool().Draw(t, "crosses families"); vip.Address.Addr().Is6() != crosses {
		a = netip.MustParseAddr(fmt.Sprintf("2001:db8:1::%d", i))
	}
	if forward == fsm.NAT {
		port = rapid.Uint16Range(1, 65535).Draw(t, "server port")
	}
	out.Address = netip.AddrPortFrom(a, port)
	return out
}

func keysOf[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}

// TestRoundTrip is the law of Format: what it writes means the same, and is written in one way only. It also holds
// breakLines to its law: what it makes of everything on one line means the same too.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawConfig(t)
		if ps := c.Validate(); len(ps) > 0 {
			t.Fatalf("the generator made a configuration that is not valid: %v", ps)
		}
		text := Format(c)
		doc, err := Parse("x.hcl", text)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		equal(t, doc.Config, c)
		if again := Format(doc.Config); !bytes.Equal(again, text) {
			t.Fatalf("written twice:\n%s\n%s", text, again)
		}

		doc, err = Parse("x.hcl", []byte(oneLine(string(text))))
		if err != nil {
			t.Fatalf("on one line: %v in\n%s", err, oneLine(string(text)))
		}
		equal(t, doc.Config, c)
	})
}

// oneLine joins the lines of a file, without its comments.
func oneLine(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return strings.Join(out, " ")
}

func TestFormatGolden(t *testing.T) {
	c := webConfig()
	c.Groups = map[string]fsm.Group{"pair": {Name: "pair", Preempt: true}}
	c.VIPs["db"] = fsm.VIP{Name: "db", Address: netip.MustParsePrefix("2001:db8::5/64"), Group: "pair", Interface: "eth1"}
	golden(t, "testdata/good/format.hcl", Format(c))
}

// TestFormatAnything must not fail on what Validate would refuse: an export shows what there is.
func TestFormatAnything(t *testing.T) {
	out := Format(fsm.Config{
		VIPs:     map[string]fsm.VIP{"x": {}},
		Services: map[string]fsm.Service{"s": {Checks: []fsm.Check{{Type: fsm.CheckHTTP}, {}}, Servers: []fsm.Server{{}}}},
	})
	if !bytes.Contains(out, []byte(`vip "x" {`)) {
		t.Errorf("%s", out)
	}
}

// golden compares with a file, or writes it with -update.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is out of date (go generate ./config writes the reference page, go test ./config -update all):\n%s", path, got)
	}
}

// drawRouter puts the VIP into a virtual router, of its own or with a block of its own, or into none.
func drawRouter(t *rapid.T, c *fsm.Config, v *fsm.VIP, vrid uint8) {
	where := rapid.SampledFrom([]string{"none", "vip", "block"}).Draw(t, "router")
	if where == "none" {
		return
	}
	v4 := v.Address.Addr().Is4()
	r := fsm.VirtualRouter{
		VRID: vrid, Version: rapid.SampledFrom([]uint8{0, 2, 3}).Draw(t, "version"), Priority: rapid.SampledFrom([]uint8{0, 1, 100, 254}).Draw(t, "priority"),
		Interval: rapid.SampledFrom([]time.Duration{0, 5 * time.Second, 255 * time.Second}).Draw(t, "interval"),
		VMAC:     rapid.Bool().Draw(t, "vmac"), NoPreempt: rapid.Bool().Draw(t, "no preempt"), NoYield: rapid.Bool().Draw(t, "no yield"),
	}
	if r.Version != 2 {
		r.Interval = min(r.Interval, 40950*time.Millisecond)
	}
	if c.Settings.Profile == fsm.WAN {
		r.Interval = max(r.Interval, 3*time.Second)
	}
	if !r.NoPreempt {
		r.PreemptDelay = rapid.SampledFrom([]time.Duration{0, 1500 * time.Millisecond, fsm.MaxPreemptDelay}).Draw(t, "preempt delay")
	}
	if rapid.Bool().Draw(t, "peers") {
		r.Peers, r.Source = []netip.Addr{netip.MustParseAddr("fe80::5"), netip.MustParseAddr("2001:db8::ffff")}, netip.MustParseAddr("fe80::fa")
		if v4 {
			r.Peers, r.Source = []netip.Addr{netip.MustParseAddr("192.0.2.205"), netip.MustParseAddr("192.0.2.206")}, netip.MustParseAddr("192.0.2.250")
		}
		r.Unicast = rapid.Bool().Draw(t, "unicast")
	}
	switch how := rapid.SampledFrom([]string{"", "password", "keys"}).Draw(t, "authentication"); {
	case how == "password" && v4 && r.Version == 2:
		r.Password = rapid.SampledFrom([]string{"x", "${secre}", `"8 oct%\`}).Draw(t, "password")
	case how == "keys":
		r.HMACKeys = []string{"7:" + strings.Repeat("5A", 32), "255:" + strings.Repeat("0f", 64)}
		r.HMACMode = rapid.SampledFrom([]fsm.HMACMode{"", fsm.HMACPermissive, fsm.HMACReceiveOnly}).Draw(t, "hmac mode")
	}
	if v4 && r.Version != 2 {
		r.Checksum = rapid.SampledFrom([]fsm.ChecksumForm{"", fsm.ChecksumPseudo, fsm.ChecksumMessage, fsm.ChecksumGroup}).Draw(t, "checksum")
	}
	if where == "vip" {
		v.VRRP = &r
		return
	}
	if v.Router = "VI_" + v.Name; len(v.Router) > fsm.MaxName {
		v.Router = "VI"
	}
	if c.Routers == nil {
		c.Routers = map[string]fsm.VirtualRouter{}
	}
	if _, taken := c.Routers[v.Router]; taken {
		v.Router = ""
		return
	}
	c.Routers[v.Router] = r
}
