package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
)

// Options of a lab. The zero value is useful.
type Options struct {
	// Dir is where the lab's own directory is made; empty means the system's temporary directory. A test of durability
	// wants a real disk there.
	Dir string
	// Poll is how long to wait, at least, between two looks at an agent or a kernel while something is awaited; 0 means as
	// long as suits a fast machine.
	Poll time.Duration
	// Log receives one line per fault and per program started; nil means none.
	Log *slog.Logger
}

// Lab is one bridged network with its hosts. Its methods may be called from several goroutines, but faults of one host
// are for one at a time.
type Lab struct {
	ID  string // random; every program of the lab carries it as QUORATE_LAB in its environment
	Dir string // logs and data of the hosts; removed by Close

	log   *slog.Logger
	poll  time.Duration
	ctx   context.Context
	stop  context.CancelFunc
	state *stateFile
	sw    *namespace // of the switch
	br    *netlink.Bridge

	mu      sync.Mutex
	hosts   []*Host
	filters []filter
	ports   map[int]string // host by the index of its port; of every port that ever was
	closers []io.Closer    // probes and watches, stopped before the network goes
	closed  bool

	filtering bool // the switch has a table of filters
	numbers   int  // given out by number
}

// New makes an empty network: a bridge in a namespace of its own. The programs of the lab are killed when ctx ends or
// Close is called; Close must be called in any case.
func New(ctx context.Context, o Options) (*Lab, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("a lab makes network namespaces and needs root: run it as root")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	dir, err := os.MkdirTemp(o.Dir, "quorate-lab-")
	if err != nil {
		return nil, fmt.Errorf("make the lab's directory: %w", err)
	}
	l := &Lab{ID: filepath.Base(dir), Dir: dir, log: o.Log, poll: o.Poll, ports: map[int]string{}}
	l.ctx, l.stop = context.WithCancel(ctx)
	if err := l.build(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Lab) build() error {
	var err error
	if l.state, err = claimState(l.ID, l.Dir); err != nil {
		return err
	}
	if l.sw, err = newNamespace(); err != nil {
		return err
	}
	// The switch is a wire: it has no addresses and says nothing by itself.
	if err := l.sw.sysctl("net.ipv6.conf.default.disable_ipv6", "1"); err != nil {
		return err
	}
	l.br = &netlink.Bridge{LinkAttrs: netlink.NewLinkAttrs()}
	l.br.Name = "bridge"
	snooping := false // without a querier it would lose neighbour solicitations
	l.br.MulticastSnooping = &snooping
	if err := l.sw.links.LinkAdd(l.br); err != nil {
		return fmt.Errorf("make the bridge: %w", err)
	}
	if err := l.sw.links.LinkSetUp(l.br); err != nil {
		return fmt.Errorf("set the bridge up: %w", err)
	}
	return nil
}

// Hosts returns the hosts in the order in which they were added.
func (l *Lab) Hosts() []*Host {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.hosts)
}

// Host returns the host of that name, or nil.
func (l *Lab) Host(name string) *Host {
	for _, h := range l.Hosts() {
		if h.Name == name {
			return h
		}
	}
	return nil
}

// hostAt names the host whose port has, or had, that index. The kernel gives out indexes in ascending order.
func (l *Lab) hostAt(port int) (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name, ok := l.ports[port]
	return name, ok
}

// HostWithMAC names the host whose eth0 has that hardware address, or returns the address itself.
func (l *Lab) HostWithMAC(mac string) string {
	for _, h := range l.Hosts() {
		if h.MAC.String() == mac {
			return h.Name
		}
	}
	return mac
}

// AddHost makes a host and plugs it in. IPv6 prefixes are usable at once: hosts do no duplicate address detection and
// accept no router advertisements.
func (l *Lab) AddHost(name string, prefixes ...netip.Prefix) (*Host, error) {
	if name == "" || len(name) > 15 {
		return nil, fmt.Errorf("host %q: want a name of 1 to 15 characters, it also names the port of the bridge", name)
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil, errors.New("the lab is closed")
	}
	for _, h := range l.hosts {
		if h.Name == name {
			l.mu.Unlock()
			return nil, fmt.Errorf("host %q exists", name)
		}
	}
	h := newHost(l, name, len(l.hosts)+1, prefixes)
	l.hosts = append(l.hosts, h)
	l.mu.Unlock()

	if err := os.MkdirAll(h.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("host %s: %w", name, err)
	}
	if err := h.PowerOn(); err != nil {
		return nil, err
	}
	return h, nil
}

// number returns another 16-bit number at each call.
func (l *Lab) number() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.numbers++
	return l.numbers & 0xffff
}

// closer is a function that closes something.
type closer func() error

func (c closer) Close() error { return c() }

// onClose has c closed before the network goes; c may be closed earlier, too.
func (l *Lab) onClose(c io.Closer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closers = append(l.closers, c)
}

// Close kills every program of the lab and removes everything that it made. It may be called more than once.
func (l *Lab) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	hosts, closers := l.hosts, l.closers
	l.mu.Unlock()

	l.stop()
	var errs []error
	for _, c := range closers {
		errs = append(errs, c.Close())
	}
	for _, h := range hosts {
		errs = append(errs, h.remove())
	}
	if l.sw != nil {
		if l.sw.links != nil && l.br != nil && l.br.Index != 0 {
			errs = append(errs, l.sw.links.LinkDel(l.br))
		}
		l.sw.close()
	}
	errs = append(errs, os.RemoveAll(l.Dir))
	if l.state != nil {
		errs = append(errs, l.state.release())
	}
	return errors.Join(errs...)
}
