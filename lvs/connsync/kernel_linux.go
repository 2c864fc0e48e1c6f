package connsync

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"quorate/lvs"
	"quorate/lvs/ipvs"
	"quorate/lvs/sysctl"
)

// kernel is IPVS as a Plane: its sync daemons, and its connection table.
type kernel struct {
	inside   func(func() error) error // runs something in the network namespace
	set      Settings
	daemons  *ipvs.Daemons
	mark     *mark
	complete func(*Conn) bool
	loop     *loop                            // nil: the daemons speak to the network
	ears     []*net.UDPConn                   // of the master's threads
	mouth    *net.UDPConn                     // to the backup
	masters  atomic.Pointer[[]netip.AddrPort] // from where the master's threads send
	foreign  atomic.Uint64                    // datagrams on lo that are not the kernel's
	drops    map[uint16]uint64                // by port, of the sockets between the daemons and us, as they were last seen
	missed   func()                           // messages of peers have not got to the kernel
}

// procIPVS is IPVS's connection table; thread-self, because the network namespace is the thread's.
const procIPVS = "/proc/thread-self/net/ip_vs_conn"

// openKernel starts the daemons. Everything runs inside the network namespace into which inside leads.
func openKernel(s Settings, m *mark, complete func(*Conn) bool, missed func(), inside func(func() error) error) (k *kernel, err error) {
	k = &kernel{set: s, mark: m, complete: complete, missed: missed, inside: inside}
	if err := k.inside(k.open); err != nil {
		return nil, errors.Join(err, k.release())
	}
	return k, nil
}

func (k *kernel) open() (err error) {
	if k.daemons, err = ipvs.OpenDaemons(); err != nil {
		return err
	}
	at := k.set.Interface
	threads := k.threads()
	if k.set.Transport == ByRelay {
		at = loopback
	}
	// A multicast backup listens on the port that all masters send to, and the table of a peer is replayed to it on its own interface.
	if k.loop, err = newLoop(k.set.Group, at, k.set.Port, threads); err != nil {
		return err
	}
	if k.set.Transport == ByRelay {
		if k.ears, err = k.loop.listen(); err != nil {
			return err
		}
	}
	if err = k.keep(); err != nil {
		return err
	}
	k.mouth, err = k.loop.speak(k.backupPort())
	return err
}

// threads of each daemon: it is what the sysctl said when the first of them was started.
func (k *kernel) threads() int {
	v, err := sysctl.Read("net.ipv4.vs.sync_ports")
	n, cerr := strconv.Atoi(v)
	if err != nil || cerr != nil {
		return 1
	}
	return n
}

func (k *kernel) backupPort() uint16 {
	if k.set.Transport == ByRelay {
		return k.loop.port + uint16(k.loop.threads)
	}
	return k.set.Port
}

// wanted are the daemons.
func (k *kernel) wanted() []ipvs.Daemon {
	d := ipvs.Daemon{State: ipvs.Master, Interface: k.loop.name, SyncID: k.set.SyncID, MaxLen: k.set.MaxLen, Group: k.set.Group, Port: k.set.Port, TTL: k.set.TTL}
	b := d
	b.State, b.Port = ipvs.Backup, k.backupPort()
	b.MaxLen = MaxMessage
	return []ipvs.Daemon{d, b}
}

// keep sees to it that the daemons run, and that the master can send.
func (k *kernel) keep() error {
	want := k.wanted()
	before := slices.Clone(k.mark.Daemons) // with what is going to be started in the mark, another program's like it would be ours
	if err := k.mark.starts(want); err != nil {
		return err
	}
	if _, err := k.daemons.Reconcile(want, func(d ipvs.Daemon) bool { return among(before, d) }); err != nil {
		if errors.Is(err, ipvs.ErrForeignDaemon) { // nothing was started
			err = errors.Join(err, k.mark.runs(before))
		}
		return err
	}
	if err := k.mark.runs(want); err != nil {
		return err
	}
	masters, err := k.sources()
	if err != nil {
		return err
	}
	if k.stranded(masters) {
		if err := k.daemons.Restart(want[0]); err != nil {
			return err
		}
		if masters, err = k.sources(); err != nil {
			return err
		}
	}
	k.masters.Store(&masters)
	return nil
}

// stranded reports whether the master is bound to an address that this host has no more, a VIP perhaps: it takes any address of the host when
// it starts, keeps it, and can send nothing once it is gone (bind_mcastif_addr).
func (k *kernel) stranded(masters []netip.AddrPort) bool {
	own, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	return slices.ContainsFunc(masters, func(m netip.AddrPort) bool {
		return !m.Addr().IsUnspecified() && !slices.ContainsFunc(own, func(a net.Addr) bool {
			n, ok := a.(*net.IPNet)
			ip, _ := netip.AddrFromSlice(n.IP)
			return ok && ip.Unmap() == m.Addr()
		})
	})
}

// sources are the addresses and ports that the master's threads send from: the sockets that are connected to its group and ports.
func (k *kernel) sources() (out []netip.AddrPort, err error) {
	list, err := k.sockets()
	for _, s := range list {
		if s.remote.Addr() == k.set.Group && s.remote.Port() >= k.set.Port && s.remote.Port() < k.set.Port+uint16(k.loop.threads) {
			out = append(out, s.local)
		}
	}
	return out, err
}

