package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"quorate/integration/lab"
)

// legacy is two keepalived nodes with one VIP, a client that pings it, and a bystander.
type legacy struct {
	hosts  [2]*lab.Host
	client *lab.Host
	watch  *lab.Watch
}

const advert = time.Second // keepalived's default, and that of most installations

// keepalived measures the loss of the owner's machine with keepalived in the same kind of network.
func (b *bench) keepalived(ctx context.Context, o lab.Options, runs int) (err error) {
	if _, err := lab.FindKeepalived(); err != nil {
		b.say("keepalived is left out: %v", err)
		return nil
	}
	l, err := lab.New(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	k, err := newLegacy(ctx, l)
	if err != nil {
		return err
	}
	var all []measured
	for i := range runs {
		m, err := k.losePower(ctx)
		if err != nil {
			return fmt.Errorf("keepalived, repetition %d: %w", i+1, err)
		}
		b.say("keepalived power %d/%d: silent for %s, %d pings lost, two owners for %s", i+1, runs, lab.Millis(m.gap), m.lost, lab.Millis(m.dual))
		all = append(all, m)
	}
	return b.emit(row{System: "keepalived", Setting: "advert " + advert.String(), Scenario: "power"}.of(all))
}

func newLegacy(ctx context.Context, l *lab.Lab) (*legacy, error) {
	k := &legacy{}
	for i := range k.hosts {
		h, err := l.AddHost(fmt.Sprintf("k%d", i+1), lab.HostPrefixes(11+i)...)
		if err != nil {
			return nil, err
		}
		k.hosts[i] = h
		if err := k.start(ctx, i); err != nil {
			return nil, err
		}
	}
	var err error
	if k.client, err = l.AddHost("client", lab.HostPrefixes(90)...); err != nil {
		return nil, err
	}
	bystander, err := l.AddHost("bystander", lab.HostPrefixes(99)...)
	if err != nil {
		return nil, err
	}
	k.watch, err = bystander.StartWatch(5*time.Millisecond, lab.VIP(1).Addr())
	return k, err
}

func (k *legacy) start(ctx context.Context, i int) error {
	_, err := k.hosts[i].StartKeepalived(ctx, lab.KeepalivedOptions{VIP: lab.VIP(1), Priority: 100 - i, Advert: advert})
	return err
}

func (k *legacy) losePower(ctx context.Context) (measured, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	vip := lab.VIP(1).Addr()
	ping, err := k.client.StartProbe(vip, 2*time.Millisecond)
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
	victim := -1
	for i, h := range k.hosts {
		if has, err := h.Carries(vip); err == nil && has {
			victim = i
		}
	}
	if victim < 0 {
		return measured{}, errors.New("no host carries the VIP")
	}
	if err := sleep(ctx, 200*time.Millisecond); err != nil {
		return measured{}, err
	}
	from := lab.Now()
	if err := k.hosts[victim].PowerOff(); err != nil {
		return measured{}, err
	}
	if err := answers(); err != nil {
		return measured{}, err
	}
	if err := sleep(ctx, 2*time.Second); err != nil {
		return measured{}, err
	}
	window := lab.Span{From: from, To: lab.Now()}
	m := measured{gap: ping.Gap(window).Duration(), lost: ping.Lost(window), failed: -1, dual: k.watch.Dual(vip, window)}
	if err := k.hosts[victim].PowerOn(); err != nil {
		return m, err
	}
	return m, k.start(ctx, victim)
}
