package health

import (
	"cmp"
	"time"
)

// Protocols are the parts of a Target that only checks of one protocol have.
type Protocols struct {
	TCP      TCPQuery      `json:"tcp,omitzero"`
	GRPC     GRPCQuery     `json:"grpc,omitzero"`
	SMTP     SMTPQuery     `json:"smtp,omitzero"`
	DNS      DNSQuery      `json:"dns,omitzero"`
	UDP      UDPQuery      `json:"udp,omitzero"`
	Agent    AgentQuery    `json:"agent,omitzero"`
	Postgres PostgresQuery `json:"postgres,omitzero"`
	Redis    RedisQuery    `json:"redis,omitzero"`
	BFD      BFDQuery      `json:"bfd,omitzero"`
}

// of is the part of the type alone, with its defaults.
func (p Protocols) of(t Type) Protocols {
	var own Protocols
	switch t {
	case TypeTCP:
		own.TCP = p.TCP
	case TypeGRPC:
		own.GRPC = p.GRPC
	case TypeSMTP:
		own.SMTP = p.SMTP
		set(&own.SMTP.Helo, "quorate.invalid")
	case TypeDNS:
		own.DNS = p.DNS
		set(&own.DNS.Name, ".")
		set(&own.DNS.Record, "SOA")
		set(&own.DNS.Rcode, "NOERROR")
		set(&own.DNS.Transport, "udp")
	case TypeUDP:
		own.UDP = p.UDP
	case TypeAgent:
		own.Agent = p.Agent
	case TypePostgres:
		own.Postgres = p.Postgres
		set(&own.Postgres.User, "quorate")
		set(&own.Postgres.Database, "postgres")
	case TypeRedis:
		own.Redis = p.Redis
	case TypeBFD:
		own.BFD = p.BFD
		own.BFD.Transmit = cmp.Or(own.BFD.Transmit, 100*time.Millisecond)
		own.BFD.Receive = cmp.Or(own.BFD.Receive, 100*time.Millisecond)
		own.BFD.Multiplier = cmp.Or(own.BFD.Multiplier, 3)
	}
	return own
}

// set gives a text that is empty its default.
func set(s *string, fallback string) {
	if *s == "" {
		*s = fallback
	}
}
