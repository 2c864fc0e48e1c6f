package integration

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/integration/lab"
)

// handOver is a bed whose VIPs are pinged every millisecond, asked for pages, and captured.
type handOver struct {
	bed     *lab.Bed
	first   *lab.Director // which leads, and has all VIPs at first
	capture *lab.Capture
	pings   map[netip.Addr]*lab.Probe
	load    *lab.Load
	began   lab.Instant
	owners  map[netip.Addr][]string // in order
	moves   []moved
	gated   bool
}

// The VIPs: two that end on the node, and one that is balanced.
var (
	plain4, plain6, balanced = lab.VIP(1).Addr(), lab.VIP6(1).Addr(), lab.VIP(2).Addr()
	plain                    = []netip.Addr{plain4, plain6}
	addresses                = []netip.Addr{plain4, plain6, balanced}
)

func newHandOver(t *testing.T) *handOver {
	t.Helper()
	bed := newBed(t, 3, 2)
	form(t, bed)
	h := &handOver{bed: bed, pings: map[netip.Addr]*lab.Probe{}, owners: map[netip.Addr][]string{}, gated: true}
	h.toLeader(t)
	for _, d := range bed.Directors {
		n, err := d.API.Node(t.Context())
		must(t, err)
		h.gated = h.gated && (n.Fence.Kind == "bpf" || n.Fence.Kind == "nft")
	}
	var err error
	h.capture, err = bed.StartCapture(plain4, plain6, balanced)
	must(t, err)
	for _, a := range plain {
		h.pings[a], err = bed.Client.StartProbe(a, time.Millisecond)
		must(t, err)
	}
	h.load, err = bed.Client.StartLoad(t.Context(), netip.AddrPortFrom(balanced, 80), 100, 3*time.Second)
	must(t, err)
	h.began = lab.Now()
	for _, a := range addresses {
		o, err := bed.AwaitOwner(within(t, 10*time.Second), a, nil)
		must(t, err)
		h.owners[a] = append(h.owners[a], o.Name)
	}
	<-time.After(200 * time.Millisecond)
	return h
}

// toLeader gives all VIPs to the node that leads, which is not for ever the one that began the cluster: a busy machine changes leaders.
func (h *handOver) toLeader(t *testing.T) {
	t.Helper()
	leads := func() (d *lab.Director) {
		must(t, lab.Await(within(t, 10*time.Second), 10*time.Millisecond, func(ctx context.Context) (err error) {
			d, err = h.bed.Leader(ctx)
			return err
		}))
		return d
	}
	for h.first = leads(); ; h.first = leads() {
		prefer := fmt.Sprintf("prefer = [%q]", h.first.Name)
		apply(t, h.first, new(lab.Config).Settings(`hold_down = "1s"`).
			VIP("four", lab.VIP(1), prefer, `preempt = true`).VIP("six", lab.VIP6(1), prefer, `preempt = true`).VIP("web", lab.VIP(2), prefer, `preempt = true`).
			Web("web", "web", h.bed.ServerAddr(0), h.bed.ServerAddr(1)))
		awaitServers(t, h.bed, 2)
		for _, a := range addresses {
			must(t, lab.Await(within(t, 15*time.Second), 5*time.Millisecond, func(context.Context) error {
				if c := h.bed.Carriers(a); len(c) != 1 || c[0] != h.first {
					return fmt.Errorf("%s is on %d directors, or not on %s", a, len(c), h.first.Name)
				}
				return nil
			}))
		}
		if leads() == h.first {
			return
		}
	}
}

// owner is the present owner.
func (h *handOver) owner(a netip.Addr) *lab.Director {
	o := h.owners[a]
	return h.bed.Director(o[len(o)-1])
}

