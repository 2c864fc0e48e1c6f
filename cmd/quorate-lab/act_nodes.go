package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"quorate/integration/lab"
)

func (s *show) drain(ctx context.Context) error {
	owner, err := s.bed.AwaitOwner(ctx, s.web, nil)
	if err != nil {
		return err
	}
	s.step("Maintenance on %s, which owns web: it is drained", owner.Name)
	s.typed(owner.Name, "quorate node drain "+owner.Name)
	from := lab.Now()
	if _, err := owner.Quorate(ctx, "node", "drain", owner.Name); err != nil {
		return err
	}
	took := lab.Since(from)
	next, err := s.bed.AwaitOwner(ctx, s.web, owner)
	if err != nil {
		return err
	}
	sum, err := s.over(ctx, from, took+time.Second)
	if err != nil {
		return err
	}
	s.within(3*time.Second, took, fmt.Sprintf("web moved from %s to %s and the command returned", owner.Name, next.Name))
	s.within(100*time.Millisecond, s.pings[s.web].Gap(sum.Window).Duration(), "longest silence of web, pinged every "+lab.Millis(s.pingEvery()))
	failed := s.load.Failures(sum.Window)
	only := s.onlyUnderWay(failed)
	s.promise(only, "the client: %s (promised: only those fail that are under way at that moment)", sum)
	if !only {
		s.tell(failed, from, "the command")
	}
	s.single(sum.Window)
	if err := s.tables(next, owner); err != nil {
		return err
	}
	s.typed(owner.Name, "quorate node resume "+owner.Name)
	_, err = owner.Quorate(ctx, "node", "resume", owner.Name)
	return err
}

// losePower is the loss of a machine.
func (s *show) losePower(ctx context.Context) error {
	owner, err := s.bed.AwaitOwner(ctx, s.web, nil)
	if err != nil {
		return err
	}
	leader, err := s.bed.Leader(ctx)
	if err != nil {
		return err
	}
	what := "which owns web"
	if leader == owner {
		what = "which owns web and leads the cluster"
	}
	s.step("The power of %s, %s, fails: link cut, all its processes killed", owner.Name, what)
	var others []netip.Addr
	for _, a := range []netip.Addr{s.api, s.six} {
		if d, err := s.bed.AwaitOwner(ctx, a, nil); err == nil && d != owner {
			others = append(others, a)
		}
	}
	from := lab.Now()
	if err := owner.PowerOff(); err != nil {
		return err
	}
	next, err := s.bed.AwaitOwner(ctx, s.web, owner)
	if err != nil {
		return err
	}
	moved := lab.Since(from)
	sum, err := s.over(ctx, from, moved+2*time.Second)
	if err != nil {
		return err
	}
	s.report.within(s.loss(), moved, "web is on "+next.Name)
	s.report.within(s.loss(), s.pings[s.web].Gap(sum.Window).Duration(), "longest silence of web, pinged every "+lab.Millis(s.pingEvery()))
	s.saw("the client: %s", sum)
	healed, err := s.over(ctx, from.Add(moved+s.slower(200*time.Millisecond)), time.Second)
	if err != nil {
		return err
	}
	s.promise(s.unnoticed(healed), "and then: %s", healed)
	for _, a := range others {
		s.within(100*time.Millisecond, s.pings[a].Gap(sum.Window).Duration(), fmt.Sprintf("longest silence of %s, which another node owns", a))
	}
	s.single(sum.Window)
	s.lost = owner
	return s.tables(next)
}

// comeBack switches the lost machine on again. Nothing has to move, so nothing does.
func (s *show) comeBack(ctx context.Context) error {
	s.step("%s is switched on again; its agent finds its data directory", s.lost.Name)
	owner, err := s.bed.AwaitOwner(ctx, s.web, nil)
	if err != nil {
		return err
	}
	from := lab.Now()
	if err := s.lost.Reboot(ctx); err != nil {
		return err
	}
	if err := s.bed.AwaitReady(ctx); err != nil {
		return err
	}
	back := lab.Since(from)
	sum, err := s.over(ctx, from, back+time.Second)
	if err != nil {
		return err
	}
	s.within(5*time.Second, back, s.lost.Name+" is ready to own VIPs")
	now, err := s.bed.AwaitOwner(ctx, s.web, nil)
	if err != nil {
		return err
	}
	s.promise(now == owner && s.unnoticed(sum), "web stays on %s; the client: %s", now.Name, sum)
	return nil
}

// account is the sum of it all.
func (s *show) account(ctx context.Context) error {
	s.step("The whole run, as the client and the bystander saw it")
	sum, err := s.over(ctx, s.began, lab.Since(s.began))
	if err != nil {
		return err
	}
	s.saw("%s", sum)
	s.saw("%s", s.strain.Longest(lab.Span{From: s.start, To: lab.Now()}))
	s.single(lab.Span{From: s.start, To: lab.Now()})
	return nil
}
