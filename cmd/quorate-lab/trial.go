package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"quorate/integration/lab"
)

// trial is a cluster with traffic through one VIP, on which scenarios are repeated.
type trial struct {
	bed   *lab.Bed
	vip   netip.Addr
	load  *lab.Load
	watch *lab.Watch
	wire  *lab.Capture
	spare *lab.Director
}

func newTrial(ctx context.Context, bed *lab.Bed, profile string) (*trial, error) {
	t := &trial{bed: bed, vip: lab.VIP(1).Addr()}
	if err := bed.Form(ctx); err != nil {
		return nil, err
	}
	var c lab.Config
	c.Settings(fmt.Sprintf("profile = %q", profile)).VIP("web", lab.VIP(1)).Web("web", "web", bed.ServerAddr(0), bed.ServerAddr(1)).
		Echo("echo", "web", bed.ServerAddr(0), bed.ServerAddr(1))
	if _, err := bed.Directors[0].Apply(ctx, "cluster.hcl", c.String()); err != nil {
		return nil, err
	}
	if _, err := bed.AwaitOwner(ctx, t.vip, nil); err != nil {
		return nil, err
	}
	if err := bed.AwaitServers(ctx, "web", 2); err != nil {
		return nil, err
	}
	var err error
	if t.spare, err = bed.AddDirector("", "spare", lab.HostPrefixes(80)...); err != nil {
		return nil, err
	}
	if err := t.offer(ctx); err != nil {
		return nil, err
	}
	if t.wire, err = bed.StartCapture(t.vip); err != nil {
		return nil, err
	}
	t.watch, err = bed.Bystander.StartWatch(5*time.Millisecond, t.vip)
	return t, err
}

// offer starts the client's requests.
func (t *trial) offer(ctx context.Context) (err error) {
	t.load, err = t.bed.Client.StartLoad(ctx, netip.AddrPortFrom(t.vip, 80), rate, timeout)
	return err
}

// pause ends the requests and the agents, so that another system has the machine for itself.
func (t *trial) pause() error {
	errs := []error{t.load.Kill()}
	for _, d := range t.bed.Directors {
		errs = append(errs, d.Kill())
	}
	return errors.Join(errs...)
}

// resume goes on after a pause.
func (t *trial) resume(ctx context.Context) error {
	if err := t.bed.Start(ctx); err != nil {
		return err
	}
	if err := t.bed.AwaitReady(ctx); err != nil {
		return err
	}
	if err := t.bed.AwaitServers(ctx, "web", 2); err != nil {
		return err
	}
	return t.offer(ctx)
}

// once lets one thing be lost, measures for a while after the address answers again, and mends it.
func (t *trial) once(ctx context.Context, s scenario) (measured, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := t.calm(ctx); err != nil {
		return measured{}, err
	}
	victim, err := s.victim(ctx, t)
	if err != nil {
		return measured{}, err
	}
	before, err := t.bed.AwaitOwner(ctx, t.vip, nil)
	if err != nil {
		return measured{}, err
	}
	known, err := timeline(ctx, t.bed)
	if err != nil {
		return measured{}, err
	}
	ping, err := t.bed.Client.StartProbe(t.vip, pingEvery)
	if err != nil {
		return measured{}, err
	}
	defer ping.Close()
	var echo *lab.Probe
	if s.balanced {
		if echo, err = t.bed.Client.StartDatagramProbe(netip.AddrPortFrom(t.vip, 7), pingEvery); err != nil {
			return measured{}, err
		}
		defer echo.Close()
	}
	if err := lab.Sleep(ctx, 200*time.Millisecond); err != nil {
		return measured{}, err
	}
	from := lab.Now()
	if err := s.strike(ctx, victim); err != nil {
		return measured{}, err
	}
	if s.moves {
		if err := t.moved(ctx, before); err != nil {
			return measured{}, err
		}
	}
	answered := lab.Now()
	if err := lab.Await(ctx, time.Millisecond, func(context.Context) error { return unless(ping.Answered(answered), "no ping answered") }); err != nil {
		return measured{}, err
	}
	if _, err := t.bed.AwaitOwner(ctx, t.vip, nil); err != nil {
		return measured{}, err
	}
	if err := lab.Sleep(ctx, s.lasts()); err != nil {
		return measured{}, err
	}
	window := lab.Span{From: from, To: lab.Now()}
	if err := t.load.Settle(ctx); err != nil {
		return measured{}, err
	}
	m := measured{
		gap: ping.Gap(window).Duration(), sent: ping.Sent(window), lost: ping.Lost(window), failed: t.load.Summary(window).Failed,
	}
	if echo != nil {
		m.asked, m.unanswered = echo.Sent(window), echo.Lost(window)
	}
	var hosts []string
	for _, d := range t.bed.Directors {
		hosts = append(hosts, d.Name)
	}
	told, err := timeline(ctx, t.bed)
	if err != nil {
		return m, err
	}
	m.events = since(told, latest(known))
	m.owners = lab.Decided(m.events, "web", before.Name)
	if err := m.overlap(t.wire, t.vip, window, m.owners, s.grace, hosts...); err != nil {
		return m, err
	}
	t.wire.Forget(window.To)
	return m, s.mend(ctx, victim)
}

// pingEvery makes a thousand pings, or datagrams, a second.
const pingEvery = time.Millisecond

// moved waits until another host than before has been the only one to answer for the address for 50 ms: a host whose
// agent died may go on carrying it for a while.
func (t *trial) moved(ctx context.Context, before *lab.Director) error {
	// Now and then is enough, and looks at little: this machine's processors are the nodes', too.
	return lab.Await(ctx, 10*time.Millisecond, func(context.Context) error {
		fresh := false
		for _, c := range t.watch.ClaimsSince(t.vip, lab.Now().Add(-50*time.Millisecond)) {
			if c.Host == before.Name {
				return fmt.Errorf("%s still answers for %s", before.Name, t.vip)
			}
			fresh = true
		}
		return unless(fresh, "nobody answers for "+t.vip.String())
	})
}

func unless(ok bool, problem string) error {
	if ok {
		return nil
	}
	return errors.New(problem)
}

// calm waits until the cluster is whole and the last second was without a failed request.
func (t *trial) calm(ctx context.Context) error {
	if err := t.bed.AwaitReady(ctx); err != nil {
		return err
	}
	return lab.Await(ctx, 100*time.Millisecond, func(context.Context) error {
		to := lab.Now().Add(-t.load.Timeout)
		sum := t.load.Summary(lab.Span{From: to.Add(-time.Second), To: to})
		return unless(sum.Failed == 0 && sum.Total > rate*9/10, "the client still sees failures: "+sum.String())
	})
}
