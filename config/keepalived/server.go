package keepalived

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"

	"quorate/fsm"
)

// readServers reads the real servers and the sorry server.
func (x *built) readServers(l listener) {
	s, d := &x.service, x.d
	weight := 1
	if w := d.one("weight"); w != nil {
		weight = int(w.number(0))
		w.mapped("server: weight")
	}
	inhibited, all := 0, d.all("real_server")
	seen := map[netip.AddrPort]bool{}
	for _, r := range all {
		a, err := netip.ParseAddr(r.arg(0))
		if err != nil {
			r.leave(Mistake, "its address cannot be read", "correct it, then import again")
			continue
		}
		server := fsm.Server{Weight: weight}
		forward := s.Forward
		if m := r.one("lvs_method"); m != nil {
			f, e, wrong := forwarding(m.args)
			if wrong != "" {
				m.settle(Mistake, wrong, "write it like TUN type gue port 6080, then import again")
			}
			m.mapped("server: forward, tunnel")
			if forward = f; f != s.Forward || e != s.Encap {
				server.Forward, server.Encap = f, e
			}
		}
		port := uint16(r.number(1))
		if r.arg(1) == "" {
			port = l.port
		}
		if forward != fsm.NAT && port != l.port && l.mark == 0 && x.d.arg(0) != "group" {
			r.settle(Changed, fmt.Sprintf("without NAT the port cannot be another: keepalived takes %d, that of the virtual server, and so it was done here; checks ask %d", l.port, port), "")
		}
		server.Address = netip.AddrPortFrom(a, port)
		if seen[server.Address] {
			r.leave(Mistake, "the real server is there twice, and keepalived leaves this one out", "take it out")
			continue
		}
		seen[server.Address] = true
		x.serverSettings(r, &server, &inhibited)
		r.mapped(fmt.Sprintf("server %q", server.Address))
		s.Servers = append(s.Servers, server)
		x.servers = append(x.servers, r)
	}
	x.inhibit(inhibited, len(s.Servers))
	x.sorryServer(l)
}

func (x *built) serverSettings(r *directive, server *fsm.Server, inhibited *int) {
	if w := r.one("weight"); w != nil {
		server.Weight = int(w.number(0))
		w.mapped("server: weight")
	}
	if u := r.one("uthreshold"); u != nil {
		server.Upper = uint32(u.number(0))
		u.mapped("server: upper_threshold")
	}
	if l := r.one("lthreshold"); l != nil {
		server.Lower = uint32(l.number(0))
		l.mapped("server: lower_threshold")
		if server.Lower > 0 && server.Lower >= server.Upper {
			server.Lower = 0
			l.settle(Mistake, "it is not below uthreshold, and was left out", "correct it, then import again")
		}
	}
	if i := r.one("inhibit_on_failure"); i != nil && i.yes() {
		*inhibited++
	}
	for _, word := range []string{"notify_up", "notify_down"} {
		for _, n := range r.all(word) {
			n.settle(Unsupported, "no script is run on a node for what becomes of a server", pipeFor("health", "RS [10.0.0.11]:tcp:80 [192.0.2.10]:tcp:80 UP"))
		}
	}
}

// inhibit reads inhibit_on_failure, which is of the service here.
func (x *built) inhibit(servers, of int) {
	own := x.d.one("inhibit_on_failure")
	on := own != nil && own.yes() || servers > 0
	x.service.Inhibit = on
	class, what := Mapped, "inhibit_on_failure"
	if on && own == nil && servers < of {
		class, what = Changed, "inhibit_on_failure is of the whole service: it counts for all of its servers"
	}
	if own != nil {
		own.mapped("inhibit_on_failure")
	}
	for _, r := range x.servers {
		for _, i := range r.all("inhibit_on_failure") {
			i.settle(class, what, "")
		}
	}
}

func (x *built) sorryServer(l listener) {
	own := x.d.one("sorry_server")
	m := x.d.one("sorry_server_lvs_method")
	if own == nil {
		if m != nil {
			m.settle(Mistake, "there is no sorry_server", "take it out")
		}
		return
	}
	a, err := netip.ParseAddr(own.arg(0))
	if err != nil {
		own.settle(Mistake, "its address cannot be read", "correct it, then import again")
		return
	}
	port := uint16(own.number(1))
	if own.arg(1) == "" {
		port = l.port
	}
	sorry := fsm.Server{Weight: 1}
	if m != nil {
		f, e, wrong := forwarding(m.args)
		if wrong != "" {
			m.settle(Mistake, wrong, "write it like TUN type gue port 6080, then import again")
		}
		m.mapped("sorry_server: forward, tunnel")
		if f != x.service.Forward || e != x.service.Encap {
			sorry.Forward, sorry.Encap = f, e
		}
	}
	sorry.Address = netip.AddrPortFrom(a, port)
	x.service.Sorry, x.sorry = &sorry, own
	own.mapped(fmt.Sprintf("sorry_server %q", sorry.Address))
}

func equalJSON(a, b any) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && string(x) == string(y)
}

// near is the last directive of a name in the nearest of several blocks. In all of them it is settled.
func near(word, to string, blocks ...*directive) *directive {
	var found *directive
	for _, b := range blocks {
		if b == nil {
			continue
		}
		if x := b.one(word); x != nil {
			x.mapped(to)
			found = cmp.Or(found, x)
		}
	}
	return found
}

// forcePorts gives the servers that are reached without NAT the port of the listener: they get the packets as they are. Checks go on to ask the port that was said.
func (x *built) forcePorts(l listener) {
	s := &x.service
	s.Servers, s.Checks = slices.Clone(s.Servers), slices.Clone(s.Checks)
	asks := uint16(0)
	force := func(r *fsm.Server) {
		if f, _ := s.Method(*r); f != fsm.NAT && r.Address.Port() != l.port {
			asks = cmp.Or(asks, r.Address.Port())
			r.Address = netip.AddrPortFrom(r.Address.Addr(), l.port)
		}
	}
	for i := range s.Servers {
		force(&s.Servers[i])
	}
	for i, c := range s.Checks {
		if c.Port == 0 && c.Type != fsm.CheckPing && slices.Contains(fsm.NetworkChecks(), c.Type) {
			s.Checks[i].Port = asks
		}
	}
	if s.Sorry != nil {
		sorry := *s.Sorry
		force(&sorry)
		s.Sorry = &sorry
	}
}
