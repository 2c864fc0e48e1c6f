package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"time"

	moby "github.com/moby/ipvs"
	"golang.org/x/sys/unix"

	"quorate/integration/lab"
	"quorate/lvs"
	"quorate/lvs/ipvs"
	"quorate/lvs/lvstest"
)

// filler programs an empty IPVS with a whole table, and empties it again.
type filler struct {
	name string
	fill func(ctx context.Context, table []lvs.Service) (time.Duration, error)
}

// contendersFor are those that this machine has, each on a host of its own.
func contendersFor(ctx context.Context, bed *lab.Bed) ([]filler, error) {
	host := func(name string, n int) (*lab.Host, error) { return bed.AddHost(name, lab.HostPrefixes(n)...) }
	own, err := host("own", 81)
	if err != nil {
		return nil, err
	}
	adm, err := host("adm", 82)
	if err != nil {
		return nil, err
	}
	calls, err := host("calls", 83)
	if err != nil {
		return nil, err
	}
	return []filler{
		{"quorate", func(_ context.Context, table []lvs.Service) (time.Duration, error) { return fillOwn(own, table) }},
		{"ipvsadm --restore", func(ctx context.Context, table []lvs.Service) (time.Duration, error) {
			return fillIpvsadm(ctx, adm, table)
		}},
		{"moby/ipvs", func(_ context.Context, table []lvs.Service) (time.Duration, error) { return fillCalls(calls, table) }},
	}, nil
}

// fillOwn lets the plane do it, with a look before.
func fillOwn(h *lab.Host, table []lvs.Service) (took time.Duration, err error) {
	err = h.Do(func() error {
		p, err := ipvs.New()
		if err != nil {
			return err
		}
		defer p.Close()
		scope := lvs.Scope{Addrs: []netip.Addr{lvstest.VIP4}}
		began := time.Now()
		_, err = p.Update(scope, table)
		took = time.Since(began)
		_, e := p.Update(scope, nil)
		return errors.Join(err, e)
	})
	return took, err
}

// fillIpvsadm lets ipvsadm do it, with the start of the program, which is how it is used.
func fillIpvsadm(ctx context.Context, h *lab.Host, table []lvs.Service) (took time.Duration, err error) {
	path, err := exec.LookPath("/sbin/ipvsadm")
	if err != nil {
		return 0, fmt.Errorf("ipvsadm is not installed: apt-get install ipvsadm: %w", err)
	}
	var text strings.Builder
	for _, s := range table {
		service := netip.AddrPortFrom(s.Addr, s.Port)
		fmt.Fprintf(&text, "-A -t %s -s %s\n", service, s.Scheduler)
		for _, d := range s.Destinations {
			fmt.Fprintf(&text, "-a -t %s -r %s -m -w %d\n", service, d.Addr, d.Weight)
		}
	}
	run := func(in string, args ...string) error {
		cmd := exec.CommandContext(ctx, path, args...)
		cmd.Stdin = strings.NewReader(in)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("ipvsadm %s: %w: %s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	err = h.Do(func() error {
		began := time.Now()
		err := run(text.String(), "--restore")
		took = time.Since(began)
		return errors.Join(err, run("", "--clear"))
	})
	return took, err
}

// fillCalls makes one netlink call for each service and each server, as moby/ipvs has it.
func fillCalls(h *lab.Host, table []lvs.Service) (took time.Duration, err error) {
	err = h.Do(func() error {
		handle, err := moby.New("")
		if err != nil {
			return err
		}
		defer handle.Close()
		began := time.Now()
		for _, s := range table {
			svc := mobyService(s)
			if err := handle.NewService(svc); err != nil {
				return err
			}
			for _, d := range s.Destinations {
				err := handle.NewDestination(svc, &moby.Destination{Address: net.IP(d.Addr.Addr().AsSlice()), Port: d.Addr.Port(), Weight: d.Weight, AddressFamily: unix.AF_INET})
				if err != nil {
					return err
				}
			}
		}
		took = time.Since(began)
		return handle.Flush()
	})
	return took, err
}

func mobyService(s lvs.Service) *moby.Service {
	return &moby.Service{Address: net.IP(s.Addr.AsSlice()), Protocol: unix.IPPROTO_TCP, Port: s.Port, SchedName: s.Scheduler, AddressFamily: unix.AF_INET, Netmask: 0xffffffff}
}
