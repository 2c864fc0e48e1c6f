package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Bed is the network that the demo, the benchmarks and the tests use: directors n1, n2 …, web servers w1, w2 …, a client
// and a bystander, all on 192.0.2.0/24 and 2001:db8::/64. See [VIP] for the addresses that are free for VIPs.
type Bed struct {
	*Lab
	Directors []*Director
	Servers   []*WebServer
	Client    *Host
	Bystander *Host
	profile   string
}

// BedOptions say how big a bed is.
type BedOptions struct {
	Options
	Binary    string // of quorate
	Directors int    // at most 9
	Servers   int    // at most 9
	Profile   string // that Form begins the cluster with; "" = the program's default
	// Direct are VIPs that the web servers have themselves, for services with direct routing. That cannot change a
	// connection's port, so they listen on port 80 then instead of 8080.
	Direct []netip.Addr
}

// VIP is the n-th IPv4 address for a VIP, counted from 1 to 100.
func VIP(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(100 + n)}), 24)
}

// VIP6 is the n-th IPv6 address for a VIP, counted from 1 to 100.
func VIP6(n int) netip.Prefix {
	return netip.MustParsePrefix(fmt.Sprintf("2001:db8::%d/64", 100+n))
}

// HostPrefixes are the addresses of the host whose number in the network is n.
func HostPrefixes(n int) []netip.Prefix {
	return []netip.Prefix{
		netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), 24),
		netip.MustParsePrefix(fmt.Sprintf("2001:db8::%d/64", n)),
	}
}

// NewBed makes the hosts and starts the web servers. The directors' agents are not started: see [Bed.Form].
func NewBed(ctx context.Context, o BedOptions) (*Bed, error) {
	l, err := New(ctx, o.Options)
	if err != nil {
		return nil, err
	}
	b := &Bed{Lab: l, profile: o.Profile}
	if err := b.populate(ctx, o); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return b, nil
}

func (b *Bed) populate(ctx context.Context, o BedOptions) error {
	if o.Directors > 9 || o.Servers > 9 {
		return fmt.Errorf("a bed of %d directors and %d servers: want at most 9 of each", o.Directors, o.Servers)
	}
	for i := range o.Directors {
		d, err := b.AddDirector(o.Binary, fmt.Sprintf("n%d", i+1), HostPrefixes(11+i)...)
		if err != nil {
			return err
		}
		b.Directors = append(b.Directors, d)
	}
	var err error
	if b.Client, err = b.AddHost("client", HostPrefixes(90)...); err != nil {
		return err
	}
	// A client of thousands of short connections soon uses up the default range.
	if err := b.Client.Sysctl("net.ipv4.ip_local_port_range", "1024 65535"); err != nil {
		return err
	}
	if b.Bystander, err = b.AddHost("bystander", HostPrefixes(99)...); err != nil {
		return err
	}
	for i := range o.Servers {
		h, err := b.AddHost(fmt.Sprintf("w%d", i+1), HostPrefixes(51+i)...)
		if err != nil {
			return err
		}
		port := uint16(8080)
		if len(o.Direct) > 0 {
			port = 80
			if err := h.AnswerFor(o.Direct...); err != nil {
				return err
			}
		}
		w, err := h.ServeWeb(ctx, h.Name, port)
		if err != nil {
			return err
		}
		b.Servers = append(b.Servers, w)
	}
	return nil
}

// Director returns the director of that name, or nil.
func (b *Bed) Director(name string) *Director {
	for _, d := range b.Directors {
		if d.Name == name {
			return d
		}
	}
	return nil
}

// ServerAddr is where the n-th web server answers, counted from 0.
func (b *Bed) ServerAddr(n int) netip.AddrPort {
	w := b.Servers[n]
	return netip.AddrPortFrom(w.Host().Addr(), w.Port)
}

// Logs is what all agents wrote.
func (b *Bed) Logs() string {
	var all strings.Builder
	for _, d := range b.Directors {
		all.WriteString(d.Logs())
	}
	return all.String()
}
