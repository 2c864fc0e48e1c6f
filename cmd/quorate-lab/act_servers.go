package main

import (
	"context"
	"net/netip"
	"time"

	"quorate/integration/lab"
)

func (s *show) steady(ctx context.Context) error {
	s.step("A client sends %d requests/s to %s, each on a new connection", s.rate, s.web)
	load, err := s.bed.Client.StartLoad(ctx, netip.AddrPortFrom(s.web, 80), s.rate, timeout)
	if err != nil {
		return err
	}
	s.load, s.began = load, lab.Now()
	sum, err := s.over(ctx, s.began, 3*time.Second)
	if err != nil {
		return err
	}
	s.promise(s.unnoticed(sum) && sum.Total >= 3*s.rate*9/10, "%s", sum)
	s.promise(len(sum.Servers) == 2 && 10*min(sum.Servers["w1"], sum.Servers["w2"]) > 4*sum.Total, "both servers share the work; median answer %s", lab.Millis(sum.Median))
	six, err := s.bed.Client.StartLoad(ctx, netip.AddrPortFrom(s.six, 80), min(50, s.rate), timeout)
	if err != nil {
		return err
	}
	from := lab.Now()
	if err := lab.Sleep(ctx, time.Second); err != nil {
		return err
	}
	to := lab.Now()
	if err := six.Settle(ctx); err != nil {
		return err
	}
	sum = six.Summary(lab.Span{From: from, To: to})
	s.promise(s.unnoticed(sum) && sum.Total > 0, "and over IPv6, to %s: %s", s.six, sum)
	return six.Kill()
}

// stopServer ends a web server as an init system does: it says so on its health page first.
func (s *show) stopServer(ctx context.Context) error {
	s.step("Web server w1 is stopped (SIGTERM: /healthz says 503, it serves on for 3 s, then ends)")
	w := s.bed.Servers[0]
	from := lab.Now()
	if err := w.Shutdown(); err != nil {
		return err
	}
	if err := s.awaitServers(ctx, 1); err != nil {
		return err
	}
	out := lab.Since(from)
	if err := w.Wait(ctx); err != nil {
		return err
	}
	sum, err := s.over(ctx, from, lab.Since(from)+500*time.Millisecond)
	if err != nil {
		return err
	}
	s.within(2*time.Second, out, "w1 out of rotation")
	s.promise(s.unnoticed(sum), "nobody else notices: %s", sum)
	return s.restore(ctx, 0)
}

// killServer ends a web server as a crash does: requests fail until the checks have seen it.
func (s *show) killServer(ctx context.Context) error {
	s.step("Web server w2 crashes (SIGKILL)")
	from := lab.Now()
	if err := s.bed.Servers[1].Kill(); err != nil {
		return err
	}
	if err := s.awaitServers(ctx, 1); err != nil {
		return err
	}
	out := lab.Since(from)
	sum, err := s.over(ctx, from, out+s.slower(300*time.Millisecond))
	if err != nil {
		return err
	}
	after, err := s.over(ctx, from.Add(out+s.slower(300*time.Millisecond)), time.Second)
	if err != nil {
		return err
	}
	s.within(2*time.Second, out, "w2 out of rotation")
	s.saw("until then %d of %d requests met it and failed at once (%s)", sum.Failed, sum.Total, sum.CommonError())
	s.promise(s.unnoticed(after) && after.Servers["w2"] == 0, "from then on nobody notices: %s", after)
	if !s.unnoticed(after) {
		s.tell(s.load.Failures(after.Window), from, "the crash")
	}
	return s.restore(ctx, 1)
}

// restore starts a web server again and waits until it gets traffic.
func (s *show) restore(ctx context.Context, n int) error {
	old := s.bed.Servers[n]
	from := lab.Now()
	w, err := old.Host().ServeWeb(ctx, old.Name, s.bed.ServerAddr(n).Port())
	if err != nil {
		return err
	}
	s.bed.Servers[n] = w
	if err := s.awaitServers(ctx, 2); err != nil {
		return err
	}
	s.within(2*time.Second, lab.Since(from), old.Name+" started again and back in rotation")
	return nil
}
