package fsm

import (
	"maps"
	"slices"
	"strconv"
)

// needs is the schema that has all that the service asks for on the VIP.
func (s Service) needs(vip VIP) Schema {
	plain := s.Mark == 0 && !s.Compound() && len(s.Flags) == 0 && !s.OnePacket && s.Persistence == Persistence{} && s.Encap == Encap{} &&
		s.Quorum == 0 && s.Hysteresis == 0 && s.Sorry == nil && !s.Inhibit && s.SlowStart == 0 && s.DrainTimeout == 0 && !s.NoSync &&
		s.Protocol != SCTP
	for _, server := range s.Servers {
		sameFamily := server.Address.Addr().Is4() == vip.Address.Addr().Is4()
		plain = plain && server == Server{Address: server.Address, Weight: server.Weight} && (s.Forward != Tunnel || sameFamily)
	}
	need := schemaFirst
	if !plain {
		need = schemaLVS
	}
	for _, c := range s.Checks {
		need = max(need, c.needs())
	}
	if s.Health != (Health{}) {
		need = max(need, schemaHealth)
	}
	return need
}

// Features are what the service asks of a data plane beyond a scheduler and a forwarding method, as key or key=value of a configuration
// file: "persistence", "tunnel=gue". Sorted. What a data plane can do is in its Facts.
func (s Service) Features() []string {
	out := map[string]bool{}
	ask := func(is bool, feature string) {
		if is {
			out[feature] = true
		}
	}
	ask(s.Mark != 0, "fwmark")
	ask(s.Compound(), "ports")
	ask(len(s.Addresses) > 0, "addresses")
	ask(s.Mark == 0 && !s.Compound() && s.Port == 0, "port=0")
	ask(s.Protocol == SCTP, "protocol=sctp")
	ask(s.Health.OnDown == ShutdownConns, "on_down="+string(ShutdownConns))
	ask(s.Health.OnDown == ShutdownConns && s.Mark != 0, "on_down="+string(ShutdownConns)+" with fwmark")
	ask(s.OnePacket, "one_packet")
	ask(s.Persistence.Timeout != 0, "persistence")
	ask(s.Persistence.Engine != "", "persistence_engine="+s.Persistence.Engine)
	for _, f := range s.Flags {
		out["scheduler_flags="+f] = true
	}
	for _, server := range s.all() {
		forward, e := s.Method(server)
		ask(forward == Tunnel && e.Type != "" && e.Type != "ipip", "tunnel="+e.Type)
		ask(server.Forward != "" && server.Forward != s.Forward, "forward="+string(server.Forward))
		ask(server.Upper != 0, "upper_threshold")
	}
	return slices.Sorted(maps.Keys(out))
}

// all are the servers with the sorry server.
func (s Service) all() []Server {
	if s.Sorry == nil {
		return s.Servers
	}
	return append(slices.Clone(s.Servers), *s.Sorry)
}

// fields are the settings of the server as text.
func (s Server) fields(f fields) {
	f.set("weight", strconv.Itoa(s.Weight))
	f.set("forward", string(s.Forward))
	s.Encap.fields(f)
	f.count("upper_threshold", int(s.Upper))
	f.count("lower_threshold", int(s.Lower))
}

func (e Encap) fields(f fields) {
	f.set("tunnel", e.Type)
	f.count("tunnel_port", int(e.Port))
	f.set("tunnel_checksum", e.Checksum)
}

// fields are the settings of the service as text, without its checks and servers.
func (s Service) fields(f fields) {
	f.set("vip", s.VIP)
	f.set("vips", join(s.VIPs, ", "))
	if s.Mark == 0 && len(s.Ports) == 0 {
		f.set("port", itoa(s.Port))
	}
	f.set("ports", join(s.Ports, ", "))
	f.set("addresses", join(s.Addresses, ", "))
	f.count("fwmark", int(s.Mark))
	f.set("protocol", string(s.Protocol))
	f.set("scheduler", s.Scheduler)
	f.set("scheduler_flags", join(s.Flags, ", "))
	f.flag("one_packet", s.OnePacket)
	f.span("persistence", s.Persistence.Timeout)
	f.count("persistence_prefix", s.Persistence.Prefix)
	f.set("persistence_engine", s.Persistence.Engine)
	f.set("forward", string(s.Forward))
	s.Encap.fields(f)
	f.flag("masquerade", s.Masquerade)
	f.count("quorum", s.Quorum)
	f.count("hysteresis", s.Hysteresis)
	f.flag("inhibit_on_failure", s.Inhibit)
	f.span("slow_start", s.SlowStart)
	f.span("drain_timeout", s.DrainTimeout)
	if s.NoSync {
		f.set("sync", "false")
	}
}
