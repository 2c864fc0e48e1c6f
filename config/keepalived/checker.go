package keepalived

import (
	"fmt"
	"slices"
	"time"

	"quorate/fsm"
)

// probe is one check of one real server.
type probe struct {
	check fsm.Check
	d     *directive
}

// readChecks makes the checks of the service of those of its servers: there is one set for all.
func (x *built) readChecks() {
	var sets [][]probe
	for i, r := range x.servers {
		sets = append(sets, x.probes(r, x.service.Servers[i]))
	}
	if len(sets) == 0 {
		return
	}
	if !sameProbes(sets) {
		x.gather(sets)
	}
	if !sameProbes(sets) {
		x.spell(sets)
	}
	first := slices.IndexFunc(sets, func(ps []probe) bool { return len(ps) > 0 })
	if first < 0 {
		return
	}
	for _, p := range sets[first] {
		x.service.Checks = append(x.service.Checks, p.check)
		x.checks = append(x.checks, p.d)
	}
	for i, ps := range sets {
		if i == first || equalProbes(ps, sets[first]) {
			continue
		}
		what := fmt.Sprintf("its checks are not those of real_server %s (%s), and a service has one set for all of its servers: that one was taken", x.servers[first].arg(0), x.servers[first].at)
		x.servers[i].settle(Changed, what, "make them alike, or make two services")
		for _, p := range ps {
			p.d.settle(Changed, what, "")
		}
	}
}

func equalProbes(a, b []probe) bool {
	return slices.EqualFunc(a, b, func(x, y probe) bool { return equalJSON(x.check, y.check) })
}

func sameProbes(sets [][]probe) bool {
	return !slices.ContainsFunc(sets, func(ps []probe) bool { return !equalProbes(ps, sets[0]) })
}

// makers of checks, by the blocks of keepalived.
var makers = map[string]func(x *built, r, d *directive, c *fsm.Check) (wrong string){
	"TCP_CHECK": plainCheck, "PING_CHECK": plainCheck, "HTTP_GET": webCheck, "SSL_GET": webCheck, "SMTP_CHECK": smtpCheck, "DNS_CHECK": dnsCheck, "UDP_CHECK": udpCheck,
	"MISC_CHECK": miscCheck,
}

var typesOf = map[string]fsm.CheckType{"TCP_CHECK": fsm.CheckTCP, "PING_CHECK": fsm.CheckPing, "HTTP_GET": fsm.CheckHTTP, "SSL_GET": fsm.CheckHTTPS, "SMTP_CHECK": fsm.CheckSMTP,
	"DNS_CHECK": fsm.CheckDNS, "UDP_CHECK": fsm.CheckUDP, "MISC_CHECK": fsm.CheckScript}

func plainCheck(*built, *directive, *directive, *fsm.Check) string { return "" }

// probes makes the checks of one real server.
func (x *built) probes(r *directive, server fsm.Server) []probe {
	var out []probe
	for _, d := range r.inside {
		if d.out != nil {
			continue
		}
		if d.word == "FILE_CHECK" || d.word == "BFD_CHECK" {
			read := x.sessionProbe
			if d.word == "FILE_CHECK" {
				read = x.fileProbe
			}
			if c, wrong := read(d, server); wrong == "" {
				d.mapped(fmt.Sprintf("check %q", c.Type))
				out = append(out, probe{c, d})
			} else {
				d.leave(Unsupported, wrong+"; a server without a check counts as up", "correct it, then import again")
			}
			continue
		}
		t, is := typesOf[d.word]
		if !is {
			continue
		}
		c := fsm.NewCheck(t)
		if wrong := makers[d.word](x, r, d, &c); wrong != "" {
			d.revoke(Unsupported, wrong+"; a server without a check counts as up", "correct it, then import again")
			continue
		}
		x.timing(r, d, &c)
		d.mapped(fmt.Sprintf("check %q", t))
		hosts := d.all("host")
		if len(hosts) == 0 {
			x.path(d, server, &c)
			out = append(out, probe{c, d})
			continue
		}
		for _, h := range hosts { // of an SMTP_CHECK, as old versions had them: a check of each
			one := c
			h.mapped(`check "smtp"`)
			x.timing(r, h, &one, d)
			x.path(h, server, &one, d)
			out = append(out, probe{one, h})
		}
	}
	return out
}

