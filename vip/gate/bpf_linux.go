package gate

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

//go:generate ./generate.sh

// bpf is the gate as a program on every link.
type bpf struct {
	in  func(func() error) error
	log *slog.Logger
	nl  *netlink.Handle
	dir string // of the pins

	objects objectObjects

	mu     sync.Mutex // of Set, Check, Remove
	attach attachment
	held   *os.File // the locked directory of the pins; nil: they are not pinned yet
	gated  map[int]bool
	over   bool // Remove was called
	flags  flags

	renewing sync.Mutex
	key      uint64
	deadline deadline
	epochs   [8]uint64 // in the lease map, as far as this process knows; 0 = free
}

// deadline is struct deadline of gate.c.
type deadline struct {
	_     [2]uint32
	until uint64
}

// The files in a directory of pins, beside those of the links.
const (
	pinVIP   = "vip"
	pinLease = "lease"
	pinDrops = "drops"
)

func openBPF(o Options) (Gate, error) { return openBPFAs(o, "") }

// openBPFAs opens it with the attachment that is named "tcx" or "clsact"; "": the best that there is.
func openBPFAs(o Options, how string) (*bpf, error) {
	g := &bpf{in: o.In, log: o.Log, gated: map[int]bool{}}
	if err := o.In(func() error { return g.open(how) }); err != nil {
		return nil, errors.Join(err, g.close())
	}
	return g, nil
}

func (g *bpf) open(how string) error {
	if _, err := os.Stat("/sys/fs"); err != nil {
		return fmt.Errorf("%w: is /sys mounted?", err)
	}
	// Below 5.11 maps count as locked memory; above, this does nothing.
	_ = rlimit.RemoveMemlock()
	name, err := namespaceName()
	if err != nil {
		return err
	}
	g.dir = filepath.Join(pinRoot, name)
	if g.nl, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return fmt.Errorf("open rtnetlink: %w", err)
	}
	fresh, err := mounted()
	if err != nil {
		return err
	}
	if fresh {
		g.log.Info("bpffs was not mounted and is now", "dir", bpffs)
	}
	sweep(g.log)
	if err := g.load(); err != nil {
		return loadError(err)
	}
	return g.choose(how)
}

// loadError adds the cure.
func loadError(err error) error {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES) && !isVerifier(err):
		return fmt.Errorf("%w: it needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN (AmbientCapabilities= in the systemd unit)", err)
	case errors.Is(err, unix.EFAULT), errors.Is(err, unix.E2BIG):
		// Without CAP_PERFMON the kernel also follows every branch that a processor might take by mistake, and gives up.
		return fmt.Errorf("%w: it needs CAP_PERFMON too (AmbientCapabilities= in the systemd unit)", err)
	case errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("%w: this kernel was built without BPF", err)
	case isVerifier(err):
		return fmt.Errorf("%w: it needs Linux 5.8 or newer", err)
	}
	return err
}

func isVerifier(err error) bool {
	var v *ebpf.VerifierError
	return errors.As(err, &v)
}

// load loads the programs over the maps that a process before this one has pinned, so that what it opened stays as it is,
// or over new ones.
func (g *bpf) load() error {
	spec, err := loadObject()
	if err != nil {
		return err
	}
	old, err := g.pinned(spec)
	if err != nil {
		return err
	}
	err = spec.LoadAndAssign(&g.objects, &ebpf.CollectionOptions{MapReplacements: old.use})
	for _, m := range old.use {
		m.Close() // cloned
	}
	if err == nil && old.keys != nil {
		err = g.succeed(old.keys)
	}
	if err == nil {
		err = g.sweepLeases()
	}
	return err
}

// left are the maps of a process before this one.
type left struct {
	use  map[string]*ebpf.Map // those that fit, by their name in gate.c
	keys []address            // addresses of a gate of another layout
}

// pinned finds the pinned maps. It locks their directory.
func (g *bpf) pinned(spec *ebpf.CollectionSpec) (left, error) {
	l := left{use: map[string]*ebpf.Map{}}
	if _, err := os.Stat(g.dir); errors.Is(err, os.ErrNotExist) {
		return l, nil
	}
	var err error
	if g.held, err = lockPins(g.dir); err != nil {
		return l, err
	}
	fits := true
	var vip *ebpf.Map
	for name, pin := range pins() {
		m, err := ebpf.LoadPinnedMap(filepath.Join(g.dir, pin), nil)
		if errors.Is(err, os.ErrNotExist) {
			fits = false
			continue
		}
		if err != nil {
			return l, fmt.Errorf("read the pin %s: %w", pin, err)
		}
		l.use[name] = m
		info, err := m.Info()
		if err != nil {
			return l, fmt.Errorf("ask for the map %s: %w", pin, err)
		}
		fits = fits && info.Name == name && spec.Maps[name].Compatible(m) == nil
		if pin == pinVIP {
			vip = m
		}
	}
	if fits {
		return l, nil
	}
	// Of another version, or half made. What is gated stays gated, closed.
	l.keys = []address{}
	if vip != nil && vip.KeySize() == uint32(unsafe.Sizeof(address{})) {
		var next address
		key := make([]byte, len(next))
		for err = vip.NextKey(nil, key); err == nil; err = vip.NextKey(key, key) {
			l.keys = append(l.keys, address(key))
		}
		if !errors.Is(err, ebpf.ErrKeyNotExist) {
			return l, fmt.Errorf("read the gate of another version: %w", err)
		}
	}
	for _, m := range l.use {
		m.Close()
	}
	clear(l.use)
	return l, nil
}

