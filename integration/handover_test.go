package integration

import (
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
	plain                    = map[string]netip.Addr{"four": plain4, "six": plain6}
)

func newHandOver(t *testing.T) *handOver {
	t.Helper()
	bed := newBed(t, 3, 2)
	form(t, bed)
	apply(t, bed.Directors[0], new(lab.Config).VIP("four", lab.VIP(1)).VIP("six", lab.VIP6(1)).VIP("web", lab.VIP(2)).
		Web("web", "web", bed.ServerAddr(0), bed.ServerAddr(1)))
	awaitServers(t, bed, 2)
	owned(t, bed, lab.VIP(1), lab.VIP6(1), lab.VIP(2))
	h := &handOver{bed: bed, pings: map[netip.Addr]*lab.Probe{}, owners: map[netip.Addr][]string{}, gated: true}
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
	for _, a := range []netip.Addr{plain4, plain6, balanced} {
		o, err := bed.AwaitOwner(within(t, 10*time.Second), a, nil)
		must(t, err)
		h.owners[a] = append(h.owners[a], o.Name)
	}
	<-time.After(200 * time.Millisecond)
	return h
}

// owner is the present owner.
func (h *handOver) owner(a netip.Addr) *lab.Director {
	o := h.owners[a]
	return h.bed.Director(o[len(o)-1])
}

// move gives the VIP to the director after its owner, which may still take packets for it when this returns.
func (h *handOver) move(t *testing.T, name string, a netip.Addr) {
	t.Helper()
	ds := h.bed.Directors
	from := h.owner(a)
	to := ds[(slices.Index(ds, from)+1)%len(ds)]
	m := moved{addr: a, from: from.Name, to: to.Name}
	m.window.From = lab.Now()
	says(t, ds[0], "vip", "move", name, to.Name)
	m.window.To = lab.Now().Add(lingers + 100*time.Millisecond)
	h.owners[a], h.moves = append(h.owners[a], to.Name), append(h.moves, m)
}

// moved is one move, with a window that reaches beyond the linger.
type moved struct {
	addr     netip.Addr
	from, to string
	window   lab.Span
}

// when says where in the window pings were lost, and what moved before.
func (h *handOver) when(a netip.Addr, window lab.Span) string {
	var out []string
	for at := window.From; at < window.To; at = at.Add(time.Millisecond) {
		if n := h.pings[a].Lost(lab.Span{From: at, To: at.Add(time.Millisecond)}); n > 0 {
			text := fmt.Sprintf("%d", n)
			for _, m := range h.moves {
				if since := at.Sub(m.window.From); since > 0 && since < 2*lingers {
					text += fmt.Sprintf(", %s after the move of %s began", lab.Millis(since), m.addr)
				}
			}
			out = append(out, text)
		}
	}
	return strings.Join(out, "; ")
}

// check is what must hold of all that happened so far.
func (h *handOver) check(t *testing.T) {
	t.Helper()
	<-time.After(2500 * time.Millisecond) // what lingers has ended, what was asked is answered
	window := lab.Span{From: h.began, To: lab.Now().Add(-500 * time.Millisecond)}
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
	s := h.load.Summary(window)
	t.Logf("%s: owners %v, %s %v, slowest %s", balanced, h.owners[balanced], s, s.Errors, lab.Millis(s.Slowest))
	if s.Failed > 0 && h.gated {
		t.Errorf("requests failed: %v", s.Errors)
	}
	var hosts []string
	for _, d := range h.bed.Directors {
		hosts = append(hosts, d.Name)
	}
	for _, m := range h.moves {
		if o := h.capture.Overlap(m.addr, m.window, []string{m.from, m.to}, lingers, hosts...); o.Frames > 0 {
			t.Errorf("%s, from %s to %s: %s", m.addr, m.from, m.to, o)
		}
	}
}

// lingers is for how long an old owner may answer what is still sent to it, from the new owner's first frame on. (Its time is
// counted from before that.)
const lingers = 1500 * time.Millisecond

// TestPlannedMoveLosesNothing moves VIPs around under load. Nothing is lost, nobody claims an address after the next owner,
// and the old owner answers for no longer than a linger.
func TestPlannedMoveLosesNothing(t *testing.T) {
	h := newHandOver(t)
	if !h.gated {
		t.Skip("needs the kernel's gate: without it an address is removed before it is given to the next owner")
	}
	for range 5 {
		for name, a := range map[string]netip.Addr{"four": plain4, "six": plain6, "web": balanced} {
			h.move(t, name, a)
		}
		<-time.After(lingers + 200*time.Millisecond)
	}
	h.check(t)
}
