package survey

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"quorate/vip/vrrp"
)

// ear is one link and family. It is pure: datagrams and times go in.
type ear struct {
	link    string
	family  vrrp.Family
	known   Known
	survey  *vrrp.Survey
	ours    []watched
	heard   uint64
	problem string
	turns   map[vrrp.VRID]*turns
}

// turns is how the routers of one VRID took turns in speaking. Whoever takes over ends the other's words; two that are deaf to each other go on in turn.
type turns struct {
	last    netip.Addr
	changed [3]time.Duration // when another than before was heard, the latest first
	count   int
	said    string // who they are, once it is clear
}

// watched is one of our virtual routers with the judge that an agent would use.
type watched struct {
	Ours
	router *vrrp.Router
}

// newEar listens for one link and family. What cannot be ours by its configuration is an error: an agent would not run it either.
func newEar(link string, family vrrp.Family, known Known) (*ear, error) {
	e := &ear{link: link, family: family, known: known, survey: vrrp.NewSurvey(), turns: map[vrrp.VRID]*turns{}}
	for _, o := range known.Ours {
		if o.Link != link || o.Config.Family() != family {
			continue
		}
		r, err := vrrp.NewRouter(o.Config)
		if err != nil {
			return nil, fmt.Errorf("virtual router %s: %w", o.Name, err)
		}
		e.ours = append(e.ours, watched{o, r})
	}
	return e, nil
}

// groups are those that our virtual routers have besides the usual one.
func (e *ear) groups() (all []netip.Addr) {
	for _, w := range e.ours {
		if g := w.Config.Group; g.IsValid() && !slices.Contains(all, g) {
			all = append(all, g)
		}
	}
	return all
}

// hear takes a datagram.
func (e *ear) hear(d vrrp.Datagram, at time.Duration, wall time.Time) {
	e.heard++
	r := e.survey.Hear(d, at)
	if r != vrrp.Accepted {
		return
	}
	for _, w := range e.ours {
		// What it delivers moves a machine that nobody started; the neighbours are what it is asked for.
		w.router.Hear(d, at, wall)
		w.router.Deliver(func([]vrrp.Action) {})
	}
	e.turn(vrrp.VRID(d.Payload[1]), d.Source, at) // it is long enough, or it would not be sound
}

// turn notes who speaks for a VRID, and finds two that go on in turn: three changes in the time of three adverts.
func (e *ear) turn(v vrrp.VRID, source netip.Addr, at time.Duration) {
	t := e.turns[v]
	if t == nil {
		t = &turns{last: source}
		e.turns[v] = t
	}
	if t.last == source || t.said != "" {
		return
	}
	before := t.last
	t.changed = [3]time.Duration{at, t.changed[0], t.changed[1]}
	t.last = source
	if t.count++; t.count < len(t.changed) {
		return
	}
	var a, b vrrp.Neighbour
	for _, n := range e.survey.Neighbours() {
		switch {
		case n.VRID == v && n.Source == before:
			a = n
		case n.VRID == v && n.Source == source:
			b = n
		}
	}
	if at-t.changed[2] <= 3*max(a.Interval, b.Interval) && shares(a.Addresses, b.Addresses) {
		t.said = fmt.Sprintf("vrid %d on %s: %s (priority %d) and %s (priority %d) both speak as its active router: one is deaf to the other; "+
			"compare version, interval, password and addresses of the two", v, e.link, a.Source, a.Priority, b.Source, b.Priority)
	}
}

