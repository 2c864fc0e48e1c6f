package connsync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"quorate/lvs/sysctl"
)

// Options of a Sync. Self, Listen and Seal are required.
type Options struct {
	Self   string         // name of this director
	Listen netip.AddrPort // for the datagrams of peers
	Seal   Sealer
	Mark   string       // path of the file that remembers which daemons were started; "": nothing is remembered beyond this process
	Book   *sysctl.Book // of the settings of the kernel that are changed; nil: one that is forgotten with this process
	Log    *slog.Logger
	// Inside runs something in the network namespace that is meant; nil: in that of the calling thread, which then is the same for all.
	Inside func(func() error) error
}

// Config is what a Sync is to do now.
type Config struct {
	Settings
	Plane    string                    // "ipvs", "nft"; another: nothing
	Peers    map[string]netip.AddrPort // the other directors, and where they listen
	Services []Service                 // all that any director may have, not only what this one has now
}

// Status is what a Sync does.
type Status struct {
	Transport Transport `json:"transport"`
	Plane     string    `json:"plane,omitempty"`
	RelayStatus
	Foreign  uint64   `json:"foreign"` // datagrams on lo that were not the kernel's
	Notes    []string `json:"notes,omitempty"`
	Problems []string `json:"problems,omitempty"`
}

// Sync keeps the connections of this director at its peers, and theirs here. It is safe for concurrent use.
type Sync struct {
	o       Options
	wake    chan struct{}
	config  atomic.Pointer[Config]
	session atomic.Pointer[session]
	began   atomic.Pointer[time.Time] // of the first Configure

	mu    sync.Mutex
	err   error
	notes []string // of the kernel
}

// New starts nothing.
func New(o Options) *Sync {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Inside == nil {
		o.Inside = func(f func() error) error { return f() }
	}
	if o.Book == nil {
		o.Book, _ = sysctl.Open("") // which cannot fail
	}
	return &Sync{o: o, wake: make(chan struct{}, 1)}
}

// Configure says what to do. It does not wait. The maps and slices are kept.
func (s *Sync) Configure(c Config) {
	c.Settings = c.WithDefaults()
	now := time.Now()
	s.began.CompareAndSwap(nil, &now)
	if old := s.config.Swap(&c); old != nil && reflect.DeepEqual(*old, c) {
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// tryAgain is how soon something that failed is tried again.
const tryAgain = 5 * time.Second

// Run does it until ctx ends. Then the daemons that it started are stopped, and the sysctls that it set are as they were.
func (s *Sync) Run(ctx context.Context) error {
	var m *mark
	err := s.o.Inside(func() (err error) { m, err = openMark(s.o.Mark); return err })
	if m == nil {
		return err
	}
	s.failed(err)
	for ctx.Err() == nil {
		c := s.config.Load()
		if c != nil {
			s.failed(s.once(ctx, m, *c))
		}
		again := time.NewTimer(tryAgain)
		if c == nil {
			again.Stop()
		}
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-again.C:
		}
		again.Stop()
	}
	s.failed(s.o.Inside(func() error { return s.retire(m) })) // what an attempt that failed has left
	return ctx.Err()
}

// failed keeps an error for the status, and logs it when it is news.
func (s *Sync) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && (s.err == nil || s.err.Error() != err.Error()) {
		s.o.Log.Error("connection sync", "err", err)
	}
	s.err = err
}

// once works until the configuration is another in more than its peers and services.
func (s *Sync) once(ctx context.Context, m *mark, c Config) (err error) {
	idle := func() error {
		s.note(nil)
		return s.o.Inside(func() error { return s.retire(m) })
	}
	if err := c.Validate(); err != nil {
		return errors.Join(err, idle())
	}
	if c.Transport == Off || c.Plane != "ipvs" && c.Plane != "nft" {
		return idle()
	}
	x, err := s.open(m, c)
	if err != nil {
		return err
	}
	s.session.Store(x)
	s.failed(nil)
	ctx, end := context.WithCancel(ctx)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return x.plane.run(ctx, x.local, s.failed) })
	g.Go(func() error { return x.receive(ctx) })
	g.Go(func() error { return x.tick(ctx) })
	g.Go(func() error {
		defer end()
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-s.wake:
			}
			next := *s.config.Load()
			if !reflect.DeepEqual(next.Settings, c.Settings) || next.Plane != c.Plane {
				select { // for Run
				case s.wake <- struct{}{}:
				default:
				}
				return nil
			}
			x.configure(next)
		}
	})
	err = g.Wait()
	end()
	s.session.Store(nil)
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, x.close(), s.o.Inside(s.restore))
}

// retire takes back what an earlier process or setting has left in the kernel.
func (s *Sync) retire(m *mark) error {
	return errors.Join(stopDaemons(m), s.restore())
}

// restore puts back the settings of the kernel.
func (s *Sync) restore() error { return s.o.Book.Restore(Changer) }

// Synced reports whether the connections of the peers are here, as far as they are to be had. It is true where nothing is synced, and some
// seconds after the first Configure where it does not work.
func (s *Sync) Synced() bool {
	if c := s.config.Load(); c == nil {
		return false
	} else if c.Transport == Off || c.Plane != "ipvs" && c.Plane != "nft" {
		return true
	}
	if x := s.session.Load(); x != nil {
		return x.relay.Synced(time.Now())
	}
	return time.Since(*s.began.Load()) > syncedWithin // it cannot work, and says so: nothing is to wait for that
}

// Resync fetches the connections of the peers again: see Relay.Resync.
func (s *Sync) Resync() {
	if x := s.session.Load(); x != nil {
		x.relay.Resync(time.Now())
	}
}

