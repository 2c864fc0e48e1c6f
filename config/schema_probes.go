package config

import (
	"slices"
	"time"

	"github.com/zclconf/go-cty/cty"

	"quorate/fsm"
)

// protocolCheckKeys are those of the checks that speak one protocol.
var protocolCheckKeys = slices.Concat(grpcCheckKeys, smtpCheckKeys, dnsCheckKeys, udpCheckKeys, agentCheckKeys, postgresCheckKeys, redisCheckKeys)

var grpcCheckKeys = forTypes([]fsm.CheckType{fsm.CheckGRPC},
	text("service", func(c *fsm.Check) *string { return &c.GRPC.Service }, "The gRPC service that is asked about by `grpc.health.v1.Health/Check`, and has to be `SERVING`. Left out: the server as a whole."),
)

var smtpCheckKeys = forTypes([]fsm.CheckType{fsm.CheckSMTP},
	text("helo", func(c *fsm.Check) *string { return &c.SMTP.Helo }, "What the probe calls itself. Left out: `"+fsm.DefaultHelo+"`."),
	boolean("starttls", func(c *fsm.Check) *bool { return &c.SMTP.StartTLS }, "The server has to offer STARTTLS, and carry it out."),
)

var dnsCheckKeys = forTypes([]fsm.CheckType{fsm.CheckDNS},
	policy("name", ".", func(c *fsm.Check) *string { return &c.DNS.Name }, "The name that is asked for. Left out: the root, `.`."),
	policy("record", "SOA", func(c *fsm.Check) *string { return &c.DNS.Record }, "The type of record that is asked for. Left out: `SOA`.").
		oneOf(fsm.DNSRecords()...),
	policy("rcode", "NOERROR", func(c *fsm.Check) *string { return &c.DNS.Rcode }, "The response code that counts as success. Left out: `NOERROR`.").
		oneOf(fsm.DNSRcodes()...),
	text("answer", func(c *fsm.Check) *string { return &c.DNS.Answer }, "One record of the answer has to be this address, or have this text. Left out: any answer will do, one without records as well."),
	policy("transport", "udp", func(c *fsm.Check) *string { return &c.DNS.Transport }, "How the question travels. Left out: `udp`.").
		oneOf("udp", "tcp"),
)

var udpCheckKeys = forTypes([]fsm.CheckType{fsm.CheckUDP},
	text("payload", func(c *fsm.Check) *string { return &c.UDP.Payload }, "What is sent, as hexadecimal digits. Left out: `payload_text`, or an empty datagram.").within("at most 1400 bytes"),
	text("payload_text", func(c *fsm.Check) *string { return &c.UDP.Text }, "What is sent, as text.").within("at most 1400 bytes"),
	text("reply", func(c *fsm.Check) *string { return &c.UDP.Reply }, "What the reply begins with, as hexadecimal digits; `X` is any digit.").within("at most 1400 bytes"),
	boolean("require_reply", func(c *fsm.Check) *bool { return &c.UDP.RequireReply },
		"There has to be a reply. Without it, and without `reply`, `min_reply` and `max_reply`, the check fails only when the server's host answers that nobody listens; it waits for that for the whole timeout."),
	number("min_reply", func(c *fsm.Check) *int { return &c.UDP.MinReply }, "Shortest reply that counts, in bytes.").within("0 to 1400"),
	number("max_reply", func(c *fsm.Check) *int { return &c.UDP.MaxReply }, "Longest reply that counts, in bytes.").within("0 to 1400"),
)

var agentCheckKeys = forTypes([]fsm.CheckType{fsm.CheckAgent},
	text("send", func(c *fsm.Check) *string { return &c.Agent.Send }, "What is sent to the agent before it answers, as it stands: a line needs its `\\n`. Left out: nothing.").within("at most 255 bytes"),
)

var postgresCheckKeys = forTypes([]fsm.CheckType{fsm.CheckPostgres},
	text("user", func(c *fsm.Check) *string { return &c.Postgres.User }, "The role whose login is begun; it does not have to exist. Left out: `"+fsm.DefaultPostgresUser+"`."),
	text("database", func(c *fsm.Check) *string { return &c.Postgres.Database }, "The database that the login is for. Left out: `"+fsm.DefaultPostgresDatabase+"`."),
)

var redisCheckKeys = forTypes([]fsm.CheckType{fsm.CheckRedis},
	text("role", func(c *fsm.Check) *string { return &c.Redis.Role }, "What the server has to be. Left out: anything. A server that wants a password first cannot be asked.").oneOf("master", "replica"),
)

var bfdCheckKeys = forTypes([]fsm.CheckType{fsm.CheckBFD},
	duration("transmit", func(c *fsm.Check) *time.Duration { return &c.BFD.Transmit },
		"Time between two packets to the neighbour while the session is up; the neighbour may ask for fewer. Of checks that want the same session the shortest counts, as of `receive`; so does the smallest `multiplier`.").
		or(cty.StringVal("100ms")).within("10ms to 1m"),
	duration("receive", func(c *fsm.Check) *time.Duration { return &c.BFD.Receive },
		"Time between two packets of the neighbour, which may send fewer. The neighbour's multiplier times the longer of this and what it sends by is how long it may be silent.").
		or(cty.StringVal("100ms")).within("10ms to 1m"),
	number("multiplier", func(c *fsm.Check) *int { return &c.BFD.Multiplier }, "How many packets from here may be missing before the neighbour calls this machine dead.").
		or(cty.NumberIntVal(3)).within("1 to 255"),
	boolean("multihop", func(c *fsm.Check) *bool { return &c.BFD.Multihop }, "There are routers between, and the session is by UDP port 4784 (RFC 5883); otherwise by 3784, and what has crossed a router is not heard."),
	number("min_ttl", func(c *fsm.Check) *int { return &c.BFD.MinTTL }, "TTL or hop limit that packets have at least when they come, with `multihop`: 255 less the number of routers between. Left out: any.").within("1 to 255"),
	boolean("passive", func(c *fsm.Check) *bool { return &c.BFD.Passive }, "Say nothing before the neighbour is heard."),
)