func (k *kernel) sockets() ([]udpSocket, error) {
	b, err := os.ReadFile("/proc/thread-self/net/udp")
	return udpSockets(b), err
}

// overrun says what has got lost since the last time between the kernel's daemons and us, for want of room in a receive buffer. Nothing else tells:
// what a peer has sent was acknowledged by then.
func (k *kernel) overrun(list []udpSocket) error {
	var heard, said uint64
	for _, s := range list {
		if s.local.Addr() != k.set.Group {
			continue
		}
		lost := s.drops - k.drops[s.local.Port()]
		if s.drops < k.drops[s.local.Port()] { // another socket
			lost = s.drops
		}
		switch n := uint16(k.loop.threads); {
		case s.local.Port()-k.backupPort() < n:
			said += lost
		case s.local.Port()-k.set.Port < n:
			heard += lost
		default:
			continue
		}
		if k.drops == nil {
			k.drops = make(map[uint16]uint64)
		}
		k.drops[s.local.Port()] = s.drops
	}
	var errs []error
	if heard > 0 {
		errs = append(errs, fmt.Errorf("%d messages of this host's connections came faster than they were read: the peers learn of those when they next have packets", heard))
	}
	if said > 0 {
		k.missed()
		errs = append(errs, fmt.Errorf("%d messages of the peers' connections came faster than the kernel's sync daemon took them in: they are asked for again; "+
			"give it a larger buffer: sync { sock_size = 4194304 }, with net.core.rmem_max as large", said))
	}
	return errors.Join(errs...)
}

// Replay implements Plane.
func (k *kernel) Replay(message []byte) error {
	_, err := k.mouth.Write(message)
	return err
}

// Table implements Plane.
func (k *kernel) Table() iter.Seq2[Conn, error] {
	return func(yield func(Conn, error) bool) {
		var f *os.File
		if err := k.inside(func() (err error) { f, err = os.Open(procIPVS); return err }); err != nil {
			yield(Conn{}, err)
			return
		}
		defer f.Close()
		var own map[netip.Addr]bool
		if err := k.inside(func() error { own = lvs.LocalAddrs(); return nil }); err != nil {
			yield(Conn{}, err)
			return
		}
		foreign(connections(f, k.complete), own)(yield)
	}
}

// foreign leaves out what this host itself has opened: it ends with the host, and is a probe mostly, whose mark the file does not tell.
func foreign(all iter.Seq2[Conn, error], own map[netip.Addr]bool) iter.Seq2[Conn, error] {
	return func(yield func(Conn, error) bool) {
		for c, err := range all {
			if (err != nil || !own[c.Client.Addr()]) && !yield(c, err) {
				return
			}
		}
	}
}

// keepEvery is how often the daemons are looked after.
const keepEvery = 5 * time.Second

// run hears the kernel until ctx ends.
func (k *kernel) run(ctx context.Context, local func(time.Time, []byte), failed func(error)) error {
	g, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, func() {
		for _, c := range k.ears {
			c.SetReadDeadline(time.Unix(1, 0))
		}
	})
	defer stop()
	for _, c := range k.ears {
		g.Go(func() error { return k.listen(ctx, c, local) })
	}
	g.Go(func() error {
		tick := time.NewTicker(keepEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-tick.C:
				failed(k.inside(func() error {
					list, err := k.sockets()
					return errors.Join(k.overrun(list), err, k.keep())
				}))
			}
		}
	})
	return g.Wait()
}

func (k *kernel) listen(ctx context.Context, c *net.UDPConn, local func(time.Time, []byte)) error {
	b := make([]byte, MaxMessage+1)
	for {
		n, from, err := c.ReadFromUDPAddrPort(b)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("hear the kernel's sync daemon: %w", err)
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if !slices.Contains(*k.masters.Load(), from) { // another program's: what it says would be believed on all directors
			k.foreign.Add(1)
			continue
		}
		local(time.Now(), b[:n])
	}
}

// close stops the daemons and closes the sockets.
func (k *kernel) close() error {
	err := k.inside(func() error {
		if _, err := k.daemons.Reconcile(nil, k.mark.ours); err != nil {
			return err
		}
		return k.mark.runs(nil)
	})
	return errors.Join(err, k.release())
}

// release closes the sockets.
func (k *kernel) release() (err error) {
	for _, c := range k.ears {
		err = errors.Join(err, c.Close())
	}
	if k.mouth != nil {
		err = errors.Join(err, k.mouth.Close())
	}
	if k.daemons != nil {
		err = errors.Join(err, k.daemons.Close())
	}
	return err
}

// services implements source: what a connection is of is asked through complete.
func (k *kernel) services(*catalogue) {}

// strangers implements source.
func (k *kernel) strangers() uint64 { return k.foreign.Load() }

// stopDaemons stops what an earlier process has started and left.
func stopDaemons(m *mark) error {
	if len(m.Daemons) == 0 {
		return nil
	}
	d, err := ipvs.OpenDaemons()
	if errors.Is(err, ipvs.ErrNotLoaded) {
		return m.runs(nil)
	}
	if err != nil {
		return err
	}
	_, err = d.Reconcile(nil, m.ours)
	if err == nil {
		err = m.runs(nil)
	}
	return errors.Join(err, d.Close())
}