// pins are the pinned maps: their name in gate.c, and their file.
func pins() map[string]string {
	return map[string]string{objectMapQuorateVip1: pinVIP, objectMapQuorateLease1: pinLease, objectMapQuorateDrops1: pinDrops}
}

// succeed replaces the gate of another version, closed.
func (g *bpf) succeed(keys []address) error {
	closed := make([]entry, len(keys))
	if err := g.put(keys, closed); err != nil {
		return fmt.Errorf("close the addresses of the gate of another version: %w", err)
	}
	for _, pin := range pins() {
		if err := os.Remove(filepath.Join(g.dir, pin)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return g.pinMaps() // and Check puts the new program in the place of the old one
}

// choose takes the best attachment that there is.
func (g *bpf) choose(how string) error {
	progs := programs{g.objects.QuorateIn, g.objects.QuorateOut}
	if how != "clsact" {
		err := probeTCX(progs.in)
		if err == nil {
			g.attach = &tcx{progs: progs, dir: g.dir}
			return nil
		}
		if how == "tcx" {
			return err
		}
		g.log.Debug("no tcx; clsact is tried", "reason", err)
	}
	if err := probeClsact(progs, g.nl); err != nil {
		return fmt.Errorf("%w: it needs Linux 6.6, or the modules sch_ingress and cls_bpf (modprobe sch_ingress cls_bpf) and CAP_NET_ADMIN", err)
	}
	g.attach = &clsact{progs: progs, nl: g.nl, dir: g.dir}
	return nil
}

// Kind implements [Gate].
func (g *bpf) Kind() Kind { return KindBPF }

// Renew implements [Lease].
func (g *bpf) Renew(epoch uint64, until time.Duration) error {
	g.renewing.Lock()
	defer g.renewing.Unlock()
	if epoch == 0 {
		return errors.New("gate: epoch 0 opens nothing")
	}
	g.key, g.deadline.until = epoch, uint64(max(0, until))
	if until <= 0 {
		g.forget(epoch)
		if err := g.objects.QuorateLease1.Delete(unsafe.Pointer(&g.key)); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("gate: end the lease of epoch %d: %w", epoch, err)
		}
		return nil
	}
	if !g.remember(epoch) {
		return nil // below all that are in use: it was superseded
	}
	g.key = epoch
	if err := g.objects.QuorateLease1.Update(unsafe.Pointer(&g.key), unsafe.Pointer(&g.deadline), ebpf.UpdateLock); err != nil {
		return fmt.Errorf("gate: renew epoch %d: %w", epoch, err)
	}
	return nil
}

// remember notes an epoch that is about to be in the map, and makes room by ending the lowest when there are too many: a
// node is granted leases under one epoch, and for a moment two.
func (g *bpf) remember(epoch uint64) bool {
	low := 0
	for i, e := range g.epochs {
		if e == epoch {
			return true
		}
		if e < g.epochs[low] {
			low = i
		}
	}
	if g.epochs[low] > epoch {
		return false
	}
	if g.key = g.epochs[low]; g.key != 0 {
		_ = g.objects.QuorateLease1.Delete(unsafe.Pointer(&g.key)) // if it fails, then because it is not there
	}
	g.epochs[low] = epoch
	return true
}

func (g *bpf) forget(epoch uint64) {
	for i, e := range g.epochs {
		if e == epoch {
			g.epochs[i] = 0
		}
	}
}

// sweepLeases removes deadlines of processes before this one that have passed, to make room. Called before the first Renew.
func (g *bpf) sweepLeases() error {
	now, err := boottime()
	if err != nil {
		return err
	}
	var past []uint64
	var epoch uint64
	var d deadline
	it := g.objects.QuorateLease1.Iterate()
	for it.Next(unsafe.Pointer(&epoch), unsafe.Pointer(&d)) {
		if d.until <= uint64(now) {
			past = append(past, epoch)
		} else {
			g.remember(epoch)
		}
	}
	errs := []error{it.Err()}
	for _, e := range past {
		errs = append(errs, g.objects.QuorateLease1.Delete(unsafe.Pointer(&e)))
	}
	return errors.Join(errs...)
}

// boottime is CLOCK_BOOTTIME.
func boottime() (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0, fmt.Errorf("read CLOCK_BOOTTIME: %w", err)
	}
	return time.Duration(ts.Nano()), nil
}

