package gate

import (
	"errors"
	"fmt"
	"net/netip"
	"unsafe"

	"github.com/cilium/ebpf"
)

// address is the key of an address: IPv4 as ::ffff:a.b.c.d.
type address [16]byte

// entry is struct entry of gate.c.
type entry struct { // exported fields: github.com/cilium/ebpf fills them without copying
	Lock    uint32 // the kernel's; reads as 0
	Flags   uint32
	Epoch   uint64
	IPUntil uint64
}

const (
	flagARP = 1 << iota
	flagIP
)

// encode is e as the kernel has it. What is closed is always the same entry.
func encode(e Entry) (address, entry) {
	k := address(e.Addr.As16())
	if e.Epoch == 0 || !e.ARP && !e.IP {
		return k, entry{}
	}
	v := entry{Epoch: e.Epoch, IPUntil: uint64(e.IPUntil)}
	if e.ARP {
		v.Flags |= flagARP
	}
	if e.IP {
		v.Flags |= flagIP
	}
	return k, v
}

func (k address) String() string { return netip.AddrFrom16(k).Unmap().String() }

// opens says whether v lets something pass that old does not.
func (v entry) opens(old entry) bool {
	switch {
	case v.Epoch == 0:
		return false
	case v.Epoch != old.Epoch || v.Flags&^old.Flags != 0:
		return true
	case old.IPUntil == 0:
		return false
	default:
		return v.IPUntil == 0 || v.IPUntil > old.IPUntil
	}
}

// change is a part of what Set does, in the order in which it does it.
type change struct {
	keys   []address
	values []entry
}

func (c *change) add(k address, v entry) { c.keys, c.values = append(c.keys, k), append(c.values, v) }

// changes compares what is wanted with what the kernel has. First what closes, then what is new and closed, then what
// opens, then what is gated no more, which is open from then on.
func changes(want, have map[address]entry) (closing, opening change, gone []address) {
	var fresh change
	for k, v := range want {
		old, there := have[k]
		switch {
		case there && old == v:
		case v.opens(old):
			opening.add(k, v)
		case there:
			closing.add(k, v)
		default:
			fresh.add(k, v)
		}
	}
	for i, k := range fresh.keys {
		closing.add(k, fresh.values[i])
	}
	for k := range have {
		if _, wanted := want[k]; !wanted {
			gone = append(gone, k)
		}
	}
	return closing, opening, gone
}

// flags are buffers for reading the map.
type flags struct {
	keys   []address
	values []entry
}

// Set implements [Fence].
func (g *bpf) Set(entries []Entry) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.over {
		return errOver
	}
	want := make(map[address]entry, len(entries))
	for _, e := range entries {
		if err := e.Check(); err != nil {
			return err
		}
		k, v := encode(e)
		want[k] = v
	}
	have, err := g.list()
	if err != nil {
		return err
	}
	closing, opening, gone := changes(want, have)
	if err := g.put(closing.keys, closing.values); err != nil {
		return fmt.Errorf("gate: close: %w", err)
	}
	if err := g.put(opening.keys, opening.values); err != nil {
		return fmt.Errorf("gate: open: %w", err)
	}
	if len(gone) > 0 {
		if _, err := g.objects.QuorateVip1.BatchDelete(gone, nil); err != nil {
			return fmt.Errorf("gate: forget addresses: %w", err)
		}
	}
	return nil
}

// put writes entries by one call. If that fails on the way, each of the rest is tried by itself.
func (g *bpf) put(keys []address, values []entry) error {
	if len(keys) == 0 {
		return nil
	}
	m := g.objects.QuorateVip1
	_, err := m.BatchUpdate(keys, values, &ebpf.BatchOptions{ElemFlags: uint64(ebpf.UpdateLock)})
	if err == nil {
		return nil
	}
	var errs []error
	for i := range keys {
		if err := m.Update(unsafe.Pointer(&keys[i]), unsafe.Pointer(&values[i]), ebpf.UpdateLock); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", keys[i], err))
		}
	}
	return errors.Join(errs...)
}

// list reads the kernel's map.
func (g *bpf) list() (map[address]entry, error) {
	if g.flags.keys == nil {
		g.flags.keys, g.flags.values = make([]address, 1024), make([]entry, 1024)
	}
	have := map[address]entry{}
	var cursor ebpf.MapBatchCursor
	for {
		n, err := g.objects.QuorateVip1.BatchLookup(&cursor, g.flags.keys, g.flags.values, nil)
		for i := range n {
			have[g.flags.keys[i]] = g.flags.values[i]
		}
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			return have, nil
		}
		if err != nil {
			return nil, fmt.Errorf("gate: read the addresses: %w", err)
		}
	}
}
