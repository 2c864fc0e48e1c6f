package matrix

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"quorate/integration/lab"
)

// Many is a cluster of three with many VIPs, all of one group and so on one node.
type Many struct {
	Bed     *lab.Bed
	Addrs   []netip.Addr
	capture *lab.Capture
}

// manyVIPs is where the addresses lie: VIPs from 10.77.0.1 on, hosts at the end.
var manyVIPs = netip.MustParsePrefix("10.77.0.0/16")

// pinged is how many of the addresses the client pings, each every 10 ms.
const pinged = 20

// NewMany forms the cluster and waits until it carries all of n addresses (at most 5000).
func NewMany(ctx context.Context, o Options, n int) (*Many, error) {
	if n < pinged || n > 5000 {
		return nil, fmt.Errorf("%d VIPs: want %d to 5000", n, pinged)
	}
	bed, err := lab.NewBed(ctx, lab.BedOptions{Options: o.Options, Binary: o.Binary, Directors: 3})
	if err != nil {
		return nil, err
	}
	m := &Many{Bed: bed}
	if err := m.build(ctx, n); err != nil {
		return nil, errors.Join(err, bed.Close())
	}
	return m, nil
}

func (m *Many) build(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	base := manyVIPs.Addr().As4()
	at := func(i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{base[0], base[1], byte(i >> 8), byte(i)}), manyVIPs.Bits())
	}
	for i, h := range m.Bed.Hosts() {
		if err := h.AddAddress(at(0xff00 + i + 1)); err != nil {
			return err
		}
	}
	c := new(lab.Config).Group("all")
	for i := range n {
		p := at(i + 1)
		m.Addrs = append(m.Addrs, p.Addr())
		c.VIP(fmt.Sprintf("v%04d", i+1), p, `group = "all"`)
	}
	var err error
	if m.capture, err = m.Bed.StartCapture(m.Addrs...); err != nil {
		return err
	}
	if err := m.Bed.Form(ctx); err != nil {
		return err
	}
	if _, err := m.Bed.Directors[0].Apply(ctx, "cluster.hcl", c.String()); err != nil {
		return err
	}
	_, err = m.owner(ctx, nil)
	return err
}

// owner waits until one director, another one than not, carries all addresses, and nobody else any.
func (m *Many) owner(ctx context.Context, not *lab.Director) (*lab.Director, error) {
	var owner *lab.Director
	err := lab.Await(ctx, 10*time.Millisecond, func(context.Context) error {
		owner = nil
		for _, d := range m.Bed.Directors {
			has, err := d.Addresses()
			if err != nil {
				continue // without power
			}
			n := 0
			for _, p := range has {
				if a := p.Addr(); manyVIPs.Contains(a) && a.Less(netip.AddrFrom4([4]byte{10, 77, 0xff, 0})) {
					n++
				}
			}
			switch {
			case n == 0:
			case n < len(m.Addrs) || owner != nil || d == not:
				return fmt.Errorf("%s carries %d of %d addresses", d.Name, n, len(m.Addrs))
			default:
				owner = d
			}
		}
		if owner == nil {
			return errors.New("nobody carries the addresses")
		}
		return nil
	})
	return owner, err
}

// Spread is how long after a loss the addresses were served elsewhere: the new owner's first frame about each.
type Spread struct {
	From, To           string
	First, Median, All time.Duration
	Gap                time.Duration // the longest silence of any address that was pinged
	Lost               int           // pings, of all those addresses
	Dual               time.Duration // longest time from the new owner's first frame about an address to the old one's last
}

// String is a line for a person.
func (s Spread) String() string {
	return fmt.Sprintf("%s → %s: the first address after %s, half of them %s, all %s; silent for %s, %d pings lost, two owners for %s", s.From, s.To,
		lab.Millis(s.First), lab.Millis(s.Median), lab.Millis(s.All), lab.Millis(s.Gap), s.Lost, lab.Millis(s.Dual))
}

