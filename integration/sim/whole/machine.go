package whole

import (
	"context"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"quorate/cluster"
	"quorate/cluster/lease"
	"quorate/cluster/simnet"
	"quorate/fsm"
)

// machine is a host with a disk and clocks, on which one process after the other runs. World.mu guards what is not atomic.
type machine struct {
	w     *World
	id    fsm.NodeID
	ip    string
	host  *simnet.Host
	clock *clock
	slow  atomic.Int64 // extra nanoseconds of a write
	hang  atomic.Int64 // nanoseconds that the actuator's next pass hangs in the kernel
	lacks atomic.Int64 // until when it lacks the others' connections, in nanoseconds since the world began
	wall  atomic.Int64 // nanoseconds by which the time of day is wrong

	disk   *cluster.Memory
	lost   fsm.StoreID // of the disk that was lost last
	proc   *process    // nil = none runs
	ghosts []ghost
}

// ghost is an address that a killed process left in the kernel, which its lease ends.
type ghost struct {
	key   fsm.AddressKey
	epoch fsm.Epoch
	until lease.Instant
}

// process is one run of the program.
type process struct {
	m      *machine
	node   *cluster.Node
	rng    *rand.Rand // the actuator's
	cancel context.CancelFunc
	gone   chan struct{} // closed when it is killed
	parts  sync.WaitGroup
	asked  atomic.Bool // to stop
	ice    ice

	// Guarded by World.mu.
	dead   bool
	open   lease.Opened                // what is in the kernel
	leases map[fsm.Epoch]lease.Instant // and until when, as the gate there has it
	seen   *fsm.State                  // the state that was observed last
}

func (m *machine) addr() string { return m.ip + ":7300" }

// boot starts a process, unless one runs.
func (m *machine) boot() {
	w := m.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.proc != nil || w.ctx.Err() != nil {
		return
	}
	m.host.PowerOn()
	p := &process{m: m, gone: make(chan struct{}), rng: w.random(), leases: map[fsm.Epoch]lease.Instant{}}
	n, err := cluster.Open(cluster.Options{
		Name: m.id, Bind: m.addr(), Weight: 1, Facts: m.facts, Clock: p, Wall: m.day, Log: slog.New(log{w.opt.Log.Handler(), p}),
		Network: sockets{m.host, p}, Store: disk{m.disk, p}, Retention: w.retain, OnLease: p.renewed,
	})
	if err != nil {
		w.fail("%s does not open: %v", m.id, err)
		return
	}
	w.tracef("%s starts", m.id)
	m.lack(w.upTo(4 * time.Second)) // what the kernel had may be gone, and has not come from the others
	ctx, cancel := context.WithCancel(context.Background())
	p.node, p.cancel, m.proc = n, cancel, p
	p.parts.Go(func() {
		if err := n.Run(ctx); !p.killed() && (err != nil || !p.asked.Load()) {
			w.fail("%s ended by itself: %v", m.id, err)
		}
	})
	p.parts.Go(func() { p.act(ctx) })
	p.parts.Go(func() { p.watch(ctx) })
	p.parts.Go(func() { p.keep(ctx) })
	w.procs.Go(p.parts.Wait)
}

// day is the time of day on the machine. Nothing can be measured with it.
func (m *machine) day() time.Time { return time.Now().Round(0).Add(time.Duration(m.wall.Load())) }

// renewed writes a lease into the kernel's gate.
func (p *process) renewed(c lease.LeaseChanged) error {
	if !p.later(false, func() { p.gate(c) }) {
		p.gate(c)
	}
	return nil
}

func (p *process) gate(c lease.LeaseChanged) {
	w := p.m.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.dead {
		return
	}
	p.leases[c.Epoch] = c.Until
	w.check()
}

// lack has the machine report for so long that it lacks the others' connections.
func (m *machine) lack(d time.Duration) { m.lacks.Store(int64(time.Since(m.w.begun) + d)) }

func (m *machine) facts() fsm.Facts {
	return fsm.Facts{Unsynced: int64(time.Since(m.w.begun)) < m.lacks.Load(), Schema: fsm.MaxSchema, DataPlane: "nft", Forwards: []fsm.Forward{fsm.NAT}, Schedulers: []string{"rr"},
		Fence: "bpf", LeaseThread: "deadline",
		Links: []fsm.Link{{Name: "eth0", Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}}
}

func (p *process) killed() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// crash ends the process at once: it is killed, or the machine loses its power. The disk keeps what was written by now.
func (m *machine) crash(power bool) bool {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	return m.halt(power)
}

// halt is crash while mu is held.
func (m *machine) halt(power bool) bool {
	w := m.w
	p := m.proc
	if p == nil {
		return false
	}
	m.proc, p.dead = nil, true
	close(p.gone)
	// First nobody hears of it any more, then the disk is looked at: what it said, it had written.
	if power {
		m.host.PowerOff()
		m.ghosts = nil
		m.clock.reboot(w.random())
	} else {
		m.host.Kill()
		for k, e := range p.open {
			m.ghosts = append(m.ghosts, ghost{k, e, p.leases[e]})
		}
	}
	left, err := m.disk.Clone()
	if err != nil {
		w.fail("%s: %v", m.id, err)
		return false
	}
	m.disk = left
	p.cancel()
	return true
}

// stop ends the process in good order.
func (m *machine) stop() {
	w := m.w
	w.mu.Lock()
	p := m.proc
	w.mu.Unlock()
	if p == nil {
		return
	}
	for !p.asked.Load() {
		p.wait()            // it hears the signal when it goes on
		p.asked.Store(true) // now it is frozen no more, see freeze
	}
	p.cancel()
	p.parts.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	p.open = nil
	if m.proc == p {
		m.proc = nil
	}
}

// holds reports whether the machine claims the address now: it is in the kernel, under a lease that is live by the
// machine's own clocks. World.mu is held.
func (m *machine) holds(a netip.Addr) bool {
	for k := range m.claims() {
		if k.Addr == a {
			return true
		}
	}
	return false
}

// claims goes through the addresses that the machine answers for now, and the epochs under which it opened them. World.mu is held.
func (m *machine) claims() iter.Seq2[fsm.AddressKey, fsm.Epoch] {
	return func(yield func(fsm.AddressKey, fsm.Epoch) bool) {
		now := m.clock.Now()
		live := func(until lease.Instant) bool { return now.Raw < until.Raw && now.Boot < until.Boot }
		if p := m.proc; p != nil {
			for k, e := range p.open {
				if live(p.leases[e]) && !yield(k, e) {
					return
				}
			}
		}
		for _, g := range m.ghosts {
			if live(g.until) && !yield(g.key, g.epoch) {
				return
			}
		}
	}
}

// pause waits, and reports false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
