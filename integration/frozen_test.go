package integration

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"quorate/integration/lab"
)

// TestFrozenBesideKeepalived: the only node of a cluster is frozen for longer than a keepalived below it waits, and keepalived takes over. When the node goes on it has its
// lease again at once, as it asks nobody: it must not answer before it has advertised and keepalived has given way. Frozen again, it wakes up to a keepalived above it, and
// leaves it all without a word.
func TestFrozenBesideKeepalived(t *testing.T) {
	if _, err := lab.FindKeepalived(); err != nil {
		t.Skip(err)
	}
	rows := []virtualRouter{
		{name: "four", vrid: 51, version: 3, advert: 500 * time.Millisecond, addresses: []netip.Prefix{lab.VIP(1)}},
		{name: "six", vrid: 52, version: 3, advert: 500 * time.Millisecond, addresses: []netip.Prefix{netip.MustParsePrefix("fe80::1:2/64"), lab.VIP6(1)}},
	}
	p := paceOf()
	b := &interop{t: t, began: lab.Now(), bed: newBed(t, 1, 0), rows: rows, pings: map[string]*lab.Probe{}, stalls: watchStalls(t), hosts: []string{"n1", "k1"}}
	form(t, b.bed)
	n1 := b.bed.Directors[0]
	var err error
	b.k1, err = b.bed.AddHost("k1", lab.HostPrefixes(31)...)
	must(t, err)
	b.listen()
	_, err = n1.Apply(within(t, 20*time.Second*p.times), "cluster.hcl", b.config())
	must(t, err)
	b.await("the cluster has everything", 15*time.Second*p.times, of("n1"))
	n, err := n1.API.Node(t.Context())
	must(t, err)
	gated := n.Fence.Kind == "bpf" || n.Fence.Kind == "nft"

	start := func(priority int) *lab.Keepalived {
		t.Helper()
		var o lab.KeepalivedOptions
		for _, r := range rows {
			o.Instances = append(o.Instances, r.keepalived(b.k1, priority, nil))
		}
		k, err := b.k1.StartKeepalived(within(t, 20*time.Second*p.times), o)
		must(t, err)
		b.keepalived = append(b.keepalived, k)
		return k
	}
	// frozen is the node frozen while meanwhile is done; since is when it goes on.
	frozen := func(what string, meanwhile func(), then string) (since lab.Instant) {
		t.Helper()
		b.stage(what, func() {
			must(t, n1.Agent().Stop())
			meanwhile()
			b.await(what, 10*time.Second*p.times, of("k1"))
			since = lab.Now()
			must(t, n1.Agent().Continue())
			b.await("it goes on", 10*time.Second*p.times, of(then))
			<-time.After(3 * rows[0].advert)
			b.await("it goes on, and stays so", 2*time.Second, of(then))
		})
		return since
	}

	k := start(below)
	b.heard(p.times)
	woke := frozen("beside one below", func() {}, "n1")
	beside, stalled := b.window("beside one below")
	for _, r := range rows {
		var wrong []string
		began, ok := b.capture.Began(r.pinged(), lab.Span{From: beside.From, To: woke}, "k1")
		if limit := r.masterDown(below) + slack + stalled; !ok || began.Sub(beside.From) > limit {
			wrong = append(wrong, fmt.Sprintf("keepalived answers %s after the freeze (%t), want at most %s", lab.Millis(began.Sub(beside.From)), ok, lab.Millis(limit)))
		}
		after := lab.Span{From: woke, To: beside.To}
		first, answered := b.spoke(r, after), b.served(r, after)
		if first == 0 || gated && answered < first {
			wrong = append(wrong, fmt.Sprintf("it answers %s after it went on, and advertises after %s", lab.Millis(answered.Sub(woke)), lab.Millis(first.Sub(woke))))
		}
		both := stalled
		if !gated { // until it has heard the other
			both += r.advert
		}
		if why := together(b.capture, r.pinged(), beside, []string{"n1"}, both, "k1"); why != "" {
			wrong = append(wrong, why)
		}
		t.Logf("%s: keepalived answers %s after the freeze; the node advertises %s after it went on, and answers after %s", r.name, lab.Millis(began.Sub(beside.From)),
			lab.Millis(first.Sub(woke)), lab.Millis(answered.Sub(woke)))
		if len(wrong) > 0 {
			t.Errorf("%s: %s\n%s", r.name, strings.Join(wrong, "; "), b.timeline(r, beside))
		}
	}

	woke = frozen("beside one above", func() {
		must(t, k.End(within(t, 10*time.Second*p.times)))
		k = start(above)
	}, "k1")
	window, stalled := b.window("beside one above")
	for _, r := range rows {
		after := lab.Span{From: woke, To: window.To}
		first, answered := b.spoke(r, after), b.served(r, after)
		both := together(b.capture, r.pinged(), window, []string{"n1"}, stalled, "k1")
		if first != 0 || gated && (answered != 0 || both != "") {
			t.Errorf("%s: a node that was frozen beside a better router advertises (%t), answers (%t); %s\n%s", r.name, first != 0, answered != 0, both, b.timeline(r, window))
		}
	}
	for _, k := range b.keepalived {
		for _, c := range k.Complaints() {
			t.Errorf("keepalived complains: %s", c.Text)
		}
	}
	must(t, b.capture.Err())
}

// spoke is when n1 has advertised first in the window; 0 = never.
func (b *interop) spoke(r virtualRouter, window lab.Span) lab.Instant {
	for _, a := range b.capture.Adverts(r.vrid, r.six(), window) {
		if a.Host == "n1" && a.Priority > 0 {
			return a.At
		}
	}
	return 0
}

// served is when n1 has said first in the window that it has the address, or answered from it; 0 = never.
func (b *interop) served(r virtualRouter, window lab.Span) lab.Instant {
	for _, f := range b.capture.Frames(r.pinged(), window, "n1") {
		if f.Kind != lab.FrameAdvert {
			return f.At
		}
	}
	return 0
}
