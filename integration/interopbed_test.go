package integration

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/integration/lab"
)

// interop is a bed of three directors and old routers that share virtual routers. Every address of them is asked for by a bystander each 10 ms and by a client each 2 ms, and
// all that is said about it is captured.
type interop struct {
	t       *testing.T
	bed     *lab.Bed
	rows    []virtualRouter
	k1, f1  *lab.Host // of keepalived, and of FRR
	m1      *lab.Host // of a keepalived with virtual MACs, which shares its link-local address among them and eth0
	hosts   []string  // whose word is looked at
	capture *lab.Capture
	pings   map[string]*lab.Probe // by row

	keepalived []*lab.Keepalived // all that were started on k1 and m1, in turn, the last ones last
	frr        []*lab.FRR        // likewise on f1
	began      lab.Instant
	stages     []stage
	stalls     func() time.Duration // until now, see watchStalls
}

// stage is a part of the story.
type stage struct {
	name    string
	window  lab.Span
	stalled time.Duration // for so long the machine stood still in it
}

const clusterPriority, below, above = 150, 100, 200

// newInterop makes the bed, its cluster not yet formed.
func newInterop(t *testing.T, rows []virtualRouter) *interop {
	t.Helper()
	if _, err := lab.FindKeepalived(); err != nil {
		t.Skip(err)
	}
	b := &interop{t: t, began: lab.Now(), bed: newBed(t, 3, 0), rows: rows, pings: map[string]*lab.Probe{}, stalls: watchStalls(t)}
	var err error
	b.k1, err = b.bed.AddHost("k1", lab.HostPrefixes(31)...)
	must(t, err)
	b.f1, err = b.bed.AddHost("f1", lab.HostPrefixes(32)...)
	must(t, err)
	b.m1, err = b.bed.AddHost("m1", lab.HostPrefixes(33)...)
	must(t, err)
	b.hosts = []string{"k1", "f1", "m1"}
	b.hosts = append(b.hosts, b.nodes()...)
	return b
}

// old is the host of the row's old router.
func (b *interop) old(r virtualRouter) *lab.Host {
	if r.frr {
		return b.f1
	}
	if r.vmac {
		return b.m1
	}
	return b.k1
}

// config is the cluster's configuration: n1 has everything that it can have.
func (b *interop) config() string {
	var text strings.Builder
	text.WriteString("cluster {\n  hold_down = \"1s\"\n  max_moves_per_minute = 600\n  set_sysctls = true\n}\n")
	for _, r := range b.rows {
		r.write(&text, b.old(r), clusterPriority, `prefer = ["n1"]`, `preempt = true`)
	}
	return text.String()
}

// listen begins to ask and to capture.
func (b *interop) listen() {
	b.t.Helper()
	var all []netip.Addr
	for _, r := range b.rows {
		all = append(all, r.pinged())
	}
	var err error
	b.capture, err = b.bed.StartCapture(all...)
	must(b.t, err)
	if dir := os.Getenv("QUORATE_PCAP"); dir != "" {
		must(b.t, b.capture.Record(filepath.Join(dir, b.t.Name()+".pcap")))
	}
	_, err = b.bed.Bystander.StartWatch(10*time.Millisecond, all...)
	must(b.t, err)
	for _, r := range b.rows {
		b.pings[r.name], err = b.bed.Client.StartProbe(r.pinged(), 2*time.Millisecond)
		must(b.t, err)
	}
}

// startOld starts the old routers with that priority.
func (b *interop) startOld(priority int) {
	b.t.Helper()
	o := map[*lab.Host]*lab.KeepalivedOptions{b.k1: {}, b.m1: {}}
	var f []lab.FRRRouter
	for _, r := range b.rows {
		if r.frr {
			f = append(f, r.frrRouter(priority))
		} else {
			on := o[b.old(r)]
			on.Instances = append(on.Instances, r.keepalived(b.old(r), priority, b.bed.Directors))
		}
	}
	for _, h := range []*lab.Host{b.k1, b.m1} {
		k, err := h.StartKeepalived(within(b.t, 20*time.Second), *o[h])
		must(b.t, err)
		b.keepalived = append(b.keepalived, k)
	}
	if len(f) > 0 {
		f, err := b.f1.StartFRR(within(b.t, 20*time.Second), f...)
		must(b.t, err)
		b.frr = append(b.frr, f)
	}
}

// endOld asks the old routers to end.
func (b *interop) endOld() {
	b.t.Helper()
	for _, k := range b.running() {
		must(b.t, k.End(within(b.t, 10*time.Second)))
	}
	if n := len(b.frr); n > 0 {
		must(b.t, b.frr[n-1].End(within(b.t, 10*time.Second)))
	}
}

// nodes are the names of the cluster's nodes.
func (b *interop) nodes() (out []string) {
	for _, d := range b.bed.Directors {
		out = append(out, d.Name)
	}
	return out
}

// heard waits until the cluster has sent two adverts of each row from now on: an old router that runs has heard one.
func (b *interop) heard(times time.Duration) {
	b.t.Helper()
	since := lab.Now()
	must(b.t, lab.Await(within(b.t, 10*time.Second*times), 10*time.Millisecond, func(context.Context) error {
		for _, r := range b.rows {
			all := b.capture.Adverts(r.vrid, r.six(), lab.Span{From: since, To: lab.Now()})
			if n := len(slices.DeleteFunc(all, func(a lab.Advert) bool { return a.Host == b.old(r).Name })); n < 2 {
				return fmt.Errorf("%s has heard %d adverts", r.name, n)
			}
		}
		return nil
	}))
}

