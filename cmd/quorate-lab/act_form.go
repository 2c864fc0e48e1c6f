package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"quorate/fsm"
	"quorate/integration/lab"
)

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
	if s.profile != string(fsm.LAN) { // which the others shall have from the start
		s.typed(first.Name, fmt.Sprintf("quorate apply settings.hcl    # profile = %q", s.profile))
		if _, err := first.Apply(ctx, "settings.hcl", new(lab.Config).Settings(s.settings()...).String()); err != nil {
			return err
		}
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
	c := lab.Config{CheckInterval: s.checkEvery()}
	web := c.Web
	if s.direct() {
		web = c.DirectWeb
	}
	c.Settings(s.settings()...).VIP("web", lab.VIP(1)).VIP("api", lab.VIP(2)).VIP("web6", lab.VIP6(1))
	web("web", "web", servers...)
	web("web6", "web6", servers6...)
	var err error
	vips := []netip.Addr{s.web, s.api, s.six}
	if s.watch, err = s.bed.Bystander.StartWatch(s.rarer(10*time.Millisecond), vips...); err != nil {
		return err
	}
	s.pings = map[netip.Addr]*lab.Probe{}
	for _, a := range vips {
		if s.pings[a], err = s.bed.Client.StartProbe(a, s.pingEvery()); err != nil {
			return err
		}
	}
	s.typed("n1", "quorate apply cluster.hcl")
	from := lab.Now()
	if _, err := s.bed.Directors[0].Apply(ctx, "cluster.hcl", c.String()); err != nil {
		return err
	}
	err = lab.Await(ctx, s.pingEvery(), func(context.Context) error {
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
	for _, service := range []string{"web", "web6"} {
		if err := s.bed.AwaitServers(ctx, service, 2); err != nil {
			return err
		}
	}
	s.within(5*time.Second, lab.Since(from), "both web servers in rotation, for both services")
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