// Status of the sync.
func (s *Sync) Status() Status {
	st := Status{Transport: Off}
	c := s.config.Load()
	if c != nil {
		st.Transport, st.Plane = c.Transport, c.Plane
	}
	if x := s.session.Load(); x != nil {
		st.RelayStatus, st.Foreign = x.relay.Status(time.Now()), x.plane.strangers()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.Notes = slices.Clone(s.notes); c != nil && c.Transport != Off {
		st.Notes = append(st.Notes, c.limits()...)
	}
	if s.err != nil {
		st.Problems = append(st.Problems, s.err.Error())
	}
	st.Synced = s.Synced()
	return st
}

// source is a Plane that tells what its kernel does.
type source interface {
	Plane
	run(ctx context.Context, local func(time.Time, []byte), failed func(error)) error
	services(*catalogue)
	strangers() uint64 // datagrams that claim to be the kernel's
	close() error
}

// session is what runs with one transport and plane.
type session struct {
	relay   *Relay
	plane   source
	conn    *peerSocket
	peers   atomic.Pointer[map[string]netip.AddrPort]
	catalog atomic.Pointer[catalogue]
}

func (s *Sync) open(m *mark, c Config) (x *session, err error) {
	x = &session{}
	x.catalog.Store(newCatalogue(c.Services))
	if x.plane, err = s.openPlane(m, c, x); err != nil {
		return nil, err
	}
	if err := s.o.Inside(func() (err error) { x.conn, err = listen(s.o.Listen); return err }); err != nil {
		return nil, errors.Join(err, x.plane.close())
	}
	x.relay = NewRelay(RelayOptions{Self: s.o.Self, SyncID: c.SyncID, Seal: s.o.Seal, Send: x.send, Plane: x.plane, Wanted: x.wanted, Log: s.o.Log})
	x.configure(c)
	return x, nil
}

func (s *Sync) openPlane(m *mark, c Config, x *session) (source, error) {
	var notes []string
	if c.Plane == "nft" {
		if err := s.o.Inside(func() error { return s.retire(m) }); err != nil {
			return nil, err
		}
		s.note(nil)
		t, err := openTracker(c.SyncID, s.o.Inside)
		if err != nil {
			return nil, err
		}
		return t, nil
	}
	if err := s.o.Inside(func() (err error) { notes, err = setSysctls(s.o.Book, c.Kernel); return err }); err != nil {
		return nil, err
	}
	s.note(notes)
	k, err := openKernel(c.Settings, m, x.complete, x.missed, s.o.Inside)
	if err != nil {
		return nil, err
	}
	return k, nil
}

// note keeps what is to be said of the kernel.
func (s *Sync) note(notes []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = notes
}

// limits are what of the services is not as they ask.
func (c Config) limits() (notes []string) {
	for _, v := range c.Services {
		switch {
		case v.Sync && v.Masquerade:
			notes = append(notes, fmt.Sprintf("connections of %v end with their director: masquerade binds them to an address of its own", v))
		case v.Sync && c.Plane == "nft" && v.Protocol == unix.IPPROTO_SCTP:
			notes = append(notes, fmt.Sprintf("associations of %v may end with their director: on nftables their verification tags are not told of", v))
		case !v.Sync && c.Plane == "ipvs" && c.Transport == ByMulticast:
			notes = append(notes, fmt.Sprintf("%v is synced although it says sync = false: by multicast the kernel tells of all its services; use transport = \"relay\"", v))
		}
	}
	return slices.Compact(notes) // a service may be there twice, for what is here and what is not
}

func (x *session) configure(c Config) {
	catalog := newCatalogue(c.Services)
	x.catalog.Store(catalog)
	x.plane.services(catalog)
	x.peers.Store(&c.Peers)
	names := make([]string, 0, len(c.Peers))
	for name := range c.Peers {
		names = append(names, name)
	}
	x.relay.SetPeers(time.Now(), names)
}

func (x *session) wanted(c Conn) bool              { return x.catalog.Load().wanted(c) }
func (x *session) complete(c *Conn) bool           { return x.catalog.Load().complete(c) }
func (x *session) missed()                         { x.relay.Missed() }
func (x *session) local(now time.Time, msg []byte) { x.relay.Local(now, msg) }

func (x *session) send(peer string, datagram []byte) error {
	to, ok := (*x.peers.Load())[peer]
	if !ok {
		return fmt.Errorf("no address of %s", peer)
	}
	return x.conn.send(to, datagram)
}

// receive hears the peers until ctx ends.
func (x *session) receive(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { x.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	b := make([]byte, 1<<16)
	for {
		n, from, err := x.conn.ReadFromUDPAddrPort(b)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, unix.ECONNREFUSED):
			continue // a peer whose agent does not run
		case err != nil:
			return fmt.Errorf("hear the peers: %w", err)
		}
		x.relay.Receive(time.Now(), x.nameOf(from), b[:n])
	}
}

// nameOf the peer that has the address.
func (x *session) nameOf(from netip.AddrPort) string {
	for name, a := range *x.peers.Load() {
		if a.Addr() == from.Addr().Unmap() {
			return name
		}
	}
	return ""
}

// tick wakes the relay when something is due.
func (x *session) tick(ctx context.Context) error {
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
		now := time.Now()
		t.Reset(min(max(x.relay.Tick(now).Sub(now), time.Millisecond), seekEvery))
	}
}

func (x *session) close() error {
	x.relay.Close()
	return errors.Join(x.plane.close(), x.conn.Close())
}
