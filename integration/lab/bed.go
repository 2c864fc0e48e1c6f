package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"quorate/api"
	"quorate/fsm"
)

// Bed is the network that the demo, the benchmarks and the tests use: directors n1, n2 …, web servers w1, w2 …, a client
// and a bystander, all on 192.0.2.0/24 and 2001:db8::/64. See [VIP] for the addresses that are free for VIPs.
type Bed struct {
	*Lab
	Directors []*Director
	Servers   []*WebServer
	Client    *Host
	Bystander *Host
}

// BedOptions say how big a bed is.
type BedOptions struct {
	Options
	Binary    string // of quorate
	Directors int    // at most 9
	Servers   int    // at most 9
}

// webPort is where the web servers listen.
const webPort = 8080

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
	b := &Bed{Lab: l}
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
		w, err := h.ServeWeb(ctx, h.Name, webPort)
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
	return netip.AddrPortFrom(b.Servers[n].Host().Addr(), webPort)
}

// joinLine finds in the output of `quorate bootstrap` the command for the other nodes.
var joinLine = regexp.MustCompile(`(?m)^\s*quorate (join \S+ --token \S+)\s*$`)

// JoinCommand is the arguments of the join command that `quorate bootstrap` printed.
func JoinCommand(output string) ([]string, error) {
	m := joinLine.FindStringSubmatch(output)
	if m == nil {
		return nil, fmt.Errorf("no join command in: %s", output)
	}
	return strings.Fields(m[1]), nil
}

// Start starts the agents of all directors that have none running.
func (b *Bed) Start(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, d := range b.Directors {
		g.Go(func() error { return d.Start(ctx) })
	}
	return g.Wait()
}

// Form makes a cluster of the directors as a user would: agents started, `quorate bootstrap` on the first, and the join
// command that it printed on the others. It returns when each of them is ready.
func (b *Bed) Form(ctx context.Context) error {
	if err := b.Start(ctx); err != nil {
		return err
	}
	out, err := b.Directors[0].Quorate(ctx, "bootstrap")
	if err != nil {
		return err
	}
	join, err := JoinCommand(out)
	if err != nil {
		return err
	}
	for _, d := range b.Directors[1:] {
		if _, err := d.Quorate(ctx, join...); err != nil {
			return err
		}
	}
	return b.AwaitReady(ctx)
}

// AwaitReady waits until the cluster can bear the next fault: every running director is ready, votes, grants leases and
// is reached by the others.
func (b *Bed) AwaitReady(ctx context.Context) error {
	for _, d := range b.running() {
		if err := d.AwaitReady(ctx); err != nil {
			return err
		}
	}
	return b.AwaitStatus(ctx, "every running node a voter that the others reach", func(s api.Status) error {
		for _, d := range b.running() {
			i := slices.IndexFunc(s.Nodes, func(n api.NodeSummary) bool { return n.ID == d.ID() })
			if i < 0 || !s.Nodes[i].Voter || !s.Nodes[i].Reached {
				return fmt.Errorf("%s is no voter, or not reached, at %s", d.Name, s.Node)
			}
		}
		if !s.Quorum.OK || s.Leader == "" {
			return fmt.Errorf("no quorum: %s", s.Quorum.Reason)
		}
		grantors, err := b.grantors(ctx)
		if err == nil && grantors != len(s.Nodes) {
			err = fmt.Errorf("%d of %d nodes grant leases", grantors, len(s.Nodes))
		}
		return err
	})
}

// grantorsText is how an event tells how many nodes grant leases. A member votes first and becomes a grantor a little
// later; until then the loss of an older grantor may cost the majority of them.
var grantorsText = regexp.MustCompile(`now [0-9]+ of ([0-9]+) make a majority`)

// grantors is the size of the grantor set.
func (b *Bed) grantors(ctx context.Context) (int, error) {
	err := errors.New("no agent runs")
	for _, d := range b.running() {
		var last api.Events
		if last, err = d.API.LastEvents(ctx, fsm.MaxEvents); err != nil {
			continue
		}
		for _, e := range slices.Backward(last.Events) {
			if m := grantorsText.FindStringSubmatch(e.Text); m != nil && e.Kind == fsm.EventCluster {
				return strconv.Atoi(m[1])
			}
		}
		return 1, nil // that of the node that bootstrapped
	}
	return 0, err
}

// running are the directors whose agent runs.
func (b *Bed) running() []*Director {
	return slices.DeleteFunc(slices.Clone(b.Directors), func(d *Director) bool {
		p := d.Agent()
		return p == nil || closed(p.Done())
	})
}

// Status asks the first running director that answers for the state of the cluster.
func (b *Bed) Status(ctx context.Context) (api.Status, error) {
	err := errors.New("no agent runs")
	for _, d := range b.running() {
		var s api.Status
		if s, err = d.API.Status(ctx); err == nil {
			return s, nil
		}
	}
	return api.Status{}, err
}

// AwaitStatus waits until the state of the cluster passes check.
func (b *Bed) AwaitStatus(ctx context.Context, what string, check func(api.Status) error) error {
	err := Await(ctx, 10*time.Millisecond, func(ctx context.Context) error {
		s, err := b.Status(ctx)
		if err != nil {
			return err
		}
		return check(s)
	})
	if err != nil {
		return fmt.Errorf("waiting for %s: %w", what, err)
	}
	return nil
}

// Leader is the director that leads.
func (b *Bed) Leader(ctx context.Context) (*Director, error) {
	s, err := b.Status(ctx)
	if err != nil {
		return nil, err
	}
	if d := b.Director(string(s.Leader)); d != nil {
		return d, nil
	}
	return nil, errors.New("the cluster has no leader")
}

// Carriers are the directors with power whose kernel carries the address.
func (b *Bed) Carriers(a netip.Addr) []*Director {
	return slices.DeleteFunc(slices.Clone(b.Directors), func(d *Director) bool {
		has, err := d.Carries(a)
		return err != nil || !has
	})
}

// AwaitOwner waits until exactly one director carries the address, and another one than not (nil: any).
func (b *Bed) AwaitOwner(ctx context.Context, a netip.Addr, not *Director) (*Director, error) {
	var owner *Director
	err := Await(ctx, time.Millisecond, func(context.Context) error {
		c := b.Carriers(a)
		if len(c) != 1 || c[0] == not {
			var names []string
			for _, d := range c {
				names = append(names, d.Name)
			}
			return fmt.Errorf("%s is on %q", a, names)
		}
		owner = c[0]
		return nil
	})
	return owner, err
}

// Logs is what all agents wrote.
func (b *Bed) Logs() string {
	var all strings.Builder
	for _, d := range b.Directors {
		all.WriteString(d.Logs())
	}
	return all.String()
}
