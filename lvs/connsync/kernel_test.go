package connsync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quorate/lvs"
	"quorate/lvs/ipvs"
	"quorate/lvs/lvstest"
	"quorate/lvs/nft"
	"quorate/lvs/sysctl"
)

// plain is a Sealer that seals nothing, for tests of what is inside.
type plain struct{}

func (plain) Seal(dst, b []byte) []byte { return append(dst, b...) }

func (plain) Open(dst, b []byte) ([]byte, error) { return append(dst, b...), nil }

// director runs a Sync in the namespace of one of the pair.
type director struct {
	t    *testing.T
	pair *lvstest.Pair
	i    int
	kind string // of data plane
	set  Settings
	here bool
	mark string
	sync *Sync
	end  context.CancelFunc
	done sync.WaitGroup
}

const testPort = 7302

func newDirector(t *testing.T, p *lvstest.Pair, i int, kind string, set Settings) *director {
	d := &director{t: t, pair: p, i: i, kind: kind, set: set, mark: filepath.Join(t.TempDir(), "connsync.json")}
	t.Cleanup(d.stop)
	return d
}

func (d *director) host() *lvstest.Host { return d.pair.Directors[d.i] }

func (d *director) name() string { return d.host().Name }

// start runs a new process of the director, as it were.
func (d *director) start() {
	d.t.Helper()
	d.sync = New(Options{
		Self: d.name(), Listen: netip.AddrPortFrom(lvstest.DirectorAddr(d.i), testPort), Seal: plain{}, Mark: d.mark, Inside: d.host().Do,
		Log: slog.New(slog.NewTextHandler(d.t.Output(), nil)).With("node", d.name()),
	})
	d.configure()
	ctx, end := context.WithCancel(context.Background())
	d.end = end
	s := d.sync
	d.done.Go(func() {
		if err := s.Run(ctx); !errors.Is(err, context.Canceled) {
			d.t.Errorf("%s: Run: %v", d.name(), err)
		}
	})
}

func (d *director) configure() {
	c := Config{Settings: d.set, Plane: d.kind,
		Peers: map[string]netip.AddrPort{d.pair.Directors[1-d.i].Name: netip.AddrPortFrom(lvstest.DirectorAddr(1-d.i), testPort)}}
	for _, s := range pairServices(d.kind) {
		c.Services = append(c.Services, Service{Protocol: IPProtocol(s.Protocol), Addr: s.Addr, Port: s.Port, Forward: s.Forward, Sync: true, Here: d.here})
	}
	d.sync.Configure(c)
}

func (d *director) open() (lvs.Plane, error) {
	if d.kind == "nft" {
		return nft.New()
	}
	return ipvs.New()
}

func (d *director) stop() {
	if d.end != nil {
		d.end()
		d.done.Wait()
		d.end = nil
	}
}

// own gives the director the services, or takes them from it.
func (d *director) own(services []lvs.Service) {
	d.t.Helper()
	err := d.host().Do(func() (err error) {
		p, err := d.open()
		if err != nil {
			return err
		}
		defer p.Close()
		_, err = p.Reconcile(lvs.Scope{Addrs: []netip.Addr{lvstest.NATVIP, lvstest.DirectVIP}}, services)
		return err
	})
	if err != nil {
		d.t.Fatalf("%s: services: %v", d.name(), err)
	}
	if d.here = services != nil; d.sync == nil {
		return
	}
	if d.configure(); !d.here {
		d.sync.Resync()
	}
}

func (d *director) await(what string, ok func(Status) bool) {
	d.t.Helper()
	lvstest.Eventually(d.t, d.name()+": "+what, func() (bool, any) {
		st := d.sync.Status()
		return ok(st), fmt.Sprintf("%+v", st)
	})
}

func (d *director) there() {
	d.t.Helper()
	d.await("the peer is there and all is synced", func(st Status) bool { return st.Synced && len(st.Peers) == 1 && st.Peers[0].There })
}

func newPair(t *testing.T) *lvstest.Pair {
	t.Helper()
	if d, err := ipvs.OpenDaemons(); errors.Is(err, ipvs.ErrNotLoaded) {
		t.Skip(err)
	} else if err == nil {
		d.Close()
	}
	return lvstest.NewPair(t)
}

