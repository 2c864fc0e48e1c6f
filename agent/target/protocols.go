package target

import (
	"quorate/fsm"
	"quorate/health"
)

// protocolsOf is what a check says that speaks one protocol.
func protocolsOf(c fsm.Check) health.Protocols {
	p := health.Protocols{}
	if c.TCP != nil {
		p.TCP = health.TCPQuery(*c.TCP)
	}
	if c.GRPC != nil {
		p.GRPC = health.GRPCQuery(*c.GRPC)
	}
	if c.SMTP != nil {
		p.SMTP = health.SMTPQuery(*c.SMTP)
		if p.SMTP.Helo == "" {
			p.SMTP.Helo = fsm.DefaultHelo
		}
	}
	if c.DNS != nil {
		p.DNS = health.DNSQuery(*c.DNS)
	}
	if c.UDP != nil {
		p.UDP = health.UDPQuery(*c.UDP)
	}
	if c.Agent != nil {
		p.Agent = health.AgentQuery(*c.Agent)
	}
	if c.Postgres != nil {
		p.Postgres = health.PostgresQuery(*c.Postgres)
	}
	if c.Redis != nil {
		p.Redis = health.RedisQuery(*c.Redis)
	}
	if c.BFD != nil {
		p.BFD = health.BFDQuery(*c.BFD)
	}
	return p
}