// change makes VIPs move, and waits until each is on one node alone, as ok wants it: what lingers has ended.
func (h *handOver) change(t *testing.T, f func(), ok func(a netip.Addr, owner *lab.Director) bool) {
	t.Helper()
	from := lab.Now()
	f()
	for _, a := range addresses {
		must(t, lab.Await(within(t, 15*time.Second), 5*time.Millisecond, func(context.Context) error {
			c := h.bed.Carriers(a)
			if len(c) != 1 || !ok(a, c[0]) {
				return fmt.Errorf("%s is on %d directors, or on the wrong one", a, len(c))
			}
			if before := h.owner(a); before != c[0] {
				h.owners[a] = append(h.owners[a], c[0].Name)
				h.moves = append(h.moves, moved{a, before.Name, c[0].Name, lab.Span{From: from}})
			}
			return nil
		}))
	}
	for i := range h.moves {
		if m := &h.moves[i]; m.window.To == 0 {
			m.window.To = lab.Now()
		}
	}
}

// without is true of every owner but one.
func without(d *lab.Director) func(netip.Addr, *lab.Director) bool {
	return func(_ netip.Addr, owner *lab.Director) bool { return owner != d }
}

// moved is one move, with a window that reaches to the end of the linger.
type moved struct {
	addr     netip.Addr
	from, to string
	window   lab.Span
}

// when says where in the window pings were lost, and what moved before; whether they could be sent; and what the directors said for the address around the first of them.
func (h *handOver) when(a netip.Addr, window lab.Span) string {
	var out []string
	var first, last lab.Instant
	for at := window.From; at < window.To; at = at.Add(time.Millisecond) {
		if n := h.pings[a].Lost(lab.Span{From: at, To: at.Add(time.Millisecond)}); n > 0 {
			if last = at; first == 0 {
				first = at
			}
			text := fmt.Sprintf("%d", n)
			for _, m := range h.moves {
				if since := at.Sub(m.window.From); since > 0 && at < m.window.To {
					text += fmt.Sprintf(", %s after the move of %s began", lab.Millis(since), m.addr)
				}
			}
			out = append(out, text)
		}
	}
	if len(out) > maxTold {
		out = append(out[:maxTold], fmt.Sprintf("and so on for %s", lab.Millis(last.Sub(first))))
	}
	if n, err := h.pings[a].Unsent(window); n > 0 {
		out = append(out, fmt.Sprintf("%d could not be sent: %v", n, err))
	}
	var hosts []string
	for _, d := range h.bed.Directors {
		hosts = append(hosts, d.Name)
	}
	said, count := "", 0
	tell := func() {
		if count > 0 {
			out = append(out, fmt.Sprintf("%d × %s", count, said))
		}
	}
	for _, f := range h.capture.Frames(a, lab.Span{From: first.Add(-around), To: min(last, first.Add(around)).Add(around)}, hosts...) {
		if text := fmt.Sprintf("%s from %s", f.Kind, f.Host); text != said {
			tell()
			said, count = text, 0
			out = append(out, fmt.Sprintf("%s after the first", lab.Millis(f.At.Sub(first))))
		}
		count++
	}
	tell()
	return strings.Join(out, "; ")
}

// maxTold is how many milliseconds in which pings were lost are told one by one, and around what is told of the directors' frames before and after.
const maxTold, around = 5, 100 * time.Millisecond