// path reads where a check asks, and how its packets travel.
func (x *built) path(d *directive, server fsm.Server, c *fsm.Check, around ...*directive) {
	all := append([]*directive{d}, around...)
	if p := near("connect_port", "check: port", all...); p != nil && uint16(p.number(0)) != server.Address.Port() {
		c.Port = uint16(p.number(0))
	}
	if c.Type == fsm.CheckPing && c.Port != 0 {
		near("connect_port", "", all...).settle(Mistake, "a ping has no port", "take it out")
		c.Port = 0
	}
	if a := near("connect_ip", "check: address", all...); a != nil {
		if p, ok := addressOf(a.arg(0)); ok && p.Addr() != server.Address.Addr() {
			c.Address = p.Addr()
		}
	}
	if a := near("bindto", "check: source", all...); a != nil {
		if p, ok := addressOf(a.arg(0)); ok {
			c.Source = p.Addr()
			a.settle(Changed, fmt.Sprintf("source = %q is for all directors, and one that does not have the address does not probe", p.Addr()), "take it out, if each director has its own; the kernel chooses then")
		}
	}
	if i := near("bind_if", "check: interface", all...); i != nil {
		c.Interface = i.arg(0)
	}
	if m := near("fwmark", "check: fwmark", all...); m != nil {
		c.FwMark = uint32(m.number(0))
	}
}

// timing reads when a check asks; what it does not say itself, its server says, or the virtual server.
func (x *built) timing(r, d *directive, c *fsm.Check, around ...*directive) {
	blocks := append(append([]*directive{d}, around...), r, x.d)
	script := c.Type == fsm.CheckScript
	retry, wait := int64(1), time.Second
	switch c.Type {
	case fsm.CheckHTTP, fsm.CheckHTTPS:
		wait = 3 * time.Second
	case fsm.CheckDNS:
		retry, wait = 3, time.Hour
	case fsm.CheckScript:
		retry = 0
	}
	c.Interval, c.Timeout, c.Rise = time.Minute, 5*time.Second, 1
	if l := near("delay_loop", "check: interval", blocks...); l != nil {
		c.Interval = clamp(l, "interval", l.duration(0), 50*time.Millisecond, time.Hour)
	}
	if script {
		c.Timeout = c.Interval
		if t := d.one("misc_timeout"); t != nil {
			t.mapped("check: timeout")
			c.Timeout = clamp(t, "timeout", t.duration(0), time.Millisecond, c.Interval)
		}
	} else if t := near("connect_timeout", "check: timeout, for the whole probe", blocks...); t != nil {
		c.Timeout = clamp(t, "timeout", t.duration(0), time.Millisecond, c.Interval)
	}
	c.Timeout = min(c.Timeout, c.Interval)
	if n := near("retry", "check: fall, one more than that", blocks...); n != nil {
		retry = n.number(0)
		if retry > 99 {
			n.settle(Changed, "fall is 100 at most", "")
		}
	}
	c.Fall = int(min(retry, 99)) + 1
	if w := near("delay_before_retry", "check: fast_interval, from probe to probe", blocks...); w != nil {
		wait = w.duration(0)
	}
	c.FastInterval = 0
	if fast := min(max(wait, c.Timeout, 50*time.Millisecond), c.Interval); c.Fall > 1 && fast < c.Interval {
		c.FastInterval = fast
	}
}

// settleRest settles what is there for checks, where no check took it.
func (x *built) settleRest() {
	for _, b := range append([]*directive{x.d}, x.servers...) {
		for _, word := range []string{"retry", "delay_before_retry", "delay_loop", "connect_timeout", "virtualhost"} {
			for _, y := range b.all(word) {
				if y.out == nil {
					y.settle(Ignored, "no check uses it", "")
				}
			}
		}
	}
}
