package config

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"quorate/fsm"
)

// drawProtocol makes the check one of those that speak a protocol.
func drawProtocol(t *rapid.T, c fsm.Check) fsm.Check {
	c.HTTP, c.TLS = nil, nil
	word := func(name string) string { return rapid.SampledFrom([]string{"", "a", "example.org"}).Draw(t, name) }
	c.Type = rapid.SampledFrom([]fsm.CheckType{fsm.CheckGRPC, fsm.CheckSMTP, fsm.CheckDNS, fsm.CheckUDP, fsm.CheckPing, fsm.CheckAgent, fsm.CheckMySQL, fsm.CheckPostgres, fsm.CheckRedis, fsm.CheckBFD}).Draw(t, "type")
	switch c.Type {
	case fsm.CheckGRPC:
		p := &fsm.GRPCCheck{}
		p.Service = word("grpc service")
		c.GRPC, c.TLS = p, &fsm.TLSCheck{}
		if rapid.Bool().Draw(t, "tls") {
			c.TLS = drawTLS(t)
			c.TLS.On = true
		}
	case fsm.CheckSMTP:
		p := &fsm.SMTPCheck{}
		p.Helo, p.StartTLS = word("helo"), rapid.Bool().Draw(t, "starttls")
		c.SMTP, c.TLS = p, &fsm.TLSCheck{}
		if p.StartTLS {
			c.TLS = drawTLS(t)
		}
	case fsm.CheckDNS:
		p := &fsm.DNSCheck{}
		p.Name, p.Answer, p.Transport = word("name"), word("answer"), rapid.SampledFrom([]string{"", "tcp"}).Draw(t, "transport")
		p.Record = rapid.SampledFrom(slices.DeleteFunc(fsm.DNSRecords(), func(s string) bool { return s == "SOA" })).Draw(t, "record")
		if p.Answer == "" {
			p.Rcode = rapid.SampledFrom(slices.DeleteFunc(fsm.DNSRcodes(), func(s string) bool { return s == "NOERROR" })).Draw(t, "rcode")
		}
		c.DNS = p
	case fsm.CheckUDP:
		p := &fsm.UDPCheck{}
		p.Reply, p.RequireReply = rapid.StringMatching(`([0-9a-fX]{2}){0,4}`).Draw(t, "reply"), rapid.Bool().Draw(t, "require")
		if p.Payload = rapid.StringMatching(`([0-9a-f]{2} ?){0,4}[0-9a-f]{2}|`).Draw(t, "payload"); p.Payload == "" {
			p.Text = rapid.StringMatching(`[ -~]{0,8}`).Draw(t, "text")
		}
		if p.MinReply = rapid.IntRange(0, 10).Draw(t, "shortest"); rapid.Bool().Draw(t, "bounded") {
			p.MaxReply = rapid.IntRange(10, 1400).Draw(t, "longest")
		}
		c.UDP = p
	case fsm.CheckPing:
		c.Port = 0
	case fsm.CheckAgent:
		p := &fsm.AgentCheck{}
		p.Send = rapid.SampledFrom([]string{"", "state\n", "${x} %{y}"}).Draw(t, "send")
		c.Agent = p
	case fsm.CheckPostgres:
		p := &fsm.PostgresCheck{}
		p.User, p.Database = word("user"), word("database")
		c.Postgres = p
	case fsm.CheckRedis:
		p := &fsm.RedisCheck{}
		p.Role = rapid.SampledFrom([]string{"", "master", "replica"}).Draw(t, "role")
		c.Redis = p
	case fsm.CheckBFD:
		p := &fsm.BFDCheck{Transmit: 50 * time.Millisecond, Receive: 100 * time.Millisecond, Passive: rapid.Bool().Draw(t, "passive")}
		p.Multiplier, p.Multihop = rapid.IntRange(1, 255).Draw(t, "multiplier"), rapid.Bool().Draw(t, "multihop")
		if p.Multihop {
			p.MinTTL = rapid.IntRange(0, 255).Draw(t, "min_ttl")
		}
		c.BFD, c.Port = p, 0
		c.Interval, c.FastInterval, c.Timeout, c.Rise, c.Fall, c.FwMark = 2*time.Second, 0, time.Second, 1, 1, 0
	}
	return c
}