// check is what must hold of all that happened so far.
func (h *handOver) check(t *testing.T) {
	t.Helper()
	<-time.After(500 * time.Millisecond) // what was asked is answered
	window := lab.Span{From: h.began, To: lab.Now().Add(-400 * time.Millisecond)}
	must(t, h.load.Settle(t.Context()))
	must(t, h.capture.Err())
	for _, a := range plain {
		lost, sent := h.pings[a].Lost(window), h.pings[a].Sent(window)
		gap := h.pings[a].Gap(window)
		t.Logf("%s: owners %v, %d of %d pings lost, longest silence %s", a, h.owners[a], lost, sent, lab.Millis(gap.Duration()))
		if lost > 0 && h.gated {
			t.Errorf("%s: %d of %d pings lost: %s", a, lost, sent, h.when(a, window))
		}
	}
	var hosts []string
	for _, d := range h.bed.Directors {
		hosts = append(hosts, d.Name)
	}
	s := h.load.Summary(window)
	t.Logf("%s: owners %v, %s %v, slowest %s", balanced, h.owners[balanced], s, s.Errors, lab.Millis(s.Slowest))
	turns := h.capture.Handovers(balanced, window, hosts...)
	for _, r := range h.load.Failures(window) {
		// The next owner knows nothing of a connection that the one before it has translated.
		underWay := func(x lab.Handover) bool {
			return r.At < x.First.At.Add(noticed) && x.First.At < r.At.Add(r.Took)
		}
		if h.gated && !slices.ContainsFunc(turns, underWay) {
			t.Errorf("a request failed that was not under way when the owner changed: %+v", r)
		}
	}
	for _, m := range h.moves {
		if o := h.capture.Overlap(m.addr, m.window, []string{m.from, m.to}, lingers, hosts...); o.Frames > 0 {
			t.Errorf("%s, from %s to %s: %s", m.addr, m.from, m.to, o)
		}
	}
}

// lingers is for how long an old owner may answer what is still sent to it, from the new owner's first frame on: 1.5 s, from when
// it has heard of that one.
const lingers = 1600 * time.Millisecond

// noticed is how long a client may take to hear of the new owner.
const noticed = 2 * time.Millisecond

// TestPlannedMoveLosesNothing moves VIPs around under load, in every planned way there is. No packet for the node
// itself is lost, and of what it balances only connections that are under way at that moment. Nobody claims an
// address after its next owner, and the old owner answers for no longer than a linger.
func TestPlannedMoveLosesNothing(t *testing.T) {
	h := newHandOver(t)
	if !h.gated {
		t.Skip("needs the kernel's gate: without it an address is removed before it is given to the next owner")
	}
	others := slices.DeleteFunc(slices.Clone(h.bed.Directors), func(d *lab.Director) bool { return d == h.first })
	n1, n2, n3 := h.first, others[0], others[1]
	on := func(d *lab.Director) func(netip.Addr, *lab.Director) bool {
		return func(_ netip.Addr, owner *lab.Director) bool { return owner == d }
	}
	// The agent of the owner of everything ends, and comes back.
	if n, err := n2.API.Node(t.Context()); err != nil || string(n.Leader) != n1.Name {
		t.Errorf("%q leads, %v; it was to be %s", n.Leader, err, n1.Name)
	}
	h.change(t, func() {
		must(t, n1.End(within(t, 15*time.Second)))
		if n, err := n2.API.Node(within(t, time.Second)); err != nil || n.Leader == "" || string(n.Leader) == n1.Name {
			t.Errorf("the leader has handed its VIPs over and ended, and %s follows %q, %v", n2.Name, n.Leader, err)
		}
		if !strings.Contains(n1.Logs(), "handing over the leadership") {
			t.Error("it ended without handing the leadership over")
		}
	}, without(n1))
	h.change(t, func() { must(t, n1.Start(within(t, 10*time.Second))) }, on(n1))
	for _, to := range []*lab.Director{n2, n3, n1} {
		h.change(t, func() {
			for _, name := range []string{"four", "six", "web"} {
				says(t, n2, "vip", "move", name, to.Name)
			}
		}, on(to))
	}
	h.change(t, func() { says(t, n2, "node", "drain", n1.Name) }, without(n1))
	h.change(t, func() { says(t, n1, "node", "resume", n1.Name) }, on(n1))
	h.change(t, func() { says(t, n1, "leave") }, without(n1))
	h.check(t)
	for _, a := range addresses {
		if n := len(h.owners[a]) - 1; n != 8 {
			t.Errorf("%s moved %d times, want 8", a, n)
		}
	}
}