// oldHosts are the hosts of the old routers.
func (b *interop) oldHosts() []*lab.Host { return []*lab.Host{b.k1, b.f1, b.m1} }

// running are the keepalived that were started last.
func (b *interop) running() []*lab.Keepalived { return b.keepalived[len(b.keepalived)-2:] }

// settled is for how long a host has to have answered alone. It is longer than what a capture takes for one time of answering: who has it back sooner would be taken for
// having had it all the time.
const settled = 200 * time.Millisecond

// answers names the hosts that have answered for the row's address lately.
func (b *interop) answers(r virtualRouter) []string {
	now := lab.Now()
	names := map[string]bool{}
	for _, o := range b.capture.Answering(r.pinged(), lab.Span{From: now.Add(-settled), To: now}, b.hosts...) {
		names[o.Host] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// await waits until each row is answered for by one host alone, and ok says that it is the right one. It carries on after the time is over, so that the table shows what
// happened.
func (b *interop) await(what string, patience time.Duration, ok func(r virtualRouter, host string) bool) {
	b.t.Helper()
	err := lab.Await(within(b.t, patience), 10*time.Millisecond, func(context.Context) error {
		var wrong []string
		for _, r := range b.rows {
			if a := b.answers(r); len(a) != 1 || !ok(r, a[0]) {
				wrong = append(wrong, fmt.Sprintf("%s is on %q", r.name, a))
			}
		}
		if len(wrong) > 0 {
			return fmt.Errorf("%s", strings.Join(wrong, "; "))
		}
		return nil
	})
	if err != nil {
		b.t.Errorf("%s: %v", what, err)
	}
}

// says runs a quorate command that must succeed. While the leadership changes it is asked again: this is no test of that.
func (b *interop) says(d *lab.Director, args ...string) {
	b.t.Helper()
	must(b.t, b.tells(d, args...))
}

func (b *interop) tells(d *lab.Director, args ...string) error {
	return lab.Await(within(b.t, 20*time.Second), 200*time.Millisecond, func(ctx context.Context) error { _, err := d.Quorate(ctx, args...); return err })
}

// of is true of one host, of each row.
func of(names ...string) func(virtualRouter, string) bool {
	return func(_ virtualRouter, host string) bool { return slices.Contains(names, host) }
}

// theOld is true of the old router of the row.
func (b *interop) theOld(r virtualRouter, host string) bool { return host == b.old(r).Name }

// stage does a part of the story and notes when; the part ends a little later, so that what lingers is in it.
func (b *interop) stage(name string, f func()) {
	b.t.Helper()
	from, stalled := lab.Now(), b.stalls()
	f()
	<-time.After(300 * time.Millisecond)
	b.stages = append(b.stages, stage{name, lab.Span{From: from, To: lab.Now()}, b.stalls() - stalled})
}

// window is that of a stage, and for how long the machine stood still in it.
func (b *interop) window(name string) (window lab.Span, stalled time.Duration) {
	b.t.Helper()
	for _, s := range b.stages {
		if s.name == name {
			return s.window, s.stalled
		}
	}
	b.t.Fatalf("there was no stage %q", name)
	return lab.Span{}, 0
}

// frrSays are the lines of vrrpd that tell what it does.
var frrSays = regexp.MustCompile(` -> |timer expired|event|Delaying|pending|Failed`)

// timeline is all that was said about a row in the window: for when something is wrong.
func (b *interop) timeline(r virtualRouter, window lab.Span) string {
	type entry struct {
		at   lab.Instant
		text string
	}
	var all []entry
	window = lab.Span{From: window.From.Add(-2 * r.advert), To: window.To.Add(r.advert)}
	for _, s := range b.stages {
		if s.window.From >= window.From && s.window.From < window.To {
			all = append(all, entry{s.window.From, "--- " + s.name})
		}
	}
	for _, o := range b.capture.Answering(r.pinged(), window, b.hosts...) {
		all = append(all, entry{o.Span.From, fmt.Sprintf("%s answers for %s", o.Host, lab.Millis(o.Span.Duration()))})
	}
	for _, a := range b.capture.Adverts(r.vrid, r.six(), window) {
		all = append(all, entry{a.At, "advert: " + a.String()})
	}
	for _, k := range b.keepalived {
		for _, l := range k.Journal.Lines(window.From) {
			if l.At < window.To && strings.Contains(l.Text, "("+r.name+")") && !strings.Contains(l.Text, "ending") {
				all = append(all, entry{l.At, "keepalived: " + l.Text})
			}
		}
	}
	for _, f := range b.frr {
		for _, l := range f.Journal.Lines(window.From) {
			// Not what each router of it says of the others' adverts, and of the links that it does not have.
			if l.At < window.To && strings.Contains(l.Text, fmt.Sprintf("[VRID %d]", r.vrid)) && frrSays.MatchString(l.Text) {
				all = append(all, entry{l.At, "FRR: " + l.Text})
			}
		}
	}
	slices.SortStableFunc(all, func(x, y entry) int { return int(min(max(x.at-y.at, -1), 1)) })
	var out strings.Builder
	for _, e := range all {
		fmt.Fprintf(&out, "%9.1f ms  %s\n", float64(e.at.Sub(window.From))/float64(time.Millisecond), e.text)
	}
	return out.String()
}