// pairServices are a service by nat and, but on nft, one by direct routing.
func pairServices(kind string) []lvs.Service {
	out := []lvs.Service{
		{Addr: lvstest.NATVIP, Port: 80, Protocol: lvs.TCP, Scheduler: "rr", Forward: lvs.NAT,
			Destinations: []lvs.Destination{{Addr: netip.MustParseAddrPort("10.9.0.11:8080"), Weight: 1},
				{Addr: netip.MustParseAddrPort("10.9.0.12:8080"), Weight: 1}}},
		{Addr: lvstest.DirectVIP, Port: lvstest.Port, Protocol: lvs.TCP, Scheduler: "rr", Forward: lvs.DirectRouting,
			Destinations: []lvs.Destination{{Addr: netip.MustParseAddrPort("192.0.2.52:8080"), Weight: 1}}},
	}
	if kind == "nft" {
		out = out[:1]
	}
	return out
}

// talk opens connections through both services and lets them grow old enough to be synced.
func talk(t *testing.T, p *lvstest.Pair, kind string, each int) (talkers []*lvstest.Talkers) {
	t.Helper()
	for _, s := range pairServices(kind) {
		talkers = append(talkers, p.Talk(t, s.Key().Addr, each, 2*time.Second))
	}
	return talkers
}

// went counts who goes on, and wants at least so many of a hundred.
func went(t *testing.T, what string, talkers []*lvstest.Talkers, each, percent int) (all []int) {
	t.Helper()
	for i, k := range talkers {
		name := [...]string{"nat", "dr"}[i]
		alive, err := k.Alive()
		t.Logf("%s: %d of %d connections through %s go on (%v)", what, alive, each, name, err)
		if alive*100 < each*percent {
			t.Errorf("%s: %d of %d connections through %s go on, want %d %%", what, alive, each, name, percent)
		}
		all = append(all, alive)
	}
	return all
}

// takeOver makes director i the owner of everything.
func takeOver(t *testing.T, p *lvstest.Pair, d *director) {
	t.Helper()
	d.own(pairServices(d.kind))
	if err := p.Give(d.i); err != nil {
		t.Fatal(err)
	}
}

// TestConnectionsSurvive: a thousand connections through nat and a thousand through direct routing, each at least 3 s old, outlive the loss
// of their director, the loss of the other one 5 s after the first has come back without memory, and a planned move. With the relay
// there is no multicast between the directors.
func TestConnectionsSurvive(t *testing.T) {
	for _, set := range []Settings{{}, {Transport: ByMulticast, Interface: "net"}} {
		set.Kernel.Set = true
		set = set.WithDefaults()
		t.Run(string(set.Transport), func(t *testing.T) { survive(t, newPair(t), "ipvs", set, 1000) })
	}
}

// TestTrackedConnectionsSurvive is the same on nftables, with connections that the kernel tracks.
func TestTrackedConnectionsSurvive(t *testing.T) {
	p, err := nft.New()
	if err != nil {
		t.Skip(err)
	}
	p.Close()
	survive(t, lvstest.NewPair(t), "nft", Settings{}.WithDefaults(), 1000)
}

// young is how many connections, through each service, are opened last, a moment before their director is lost.
const young = 200

func survive(t *testing.T, p *lvstest.Pair, kind string, set Settings, each int) {
	files := uint64(4*(each+young) + 1000) // both ends of all connections are here
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: files, Max: files}); err != nil {
		t.Fatal(err)
	}
	if set.Transport == ByRelay {
		if err := p.NoMulticast(); err != nil {
			t.Fatal(err)
		}
	}
	a, b := newDirector(t, p, 0, kind, set), newDirector(t, p, 1, kind, set)
	takeOver(t, p, a)
	a.start()
	b.start()
	a.there()
	b.there()
	k := talk(t, p, kind, each)
	time.Sleep(3 * time.Second) // the connections are to be so old
	k2 := talk(t, p, kind, young)

	if err := p.Cut(0, false); err != nil {
		t.Fatal(err)
	}
	takeOver(t, p, b)
	went(t, "owner killed", k, each, 99)
	went(t, "owner killed, younger than 3 s", k2, young, 0) // how many is the kernel's affair: it is told, and nothing is asked

	a.stop()
	if err := p.Reboot(t, 0); err != nil {
		t.Fatal(err)
	}
	a.here = false
	a.start()
	a.there()
	t.Logf("%d connections came", a.sync.Status().Peers[0].Conns)
	time.Sleep(5 * time.Second)
	if err := p.Cut(1, false); err != nil {
		t.Fatal(err)
	}
	takeOver(t, p, a)
	left := went(t, "owner killed 5 s after the other came back", k, each, 99)

	if err := p.Cut(1, true); err != nil {
		t.Fatal(err)
	}
	b.own(nil)
	b.there()
	takeOver(t, p, b)
	a.own(nil)
	if moved := went(t, "planned move", k, each, 99); !slices.Equal(moved, left) {
		t.Errorf("planned move: of %v connections %v go on, want all", left, moved)
	}
	st := b.sync.Status()
	t.Logf("%+v", st)
	if st.Forged+st.Malformed+st.Strange+st.Peers[0].Dropped > 0 || len(st.Problems) > 0 {
		t.Errorf("something went wrong: %+v", st)
	}
	a.stop()
	b.stop()
	b.clean()
}