// report adds what was heard.
func (e *ear) report(r *Report, now time.Duration) {
	all := e.survey.Neighbours()
	taken := map[vrrp.VRID]bool{}
	for _, w := range e.ours {
		taken[w.Config.VRID] = true
	}
	for i := range all {
		n := &all[i]
		taken[n.VRID] = true
		x := Router{
			Link: e.link, Family: e.family.String(), VRID: n.VRID, Source: n.Source, Node: e.known.Nodes[n.Source], Activity: n.Activity(now), Version: n.Version,
			Priority: n.Priority, IntervalMS: n.Interval.Milliseconds(), Addresses: n.Addresses, Sent: vrrp.DestinationKind(n.Destination),
			Auth: n.Auth.String(), Signed: n.Signed, Adverts: n.Adverts + n.Dropped,
		}
		if n.Version == vrrp.V3 && e.family == vrrp.IPv4 {
			x.Checksum = n.Form.String()
		}
		if i := slices.IndexFunc(e.ours, func(w watched) bool { return w.Config.VRID == n.VRID }); i >= 0 {
			x.Ours = e.ours[i].Name
		}
		r.Routers = append(r.Routers, x)
		for _, addr := range n.Addresses {
			if vip := e.known.Alone[addr]; vip != "" {
				r.Findings = append(r.Findings, Finding{Kind: Unspoken, Link: e.link, VRID: n.VRID, Text: fmt.Sprintf(
					"vip %s (%v): router %s speaks for it with vrid %d on %s, and the cluster has no virtual router for it, so neither minds the other: give the vip a virtual router of this vrid, or stop that router",
					vip, addr, n.Source, n.VRID, e.link)})
			}
		}
		if n.Reason == vrrp.InAH {
			r.Findings = append(r.Findings, Finding{Kind: InHeader, Link: e.link, VRID: n.VRID, Text: fmt.Sprintf(
				"vrid %d on %s: router %s wraps its adverts in the IP authentication header, which quorate and newer routers do not speak: set auth_type PASS, or none, on all",
				n.VRID, e.link, n.Source)})
		}
	}
	for _, v := range vrrp.Collisions(all) {
		var who string
		for _, n := range all {
			if n.VRID == v {
				who += fmt.Sprintf("; %s has %s", n.Source, addresses(n.Addresses))
			}
		}
		r.Findings = append(r.Findings, Finding{Kind: Collides, Link: e.link, VRID: v, Text: fmt.Sprintf(
			"vrid %d on %s is used by two virtual routers: give one of them another%s", v, e.link, who)})
	}
	for v, t := range e.turns {
		if t.said != "" {
			r.Findings = append(r.Findings, Finding{Kind: Contested, Link: e.link, VRID: v, Text: t.said})
		}
	}
	for _, w := range e.ours {
		r.Findings = append(r.Findings, w.findings(e.link)...)
	}
	l := Link{Link: e.link, Family: e.family.String(), Free: ranges(taken), Heard: e.heard, Problem: e.problem}
	for reason, n := range e.survey.Counts() {
		if reason := vrrp.Reason(reason); n > 0 && reason != vrrp.Accepted && reason != vrrp.InAH {
			if l.Dropped == nil {
				l.Dropped = map[string]uint64{}
			}
			l.Dropped[reason.String()] = n
		}
	}
	r.Links = append(r.Links, l)
}

// findings are what of the routers that were heard does not fit our configuration.
func (w watched) findings(link string) (out []Finding) {
	c := w.router.Config()
	for _, n := range w.router.Neighbours() {
		if n.Role == vrrp.Fellow {
			continue
		}
		for _, d := range n.Differs.All() {
			out = append(out, Finding{Kind: Differs, Link: link, VRID: c.VRID, Difference: d.String(), Text: fmt.Sprintf("virtual router %s on %s: %s", w.Name, link, c.Explain(d, n))})
		}
		if n.Role == vrrp.Stranger && !n.Differs.Has(vrrp.VRIDCollision) {
			out = append(out, Finding{Kind: Unlisted, Link: link, VRID: c.VRID, Text: fmt.Sprintf(
				"virtual router %s on %s: router %s speaks for it and is not among its peers, so its word moves nothing, and two may be active: list it in peers if it is one of yours, else find it",
				w.Name, link, n.Source)})
		}
	}
	return out
}

func shares(a, b []netip.Addr) bool {
	return slices.ContainsFunc(a, func(x netip.Addr) bool { return slices.Contains(b, x) })
}
