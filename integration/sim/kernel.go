package sim

import (
	"time"

	"quorate/fsm"
	"quorate/vip/gate"
)

// kernel is what a node's kernel has of the cluster's: the gate, with its two maps, and the addresses. It is written by
// processes and outlives them: only a reboot empties it. What it answers is up to its own clock.
type kernel struct {
	vips     [maxSlots]gate.Entry
	gated    [maxSlots]bool // there is an entry
	leases   gate.Leases
	expires  [maxSlots]time.Duration // when the address's lifetime ends, in real time; past: the address is not there
	attached bool                    // the program is on the links, pinned
}

func newKernel() *kernel { return &kernel{leases: gate.Leases{}} }

// has reports whether the address is in the kernel.
func (k *kernel) has(slot int, now time.Duration) bool { return now < k.expires[slot] }

// passes reports whether frames of that kind get through the gate.
func (k *kernel) passes(slot int, p gate.Protocol, boot time.Duration) bool {
	return !k.attached || !k.gated[slot] || k.vips[slot].Passes(p, k.leases, boot)
}

// renew is gate.Lease.Renew.
func (k *kernel) renew(epoch uint64, until time.Duration) {
	if until <= 0 {
		delete(k.leases, epoch)
		return
	}
	k.leases[epoch] = until
}

// sweep is what a gate that is opened anew does with the deadlines that it finds.
func (k *kernel) sweep(boot time.Duration) {
	for e, until := range k.leases {
		if until <= boot {
			delete(k.leases, e)
		}
	}
}

// set writes an entry.
func (k *kernel) set(slot int, e gate.Entry) { k.vips[slot], k.gated[slot] = e, true }

// claims reports whether the node says now that the address is here: its kernel would answer for it, or its process believes
// that it may open it. Frozen and killed processes are no matter to the kernel; a machine that stands still answers nothing.
func (n *node) claims(slot int, now, boot time.Duration) bool {
	if n.suspended {
		return false
	}
	return n.kernelClaims(slot, now, boot) || n.up && n.asked[slot] != 0 && n.m.Live(n.asked[slot], n.instant())
}

func (n *node) kernelClaims(slot int, now, boot time.Duration) bool {
	return n.kernel.has(slot, now) && n.kernel.passes(slot, gate.ARP, boot)
}

// holds reports whether clients reach the address at this node.
func (n *node) holds(key fsm.AddressKey) bool {
	slot, boot := n.w.slot(key.Addr), n.instant().Boot
	return !n.suspended && n.kernelClaims(slot, n.w.now, boot) && n.kernel.passes(slot, gate.IP, boot)
}

// renewal is one write of the lease's thread on its way into the kernel. Its instant was read before.
type renewal struct {
	epoch uint64
	until time.Duration
}

// renew tells the kernel of a lease. Mostly at once; now and then the thread is held up before the write.
func (n *node) renew(epoch fsm.Epoch, until time.Duration) {
	n.renewals = append(n.renewals, renewal{uint64(epoch), until})
	if len(n.renewals) > 1 {
		return // behind one that is held up
	}
	d := n.trapped(inRenewal)
	if d == 0 && n.w.rng.Intn(64) == 0 {
		d = n.w.little()
	}
	if d == 0 {
		n.write()
		return
	}
	n.on(d, n.write)
}

func (n *node) write() {
	for _, r := range n.renewals {
		n.kernel.renew(r.epoch, r.until)
	}
	n.renewals = n.renewals[:0]
	n.w.dirty = true
}

// point is a place in what a process does to the kernel at which it can be caught.
type point int

// The points, each before the write that it is named for.
const (
	inRenewal point = iota
	inClose
	inRemove
	inOpen
	inPut
	inConfirm
	points
)

func (p point) String() string {
	return "caught in " + [points]string{"a renewal", "closing", "removing", "opening", "putting", "confirming"}[p]
}

// Happenings are the names under which Stats count what a schedule did. Schedules that leave one out test too little.
func Happenings() []string {
	names := []string{
		"killed", "rebooted", "frozen", "suspended", "resumed",
		"fenced", "moved by fence", "raised", "handed over", "lingered", "yielded", "leader succeeded",
		"voters changed", "grantors changed", "node joined", "node removed", "configured", "profile changed",
		"check said", "path cut", "left a failing check", "left a cut path",
	}
	for p := range points {
		names = append(names, p.String())
	}
	return names
}

// trap waits for a process to come to a point. There it is held up, and perhaps something else happens to it.
type trap struct {
	late time.Duration
	then func()
}

// trapped springs the trap at p, if one is set, and says by how long what comes next is held up; 0: not at all.
func (n *node) trapped(p point) time.Duration {
	t := n.traps[p]
	if t == nil {
		return 0
	}
	n.traps[p] = nil
	n.w.tracef("%s is %v", n.id, p)
	n.w.happened[p.String()]++
	if t.then != nil {
		n.w.after(0, t.then)
	}
	return max(t.late, time.Microsecond)
}

// clearTraps takes away those that were not sprung.
func (n *node) clearTraps() { n.traps = [points]*trap{} }

// reboot ends everything on the machine but its disk.
func (n *node) reboot() {
	n.crash()
	n.w.tracef("the machine of %s too", n.id)
	n.w.happened["rebooted"]++
	n.kernel = newKernel()
	n.rawOff, n.bootOff = n.origin(n.rawRate), n.origin(n.bootRate)
	n.mute = [maxSlots]time.Duration{}
}

// origin is what a clock of that rate started from when it shows a second now.
func (n *node) origin(rate float64) time.Duration {
	return time.Second - time.Duration(float64(n.w.now)*rate)
}