// TestForeignDaemon: another program's sync daemon is named in the status, with the command that stops it, and left alone, also when it is
// just as ours would be; sync goes on when it has gone.
func TestForeignDaemon(t *testing.T) {
	p := newPair(t)
	d := newDirector(t, p, 0, "ipvs", Settings{}.WithDefaults())
	foreign := ipvs.Daemon{State: ipvs.Master, Interface: "lo", SyncID: DefaultSyncID, MaxLen: DefaultMaxLen, Group: DefaultGroup, Port: DefaultPort, TTL: 1}
	mine := func(ipvs.Daemon) bool { return true }
	other := func(want ...ipvs.Daemon) { // the other program
		t.Helper()
		d.daemons(func(k *ipvs.Daemons) error { _, err := k.Reconcile(want, mine); return err })
	}
	runs := func() (out []ipvs.Daemon) {
		t.Helper()
		d.daemons(func(k *ipvs.Daemons) (err error) { out, err = k.List(); return err })
		return out
	}
	refused := func(what string, f ipvs.Daemon) {
		t.Helper()
		d.await(what+" is named", func(st Status) bool {
			text := strings.Join(st.Problems, "\n")
			return strings.Contains(text, f.String()) && strings.Contains(text, "ipvsadm --stop-daemon master")
		})
		if list := runs(); !slices.Contains(list, f) {
			t.Errorf("%s was not left alone: %v", what, list)
		}
	}
	works := func(what string) {
		t.Helper()
		d.await(what, func(st Status) bool { return len(st.Problems) == 0 && len(runs()) == 2 })
	}

	other(foreign)
	d.start()
	refused("a daemon that was there first, like ours", foreign)
	other()
	works("sync begins when it has gone")

	other() // stops ours: who may do that may do anything
	foreign.SyncID = 7
	other(foreign)
	refused("a daemon that is met by a running sync", foreign)
	d.stop()
	if list := runs(); !slices.Equal(list, []ipvs.Daemon{foreign}) {
		t.Errorf("sync has ended, and these run: %v, want the foreign one alone", list)
	}
	other()
	d.clean()
}

// daemons asks the kernel of the director's host.
func (d *director) daemons(f func(*ipvs.Daemons) error) {
	d.t.Helper()
	err := d.host().Do(func() error {
		k, err := ipvs.OpenDaemons()
		if err != nil {
			return err
		}
		defer k.Close()
		return f(k)
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

// clean checks that nothing of connection sync is left in the kernel.
func (d *director) clean() {
	d.t.Helper()
	if d.kind != "ipvs" {
		return
	}
	err := d.host().Do(func() error {
		daemons, err := ipvs.OpenDaemons()
		if err != nil {
			return err
		}
		defer daemons.Close()
		if left, err := daemons.List(); err != nil || len(left) > 0 {
			d.t.Errorf("left behind: %v, %v", left, err)
		}
		if v, err := sysctl.Read("net.ipv4.vs.sync_threshold"); v != "3 50" {
			d.t.Errorf("sync_threshold is %q, %v", v, err)
		}
		return nil
	})
	if err != nil {
		d.t.Error(err)
	}
}

// TestWithoutSync: on a path that keeps nothing, connections end with their director, or the tests above show nothing.
func TestWithoutSync(t *testing.T) {
	kind := "ipvs"
	if p, err := nft.New(); err == nil {
		p.Close()
		kind = "nft"
	}
	p := lvstest.NewPair(t)
	a, b := newDirector(t, p, 0, kind, Settings{}), newDirector(t, p, 1, kind, Settings{})
	takeOver(t, p, a)
	k := talk(t, p, kind, 50)[0]
	if err := p.Cut(0, false); err != nil {
		t.Fatal(err)
	}
	takeOver(t, p, b)
	if alive, _ := k.Alive(); alive > 40 {
		t.Errorf("%d of 50 connections went on without connection sync", alive)
	}
}
