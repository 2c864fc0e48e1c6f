package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"quorate/integration/lab"
)

// usualAdverts are the intervals that keepalived is measured with: its default and that of most installations, one that its users go
// down to, and the shortest that it offers.
func usualAdverts() []time.Duration {
	return []time.Duration{time.Second, 100 * time.Millisecond, 10 * time.Millisecond}
}

// legacy is two keepalived nodes with one VIP, in the network and before the client of a bed.
type legacy struct {
	hosts   [2]*lab.Host
	running [2]*lab.Keepalived
	client  *lab.Host
	wire    *lab.Capture
}

// legacyScenario is a way to lose the owner, as for quorate.
type legacyScenario struct {
	name   string
	strike func(*lab.Host, *lab.Keepalived) error
	grace  time.Duration
	long   bool
}

// legacyScenarios have the names of quorate's that they are compared with.
var legacyScenarios = []legacyScenario{
	{"planned", func(_ *lab.Host, k *lab.Keepalived) error { return k.Signal(syscall.SIGTERM) }, handOver, true},
	{"kill", func(h *lab.Host, _ *lab.Keepalived) error { return h.KillAll() }, 0, false},
	{"power", func(h *lab.Host, _ *lab.Keepalived) error { return h.PowerOff() }, 0, false},
}

// legacyNamed are those that keepalived has of the scenarios with these names.
func legacyNamed(names []string) []legacyScenario {
	return slices.DeleteFunc(slices.Clone(legacyScenarios), func(s legacyScenario) bool { return !slices.Contains(names, s.name) })
}

// legacyVIP is the address of the keepalived nodes.
var legacyVIP = lab.VIP(50)

// keepalivedOn is two nodes of keepalived in the same network as quorate, before the same client.
func keepalivedOn(ctx context.Context, bed *lab.Bed, version string, adverts []time.Duration, chosen []legacyScenario) (*contender, error) {
	k := &legacy{client: bed.Client}
	var err error
	for i := range k.hosts {
		if k.hosts[i], err = bed.AddHost(fmt.Sprintf("k%d", i+1), lab.HostPrefixes(31+i)...); err != nil {
			return nil, err
		}
	}
	if k.wire, err = bed.StartCapture(legacyVIP.Addr()); err != nil {
		return nil, err
	}
	// Somebody asks who has it, as for quorate: whoever answers is seen.
	if _, err := bed.Bystander.StartWatch(5*time.Millisecond, legacyVIP.Addr()); err != nil {
		return nil, err
	}
	c := &contender{name: "keepalived", resume: func(context.Context) error { return nil }, pause: k.off}
	for _, advert := range adverts {
		for _, s := range chosen {
			c.series = append(c.series, &series{
				row:  row{System: "keepalived", Version: version, Setting: "advert " + advert.String(), Scenario: s.name},
				once: func(ctx context.Context) (measured, error) { return k.once(ctx, s, advert) },
			})
		}
	}
	return c, nil
}

// off cuts the power of both nodes, of which the scenario may have left one without.
func (k *legacy) off() error {
	var errs []error
	for _, h := range k.hosts {
		errs = append(errs, h.PowerOn(), h.PowerOff())
	}
	return errors.Join(errs...)
}

// fresh makes both nodes run, with their kernels as after a start, and waits until one of them has the VIP.
func (k *legacy) fresh(ctx context.Context, advert time.Duration) error {
	for i, h := range k.hosts {
		_ = h.PowerOff() // fails if it is off
		if err := h.PowerOn(); err != nil {
			return err
		}
		var err error
		o := lab.KeepalivedOptions{Instances: lab.KeepalivedVIP(legacyVIP, 100-i, advert)}
		if k.running[i], err = h.StartKeepalived(ctx, o); err != nil {
			return err
		}
	}
	_, err := k.awaitOwner(ctx)
	return err
}

// awaitOwner waits until one host alone carries the VIP, and returns its index.
func (k *legacy) awaitOwner(ctx context.Context) (at int, err error) {
	err = lab.Await(ctx, 5*time.Millisecond, func(context.Context) (err error) {
		at, err = k.owner()
		return err
	})
	return at, err
}

// owner is the index of the only host that carries the VIP.
func (k *legacy) owner() (int, error) {
	at := -1
	for i, h := range k.hosts {
		if has, err := h.Carries(legacyVIP.Addr()); err != nil || has && at >= 0 {
			return 0, errors.Join(err, errors.New("the VIP is not on one host"))
		} else if has {
			at = i
		}
	}
	return at, unless(at >= 0, "no host carries the VIP")
}

func (k *legacy) once(ctx context.Context, s legacyScenario, advert time.Duration) (measured, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := k.fresh(ctx, advert); err != nil {
		return measured{}, err
	}
	vip := legacyVIP.Addr()
	ping, err := k.client.StartProbe(vip, pingEvery)
	if err != nil {
		return measured{}, err
	}
	defer ping.Close()
	answers := func() error {
		now := lab.Now()
		return lab.Await(ctx, time.Millisecond, func(context.Context) error { return unless(ping.Answered(now), "no ping answered") })
	}
	if err := answers(); err != nil {
		return measured{}, err
	}
	// The burst of announcements of the start, and the other's first adverts, are over then.
	if err := lab.Sleep(ctx, max(500*time.Millisecond, 2*advert)); err != nil {
		return measured{}, err
	}
	victim, err := k.awaitOwner(ctx) // at the start both may have been masters for a moment
	if err != nil {
		return measured{}, err
	}
	old, heir := k.hosts[victim], k.hosts[1-victim]
	from := lab.Now()
	if err := s.strike(old, k.running[victim]); err != nil {
		return measured{}, err
	}
	err = lab.Await(ctx, time.Millisecond, func(context.Context) error {
		claims := k.wire.Frames(vip, lab.Span{From: from, To: lab.Now()}, heir.Name)
		return unless(len(claims) > 0, heir.Name+" does not speak for the VIP")
	})
	if err != nil {
		return measured{}, err
	}
	if err := answers(); err != nil {
		return measured{}, err
	}
	if err := lab.Sleep(ctx, scenario{long: s.long}.lasts()); err != nil {
		return measured{}, err
	}
	window := lab.Span{From: from, To: lab.Now()}
	m := measured{gap: ping.Gap(window).Duration(), sent: ping.Sent(window), lost: ping.Lost(window), failed: -1}
	err = m.overlap(k.wire, vip, window, []string{old.Name, heir.Name}, s.grace, old.Name, heir.Name)
	k.wire.Forget(window.To)
	return m, err
}