// errOver is the answer after Remove.
var errOver = errors.New("gate: it was removed from this host")

// Check implements [Fence].
func (g *bpf) Check() (r Report, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.over {
		return r, errOver
	}
	err = g.in(func() error {
		if err := g.pin(); err != nil {
			return fmt.Errorf("gate: %w", err)
		}
		links, ports, err := gated(g.nl)
		if err != nil {
			return fmt.Errorf("gate: %w", err)
		}
		// First what is gone: its pin may have the index of one that has come.
		if err := g.attach.prune(links); err != nil {
			return fmt.Errorf("gate: %w", err)
		}
		seen := make(map[int]bool, len(links))
		for i := range links {
			l := &links[i]
			added, err := g.attach.ensure(*l)
			l.Err = err
			if g.gated[l.Index] && len(added) > 0 {
				l.Mended = fmt.Sprintf("the program was not attached any more (%s)", words(added))
			}
			seen[l.Index] = err == nil
		}
		g.gated = seen
		r = Report{Links: links, Ports: ports}
		return nil
	})
	return r, err
}

func words(ds []Direction) string {
	var w []string
	for _, d := range ds {
		w = append(w, string(d))
	}
	return strings.Join(w, " and ")
}

// pin makes sure that the maps are pinned, before anything is attached: a program whose maps nobody finds again could be
// neither renewed nor closed by the next process.
func (g *bpf) pin() error {
	if g.held == nil {
		err := makePins(g.dir)
		if err != nil {
			return fmt.Errorf("make %s: %w", g.dir, err)
		}
		if g.held, err = lockPins(g.dir); err != nil {
			return err
		}
	}
	return g.pinMaps()
}

func (g *bpf) pinMaps() error {
	for name, pin := range pins() {
		ours := g.mapOf(name)
		path := filepath.Join(g.dir, pin)
		there, err := ebpf.LoadPinnedMap(path, nil)
		if err == nil {
			same := sameMap(there, ours)
			there.Close()
			if same {
				continue
			}
			err = os.Remove(path)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("pin %s: %w", path, err)
		}
		// Directly, for Map.Pin keeps one place and would move it.
		clone, err := ours.Clone()
		if err == nil {
			err = errors.Join(clone.Pin(path), clone.Close())
		}
		if err != nil {
			return fmt.Errorf("pin %s: %w", path, err)
		}
	}
	return nil
}

func (g *bpf) mapOf(name string) *ebpf.Map {
	switch name {
	case objectMapQuorateVip1:
		return g.objects.QuorateVip1
	case objectMapQuorateLease1:
		return g.objects.QuorateLease1
	default:
		return g.objects.QuorateDrops1
	}
}

func sameMap(a, b *ebpf.Map) bool {
	x, err := a.Info()
	y, err2 := b.Info()
	if err != nil || err2 != nil {
		return false
	}
	i, ok := x.ID()
	j, ok2 := y.ID()
	return ok && ok2 && i == j
}

// Remove implements [Fence].
func (g *bpf) Remove() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
	err := g.in(func() error {
		links, _, err := gated(g.nl)
		return errors.Join(err, g.attach.remove(links))
	})
	if err == nil && g.held != nil {
		err = errors.Join(removePins(g.dir), g.held.Close())
		g.held = nil
	}
	if err != nil {
		return fmt.Errorf("gate: remove: %w", err)
	}
	return nil
}

// Drops implements [Gate].
func (g *bpf) Drops() ([]Drops, error) {
	var out []Drops
	i := uint32(0)
	for _, d := range directions {
		for _, p := range []Protocol{ARP, NDP, IP} {
			for _, r := range []Reason{Closed, Expired} {
				var cpus []uint64
				if err := g.objects.QuorateDrops1.Lookup(i, &cpus); err != nil {
					return nil, fmt.Errorf("gate: read the counters: %w", err)
				}
				n := uint64(0)
				for _, c := range cpus {
					n += c
				}
				out = append(out, Drops{Direction: d, Protocol: p, Reason: r, Frames: n})
				i++
			}
		}
	}
	return out, nil
}

// Close implements [Gate].
func (g *bpf) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.close()
}

func (g *bpf) close() error {
	if g.nl != nil {
		g.nl.Close()
	}
	var err error
	if g.held != nil {
		err = g.held.Close()
		g.held = nil
	}
	return errors.Join(err, g.objects.Close())
}
