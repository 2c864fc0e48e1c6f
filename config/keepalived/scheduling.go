package keepalived

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"quorate/fsm"
)

// scheduling reads how connections are spread.
func (x *built) scheduling() {
	s, d := &x.service, x.d
	if l := d.one("lvs_sched"); l != nil {
		s.Scheduler = l.arg(0)
		l.mapped("scheduler")
		if !slices.Contains(fsm.Schedulers(), s.Scheduler) {
			s.Scheduler = "wlc"
			l.settle(Mistake, fmt.Sprintf("there is no scheduler %q; wlc was taken", shown(l.arg(0), 40)), "name one that the kernel has")
		}
	}
	for _, f := range flagKeywords {
		w := d.one(f.name)
		if w == nil {
			continue
		}
		have := fsm.SchedulerFlags(s.Scheduler)
		switch i := strings.IndexByte("12", f.name[len(f.name)-1]); {
		case f.name == "ops" && s.Protocol != fsm.UDP:
			w.settle(Mistake, "only datagrams can be scheduled one by one", "take it out")
		case f.name == "ops":
			s.OnePacket = true
			w.mapped("one_packet")
		case f.name == "hashed":
			w.settle(Ignored, "it does nothing in the kernel that is asked for", "")
		case strings.HasPrefix(f.name, "flag-") && i >= 0 && i < len(have):
			s.Flags = append(s.Flags, have[i])
			w.mapped("scheduler_flags")
		case slices.Contains(have, f.name):
			s.Flags = append(s.Flags, f.name)
			w.mapped("scheduler_flags")
		default:
			w.settle(Mistake, fmt.Sprintf("the scheduler %s has no such flag", s.Scheduler), "take it out")
		}
	}
	slices.Sort(s.Flags)
	s.Flags = slices.Compact(s.Flags)
	if m := d.one("lvs_method"); m != nil {
		var wrong string
		if s.Forward, s.Encap, wrong = forwarding(m.args); wrong != "" {
			m.settle(Mistake, wrong, "write it like TUN type gue port 6080, then import again")
		}
		m.mapped("forward, tunnel")
	}
	if p := d.one("persistence_timeout"); p != nil {
		s.Persistence.Timeout = 360 * time.Second
		if p.number(0) > 0 {
			s.Persistence.Timeout = clamp(p, "persistence", time.Duration(p.number(0))*time.Second, time.Second, 744*time.Hour)
		}
		p.mapped("persistence")
		if p.arg(0) != "" && p.number(0) == 0 {
			s.Persistence.Timeout = 0
			p.settle(Mistake, "keepalived takes 0 for a mistake", "take it out")
		}
	}
	if g := d.one("persistence_granularity"); g != nil {
		if bits, ok := prefixBits(g.arg(0)); ok {
			s.Persistence.Prefix = bits
			s.Persistence.Timeout = cmp.Or(s.Persistence.Timeout, 360*time.Second)
			g.mapped("persistence_prefix")
		} else {
			g.settle(Mistake, "it is no netmask and no prefix length", "write it like 255.255.255.0 or 64, then import again")
		}
	}
	if e := d.one("persistence_engine"); e != nil {
		s.Persistence.Engine = e.arg(0)
		s.Persistence.Timeout = cmp.Or(s.Persistence.Timeout, 360*time.Second)
		e.mapped("persistence_engine")
	}
}

// prefixBits is the length of a prefix that is written as a netmask or a number.
func prefixBits(s string) (int, bool) {
	if n, err := strconv.Atoi(strings.TrimPrefix(s, "/")); err == nil {
		return n, n >= 1 && n <= 128
	}
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		return 0, false
	}
	m := a.As4()
	bits := uint32(m[0])<<24 | uint32(m[1])<<16 | uint32(m[2])<<8 | uint32(m[3])
	n := 0
	for ; bits&(1<<31) != 0; bits <<= 1 {
		n++
	}
	return n, bits == 0 && n > 0
}

// forwarding reads NAT, DR or TUN with the options of the tunnel.
func forwarding(args []string) (fsm.Forward, fsm.Encap, string) {
	var e fsm.Encap
	switch args[0] {
	case "NAT":
		return fsm.NAT, e, ""
	case "DR":
		return fsm.DirectRouting, e, ""
	}
	for i := 1; i < len(args); i++ {
		switch word := args[i]; {
		case word == "type" && i+1 < len(args) && slices.Contains([]string{"ipip", "gue", "gre"}, args[i+1]):
			i++
			if e.Type = args[i]; e.Type == "ipip" {
				e.Type = ""
			}
		case word == "port" && i+1 < len(args) && number(1, 65535).ok(args[i+1]):
			i++
			e.Port = uint16((&directive{args: args[i:]}).number(0))
		case word == "csum" || word == "remcsum":
			e.Checksum = word
		case word == "nocsum":
		default:
			return fsm.Tunnel, e, fmt.Sprintf("keepalived knows no %q of a tunnel", shown(word, 40))
		}
	}
	return fsm.Tunnel, e, ""
}

// availability reads the quorum.
func (x *built) availability() {
	s, d := &x.service, x.d
	if q := d.one("quorum"); q != nil {
		q.mapped("quorum")
		if q.number(0) > 1 || d.one("hysteresis") != nil {
			s.Quorum = int(q.number(0))
		}
	}
	if h := d.one("hysteresis"); h != nil {
		s.Hysteresis = int(h.number(0))
		h.mapped("hysteresis")
		if s.Hysteresis >= max(s.Quorum, 1) {
			s.Hysteresis = max(s.Quorum-1, 0)
			h.settle(Mistake, fmt.Sprintf("it is not less than the quorum; %d was taken", s.Hysteresis), "make it smaller")
		}
	}
	for _, word := range []string{"quorum_up", "quorum_down"} {
		for _, q := range d.all(word) {
			q.settle(Unsupported, "no script is run on a node for what becomes of a service", pipeFor("service", "VS [192.0.2.10]:tcp:80 UP"))
		}
	}
}
