package target

import (
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"

	"quorate/fsm"
	"quorate/health"
)

// TestEveryTypeIsAProbe holds the types of checks that the cluster knows against those that package health does: each that goes over the network is asked.
func TestEveryTypeIsAProbe(t *testing.T) {
	for _, typ := range fsm.NetworkChecks() {
		c := fsm.NewCheck(typ)
		c.Interval, c.Timeout, c.Rise, c.Fall = time.Second, time.Second, 1, 1
		if fault := health.Inspect(Of(c, netip.MustParseAddrPort("127.0.0.1:1"))); fault != nil {
			t.Errorf("%s: %v", typ, fault)
		}
		if got := Of(c, netip.MustParseAddrPort("127.0.0.1:1")); got.Type != health.Type(typ) || got.ID == "" {
			t.Errorf("%s became %+v", typ, got)
		}
	}
}

// TestEverySettingIsTold has each setting of a protocol change its probe, and the probe's identity.
func TestEverySettingIsTold(t *testing.T) {
	at := netip.MustParseAddrPort("127.0.0.1:1")
	for _, c := range []struct {
		typ    fsm.CheckType
		change func(*fsm.Check)
	}{
		{fsm.CheckGRPC, func(c *fsm.Check) { c.GRPC.Service = "x" }},
		{fsm.CheckGRPC, func(c *fsm.Check) { c.TLS.On = true }},
		{fsm.CheckSMTP, func(c *fsm.Check) { c.SMTP.Helo = "x" }},
		{fsm.CheckSMTP, func(c *fsm.Check) { c.SMTP.StartTLS = true }},
		{fsm.CheckDNS, func(c *fsm.Check) { c.DNS.Name = "x" }},
		{fsm.CheckDNS, func(c *fsm.Check) { c.DNS.Record = "A" }},
		{fsm.CheckDNS, func(c *fsm.Check) { c.DNS.Rcode = "REFUSED" }},
		{fsm.CheckDNS, func(c *fsm.Check) { c.DNS.Answer = "x" }},
		{fsm.CheckDNS, func(c *fsm.Check) { c.DNS.Transport = "tcp" }},
		{fsm.CheckUDP, func(c *fsm.Check) { c.UDP.Payload = "00" }},
		{fsm.CheckUDP, func(c *fsm.Check) { c.UDP.Text = "x" }},
		{fsm.CheckUDP, func(c *fsm.Check) { c.UDP.Reply = "00" }},
		{fsm.CheckUDP, func(c *fsm.Check) { c.UDP.RequireReply = true }},
		{fsm.CheckUDP, func(c *fsm.Check) { c.UDP.MinReply = 1 }},
		{fsm.CheckUDP, func(c *fsm.Check) { c.UDP.MaxReply = 1 }},
		{fsm.CheckAgent, func(c *fsm.Check) { c.Agent.Send = "x" }},
		{fsm.CheckPostgres, func(c *fsm.Check) { c.Postgres.User = "x" }},
		{fsm.CheckPostgres, func(c *fsm.Check) { c.Postgres.Database = "x" }},
		{fsm.CheckRedis, func(c *fsm.Check) { c.Redis.Role = "master" }},
	} {
		plain, changed := fsm.NewCheck(c.typ), fsm.NewCheck(c.typ)
		c.change(&changed)
		a, b := Of(plain, at), Of(changed, at)
		if a.ID == b.ID || a.Protocols == b.Protocols && a.TLS == b.TLS {
			t.Errorf("%s: a setting is lost in %s", c.typ, b.ID)
		}
	}
}

func TestTemplateAtServers(t *testing.T) {
	server := netip.MustParseAddrPort("10.0.0.11:8080")
	c := fsm.Check{Type: fsm.CheckTCP, Interval: 5 * time.Second, Timeout: time.Second, Rise: 2, Fall: 3}
	plain := Of(c, server)
	if plain.ID != "tcp 10.0.0.11:8080 5s/1s 2/3" || plain.Addr != server {
		t.Errorf("%q at %v", plain.ID, plain.Addr)
	}

	c.FastInterval, c.Address, c.Port = 2*time.Second, netip.MustParseAddr("10.9.0.5"), 81
	c.Source, c.Interface, c.FwMark = netip.MustParseAddr("10.0.0.2"), "mgmt", 17
	got := Of(c, server)
	if got.Addr != netip.MustParseAddrPort("10.9.0.5:81") || got.FastInterval != 2*time.Second ||
		got.Egress != (health.Egress{Source: c.Source, Interface: "mgmt", Mark: 17}) {
		t.Errorf("%+v", got)
	}

	// Those that ask the same share a probe, by whatever words; those that do not, do not.
	other := c
	other.Address, other.Port = netip.Addr{}, 0
	if same := Of(other, got.Addr); same.ID != got.ID {
		t.Errorf("%q and %q ask the same", same.ID, got.ID)
	}
	for name, change := range map[string]func(*fsm.Check){
		"fast interval": func(c *fsm.Check) { c.FastInterval = 3 * time.Second },
		"port":          func(c *fsm.Check) { c.Port = 82 },
		"source":        func(c *fsm.Check) { c.Source = netip.MustParseAddr("10.0.0.3") },
		"interface":     func(c *fsm.Check) { c.Interface = "eth0" },
		"mark":          func(c *fsm.Check) { c.FwMark = 18 },
	} {
		changed := c
		if change(&changed); Of(changed, server).ID == got.ID {
			t.Errorf("another %s is the same probe", name)
		}
	}
}

// TestNamesOfDNS holds the names that the cluster knows against those of the library.
func TestNamesOfDNS(t *testing.T) {
	for _, name := range fsm.DNSRecords() {
		if _, ok := dns.StringToType[name]; !ok {
			t.Errorf("there is no record type %s", name)
		}
	}
	for _, name := range fsm.DNSRcodes() {
		if _, ok := dns.StringToRcode[name]; !ok {
			t.Errorf("there is no response code %s", name)
		}
	}
}
