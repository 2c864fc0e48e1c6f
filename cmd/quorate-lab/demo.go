package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate/api"
	"quorate/integration/lab"
)

func demoCommand(find func() (string, error)) *cobra.Command {
	var dir string
	var keepLogs bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Form a cluster, balance traffic, break things, and print what a client notices",
		Long: `Form a cluster of three directors, balance 500 requests/s over two web servers, then stop a server, drain a node and cut a
machine's power. Every step prints what was measured and whether it was as promised. It ends by itself, in less than a
minute, with exit code 0 if all promises were kept.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			binary, err := find()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), demoLimit)
			defer cancel()
			return demo(ctx, cmd.OutOrStdout(), lab.BedOptions{Options: lab.Options{Dir: dir}, Binary: binary, Directors: 3, Servers: 2}, keepLogs)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "where to put data and logs while it runs (default the system's temporary directory)")
	cmd.Flags().BoolVar(&keepLogs, "logs", false, "print the agents' logs when something was not as promised")
	return cmd
}

const (
	demoLimit = 2 * time.Minute // after that something hangs
	rate      = 500             // of the client, requests per second
	timeout   = time.Second     // of each request
)

// demo runs the whole demo, and checks at the end that the machine is as it was.
func demo(ctx context.Context, out io.Writer, o lab.BedOptions, keepLogs bool) error {
	before, err := lab.TakeFootprint()
	if err != nil {
		return err
	}
	r := newReport(out)
	fmt.Fprintf(out, "quorate demo: three directors (n1, n2, n3), two web servers (w1, w2), a client and a bystander that\n"+
		"watches who answers for which address; each is a network namespace of this machine, on one bridge.\n")
	err = demoIn(ctx, r, o, keepLogs)

	r.step("Everything is removed")
	left, e := before.Compare(5 * time.Second)
	r.promise(e == nil && len(left) == 0, "this machine is as it was: interfaces, addresses, routes, rules, mounts, processes, files")
	for _, l := range left {
		r.saw("%s", l)
	}
	if err = errors.Join(err, e); err != nil {
		return err // something did not work at all
	}
	return r.verdict()
}

func demoIn(ctx context.Context, r *report, o lab.BedOptions, keepLogs bool) (err error) {
	bed, err := lab.NewBed(ctx, o)
	if err != nil {
		return err
	}
	defer func() {
		if keepLogs && (err != nil || len(r.broken) > 0) {
			fmt.Fprintf(r.out, "\n%s", bed.Logs())
		}
		err = errors.Join(err, bed.Close())
	}()
	s := &show{report: r, bed: bed, strain: bed.StartStrain(), web: lab.VIP(1).Addr(), api: lab.VIP(2).Addr(), six: lab.VIP6(1).Addr()}
	for _, act := range []func(context.Context) error{
		s.form, s.configure, s.steady, s.stopServer, s.killServer, s.drain, s.losePower, s.comeBack, s.account,
	} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return nil
}

// show is the state of a running demo.
type show struct {
	*report
	bed           *lab.Bed
	web, api, six netip.Addr // the VIPs

	began  lab.Instant // of the traffic
	load   *lab.Load
	pings  map[netip.Addr]*lab.Probe
	watch  *lab.Watch
	strain *lab.Strain
	lost   *lab.Director // whose power was cut
}

// form is what README's first page tells a user to do.
func (s *show) form(ctx context.Context) error {
	s.step("Three directors become a cluster")
	first := s.bed.Directors[0]
	for _, d := range s.bed.Directors {
		s.typed(d.Name, fmt.Sprintf("quorate agent --name %s --bind %s --data-dir … &", d.Name, d.Bind()))
	}
	from := lab.Now()
	if err := s.bed.Start(ctx); err != nil {
		return err
	}
	started := lab.Since(from)
	s.typed(first.Name, "quorate bootstrap")
	out, err := first.Quorate(ctx, "bootstrap")
	if err != nil {
		return err
	}
	join, err := lab.JoinCommand(out)
	if err != nil {
		return err
	}
	for _, d := range s.bed.Directors[1:] {
		s.typed(d.Name, fmt.Sprintf("quorate %s --token %.8s…", strings.Join(join[:2], " "), join[3]))
		if _, err := d.Quorate(ctx, join...); err != nil {
			return err
		}
	}
	if err := s.bed.AwaitReady(ctx); err != nil {
		return err
	}
	s.within(10*time.Second, lab.Since(from), "three voters that grant leases, each with a lease")
	s.saw("of that %s until the agents answered", lab.Millis(started))
	return nil
}

func (s *show) configure(ctx context.Context) error {
	s.step("VIPs and a service: one file for the whole cluster")
	var servers, servers6 []netip.AddrPort
	for i := range s.bed.Servers {
		a := s.bed.ServerAddr(i)
		servers = append(servers, a)
		servers6 = append(servers6, netip.AddrPortFrom(s.bed.Servers[i].Host().Prefixes[1].Addr(), a.Port()))
	}
	var c lab.Config
	c.VIP("web", lab.VIP(1)).VIP("api", lab.VIP(2)).VIP("web6", lab.VIP6(1)).Web("web", "web", servers...).Web("web6", "web6", servers6...)
	var err error
	vips := []netip.Addr{s.web, s.api, s.six}
	if s.watch, err = s.bed.Bystander.StartWatch(10*time.Millisecond, vips...); err != nil {
		return err
	}
	s.pings = map[netip.Addr]*lab.Probe{}
	for _, a := range vips {
		if s.pings[a], err = s.bed.Client.StartProbe(a, 2*time.Millisecond); err != nil {
			return err
		}
	}
	s.typed("n1", "quorate apply cluster.hcl")
	from := lab.Now()
	if _, err := s.bed.Directors[0].Apply(ctx, "cluster.hcl", c.String()); err != nil {
		return err
	}
	err = lab.Await(ctx, time.Millisecond, func(context.Context) error {
		for a, p := range s.pings {
			if !p.Answered(from) {
				return fmt.Errorf("%s does not answer", a)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.within(3*time.Second, lab.Since(from), "all VIPs answer pings")
	if err := s.serversIn(ctx, 2); err != nil {
		return err
	}
	s.within(5*time.Second, lab.Since(from), "both web servers in rotation")
	owners := map[netip.Addr]string{}
	for _, a := range vips {
		d, err := s.bed.AwaitOwner(ctx, a, nil)
		if err != nil {
			return err
		}
		owners[a] = d.Name
	}
	s.promise(owners[s.web] != owners[s.api], "the VIPs are on different nodes: web %s on %s, api %s on %s, web6 %s on %s",
		s.web, owners[s.web], s.api, owners[s.api], s.six, owners[s.six])
	return nil
}

// serversIn waits until the cluster has that many servers of service web in rotation.
func (s *show) serversIn(ctx context.Context, want int) error {
	return s.bed.AwaitStatus(ctx, fmt.Sprintf("%d servers in rotation", want), func(st api.Status) error {
		i := slices.IndexFunc(st.Services, func(x api.ServiceSummary) bool { return x.Name == "web" })
		if i < 0 {
			return errors.New("no service web")
		}
		if st.Services[i].In != want {
			return fmt.Errorf("%d of %d servers are in rotation", st.Services[i].In, st.Services[i].Servers)
		}
		return nil
	})
}

func (s *show) steady(ctx context.Context) error {
	s.step("A client sends %d requests/s to %s, each on a new connection", rate, s.web)
	load, err := s.bed.Client.StartLoad(ctx, netip.AddrPortFrom(s.web, 80), rate, timeout)
	if err != nil {
		return err
	}
	s.load, s.began = load, lab.Now()
	sum, err := s.over(ctx, s.began, 3*time.Second)
	if err != nil {
		return err
	}
	s.promise(sum.Failed == 0 && sum.Total >= 3*rate*9/10, "%s", sum)
	s.promise(len(sum.Servers) == 2 && 10*min(sum.Servers["w1"], sum.Servers["w2"]) > 4*sum.Total, "both servers share the work; median answer %s", lab.Millis(sum.Median))
	six, err := s.bed.Client.StartLoad(ctx, netip.AddrPortFrom(s.six, 80), 50, timeout)
	if err != nil {
		return err
	}
	from := lab.Now()
	if err := sleep(ctx, time.Second); err != nil {
		return err
	}
	to := lab.Now()
	if err := six.Settle(ctx); err != nil {
		return err
	}
	sum = six.Summary(lab.Span{From: from, To: to})
	s.promise(sum.Failed == 0 && sum.Total > 0, "and over IPv6, to %s: %s", s.six, sum)
	return six.Kill()
}

// over waits until a stretch that began at from is over, and returns what the client saw in it.
func (s *show) over(ctx context.Context, from lab.Instant, length time.Duration) (lab.Summary, error) {
	if err := sleep(ctx, length-lab.Since(from)); err != nil {
		return lab.Summary{}, err
	}
	to := max(from.Add(length), lab.Now())
	if err := s.load.Settle(ctx); err != nil {
		return lab.Summary{}, err
	}
	return s.load.Summary(lab.Span{From: from, To: to}), nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stopServer ends a web server as an init system does: it says so on its health page first.
func (s *show) stopServer(ctx context.Context) error {
	s.step("Web server w1 is stopped (SIGTERM: /healthz says 503, it serves on for 3 s, then ends)")
	w := s.bed.Servers[0]
	from := lab.Now()
	if err := w.Shutdown(); err != nil {
		return err
	}
	if err := s.serversIn(ctx, 1); err != nil {
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
	s.promise(sum.Failed == 0, "nobody else notices: %s", sum)
	return s.restore(ctx, 0)
}

// killServer ends a web server as a crash does: requests fail until the checks have seen it.
func (s *show) killServer(ctx context.Context) error {
	s.step("Web server w2 crashes (SIGKILL)")
	from := lab.Now()
	if err := s.bed.Servers[1].Kill(); err != nil {
		return err
	}
	if err := s.serversIn(ctx, 1); err != nil {
		return err
	}
	out := lab.Since(from)
	sum, err := s.over(ctx, from, out+300*time.Millisecond)
	if err != nil {
		return err
	}
	after, err := s.over(ctx, from.Add(out+300*time.Millisecond), time.Second)
	if err != nil {
		return err
	}
	s.within(2*time.Second, out, "w2 out of rotation")
	s.saw("until then %d of %d requests met it and failed at once (%s)", sum.Failed, sum.Total, sum.CommonError())
	s.promise(after.Failed == 0 && after.Servers["w2"] == 0, "from then on nobody notices: %s", after)
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
	if err := s.serversIn(ctx, 2); err != nil {
		return err
	}
	s.within(2*time.Second, lab.Since(from), old.Name+" started again and back in rotation")
	return nil
}

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
	s.within(100*time.Millisecond, s.pings[s.web].Gap(sum.Window).Duration(), "longest silence of web, pinged every 2 ms")
	s.promise(sum.Failed <= rate/50, "the client: %s (promised: only those fail that are under way at that moment)", sum)
	s.single(sum.Window)
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
	s.within(time.Second, moved, "web is on "+next.Name)
	s.within(time.Second, s.pings[s.web].Gap(sum.Window).Duration(), "longest silence of web, pinged every 2 ms")
	s.saw("the client: %s", sum)
	healed, err := s.over(ctx, from.Add(moved+200*time.Millisecond), time.Second)
	if err != nil {
		return err
	}
	s.promise(healed.Failed == 0, "and then: %s", healed)
	for _, a := range others {
		s.within(100*time.Millisecond, s.pings[a].Gap(sum.Window).Duration(), fmt.Sprintf("longest silence of %s, which another node owns", a))
	}
	s.single(sum.Window)
	s.lost = owner
	return nil
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
	s.promise(now == owner && sum.Failed == 0, "web stays on %s; the client: %s", now.Name, sum)
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

// single promises that no address had two owners in the window.
func (s *show) single(window lab.Span) {
	var dual time.Duration
	for _, a := range []netip.Addr{s.web, s.api, s.six} {
		dual += s.watch.Dual(a, window)
	}
	s.promise(dual == 0, "never did two hosts answer for one VIP: %s", lab.Millis(dual))
	if wait := s.strain.Longest(window); dual > 0 && wait.Length > 0 {
		s.saw("in that time %s: this machine is busy with other things", wait)
	}
}