// Power cuts the owner's power, and mends it.
func (m *Many) Power(ctx context.Context) (Spread, error) {
	return m.lose(ctx, 0, func(_ context.Context, d *lab.Director) error { return d.PowerOff() },
		func(ctx context.Context, d *lab.Director) error { return d.Reboot(ctx) })
}

// Drain drains the owner, and ends that.
func (m *Many) Drain(ctx context.Context) (Spread, error) {
	drain := func(verb string) func(context.Context, *lab.Director) error {
		return func(ctx context.Context, d *lab.Director) error {
			_, err := d.Quorate(ctx, "node", verb, d.Name)
			return err
		}
	}
	return m.lose(ctx, linger, drain("drain"), drain("resume"))
}

func (m *Many) lose(ctx context.Context, grace time.Duration, strike, mend func(context.Context, *lab.Director) error) (Spread, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	if err := m.Bed.AwaitReady(ctx); err != nil {
		return Spread{}, err
	}
	old, err := m.owner(ctx, nil)
	if err != nil {
		return Spread{}, err
	}
	pings, err := m.ping(ctx)
	for _, p := range pings {
		defer p.Close()
	}
	if err != nil {
		return Spread{}, err
	}
	from := lab.Now()
	if err := strike(ctx, old); err != nil {
		return Spread{}, err
	}
	heir, err := m.owner(ctx, old)
	if err != nil {
		return Spread{}, err
	}
	now := lab.Now()
	for _, p := range pings {
		if err := answers(ctx, p, now); err != nil {
			return Spread{}, err
		}
	}
	if err := lab.Sleep(ctx, 2*time.Second); err != nil {
		return Spread{}, err
	}
	window := lab.Span{From: from, To: lab.Now()}
	s, err := m.spread(window, old, heir, grace)
	if err != nil {
		return s, err
	}
	for _, p := range pings {
		s.Gap = max(s.Gap, p.Gap(window).Duration())
		s.Lost += p.Lost(lab.Span{From: from, To: window.To.Add(-20 * time.Millisecond)})
	}
	m.capture.Forget(window.To)
	return s, mend(ctx, old)
}

// ping pings some of the addresses, evenly among all, once each of them answers.
func (m *Many) ping(ctx context.Context) ([]*lab.Probe, error) {
	var out []*lab.Probe
	for i := range pinged {
		p, err := m.Bed.Client.StartProbe(m.Addrs[i*(len(m.Addrs)-1)/(pinged-1)], 10*time.Millisecond)
		if err != nil {
			return out, err
		}
		out = append(out, p)
	}
	for _, p := range out {
		if err := answers(ctx, p, 0); err != nil {
			return out, err
		}
	}
	return out, lab.Sleep(ctx, startUp)
}

// spread reads the capture.
func (m *Many) spread(window lab.Span, old, heir *lab.Director, grace time.Duration) (Spread, error) {
	s := Spread{From: old.Name, To: heir.Name}
	var served []time.Duration
	for _, a := range m.Addrs {
		frames := m.capture.Frames(a, window, heir.Name)
		if len(frames) == 0 {
			return s, fmt.Errorf("%s never spoke for %s", heir.Name, a)
		}
		served = append(served, frames[0].At.Sub(window.From))
		o := m.capture.Overlap(a, window, m.claimants(a, window, old), grace, names(m.Bed.Directors)...)
		s.Dual = max(s.Dual, o.Lasted)
	}
	slices.Sort(served)
	s.First, s.Median, s.All = served[0], median(served), served[len(served)-1]
	return s, m.capture.Err()
}

// claimants are those who claimed the address, in the order of their first claims, the owner at the beginning first. So an earlier
// one that claims it again is found; the timeline has no room for every move of so many.
func (m *Many) claimants(a netip.Addr, window lab.Span, first *lab.Director) []string {
	out := []string{first.Name}
	for _, f := range m.capture.Frames(a, window, names(m.Bed.Directors)...) {
		if f.Kind.Claims() && !slices.Contains(out, f.Host) {
			out = append(out, f.Host)
		}
	}
	return out
}
