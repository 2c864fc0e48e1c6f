package vip

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/netip"
	"time"

	"quorate/vip/gate"
)

// Forever is the lifetime of an address that the kernel never drops by itself.
const Forever = time.Duration(math.MaxInt64)

// minLifetime is the shortest lifetime that the kernel can keep: it counts whole seconds.
const minLifetime = time.Second

// Wanted is one address that this host is to carry.
type Wanted struct {
	// Prefix is the address with the prefix length that it gets on the link, e.g. 192.0.2.10/24.
	Prefix netip.Prefix
	// Link is the name of the network interface.
	Link string
	// VRID puts the address on the virtual MAC of that virtual router, of the address's family: on a link of our own making that lies
	// over Link (see [Virtual]). 0: on Link itself.
	VRID uint8
	// Lifetime is how long the address stays after the caller's last word (Reconcile or Keep). Fractions of a second are
	// cut, and it is at least a second: the kernel counts whole seconds.
	Lifetime time.Duration
	// Epoch is the node epoch under which the caller opened the address, as an opaque number that the lease is renewed
	// under. It matters to the gate only; where there is one, 0 keeps the address closed.
	Epoch uint64
	// IPUntil is set in a linger only: the address is being handed to another host. What is there stays, claims nothing and
	// is not announced, and takes and sends packets until that CLOCK_BOOTTIME instant; nothing is put or renewed. The caller
	// takes the address out of its wanted set then. It needs the gate: without one that works, the address goes at once.
	// With a virtual MAC nothing lingers: then the address goes at once, too.
	IPUntil time.Duration

	parent string // within the package: what Link was, where that is replaced by a link with a virtual MAC
}

// lingers says that w is being handed to another host.
func (w Wanted) lingers() bool { return w.IPUntil > 0 }

// String is the form used in logs and tests, e.g. "192.0.2.10/24 on eth0".
func (w Wanted) String() string {
	if w.parent != "" {
		return w.Prefix.String() + " on " + w.Link + " over " + w.parent
	}
	return w.Prefix.String() + " on " + w.Link
}

// check says what makes w impossible to carry out.
func (w Wanted) check() error {
	a := w.Prefix.Addr()
	switch {
	case !w.Prefix.IsValid():
		return fmt.Errorf("address %q: not an address with a prefix length, such as 192.0.2.10/24", w.Prefix)
	case a.Is4In6():
		return fmt.Errorf("address %s: write an IPv4 address as such, not mapped into IPv6", w.Prefix)
	case a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fmt.Errorf("address %s: not a unicast address that a link can carry", w.Prefix)
	case w.Link == "":
		return fmt.Errorf("address %s: no link named", w.Prefix)
	}
	return nil
}

// lifetime is Lifetime as the kernel can keep it: rounded down, so that it is never more than was asked for, but at least
// a second.
func (w Wanted) lifetime() time.Duration {
	return max(w.Lifetime.Truncate(time.Second), minLifetime)
}

// Address is one address that the kernel has.
type Address struct {
	Prefix netip.Prefix
	Link   string
	// Ours says that it carries our mark.
	Ours bool
	// ValidFor is what is left of its lifetime, in whole seconds; Forever when it has none.
	ValidFor time.Duration
}

// Link is a network interface as it is now.
type Link struct {
	Name  string
	Index int
	MAC   net.HardwareAddr // nil where the link has none
	Up    bool             // administratively up
	// Carrier says that the link can pass frames (IFF_RUNNING); false also when it is down.
	Carrier bool
	// Prefixes are the subnets on the link, masked and sorted, without those of addresses that are ours and without
	// IPv6 link-local ones, which every link has.
	Prefixes []netip.Prefix
	// Own are the host's own addresses on the link, sorted: those that are not ours.
	Own []netip.Addr
	// Primary is the first IPv4 address on the link that is the host's own, LinkLocal its first IPv6 link-local one that is in use: what protocols of the link send
	// from. The zero value is none.
	Primary, LinkLocal netip.Addr

	// Virtual says that we made it, for a virtual MAC: see [Virtual].
	Virtual bool

	loopback bool
}

// Kernel is where the addresses are. Its methods may be called from several goroutines.
//
// A Kernel that has a method Survey() ([]Address, []Link, error) is asked that instead of List; then missing and downed
// links are told apart from other failures, and addresses are announced again when their link comes back. One that has
// a method Manage([]netip.Addr) is told the cluster's addresses. One that has methods PutAll([]Wanted) []error and
// RemoveAll([]Address) []error is asked by them where there are many. One that has methods MakeVirtual(Virtual, bool) (bool, error) and
// RemoveVirtual(string) error can carry virtual MACs. One that has a method Accepts(string, netip.Addr) bool is asked whether it takes
// packets for an address that was put, by link and address: until then, for a second at most, it is not announced.
type Kernel interface {
	// List returns every address of the host, ours and foreign.
	List() ([]Address, error)
	// Put adds the address with our mark, or, where it exists, sets mark and lifetime. The lifetime is rounded up to
	// whole seconds.
	Put(Wanted) error
	// Remove removes the address. That it is not there is no error.
	Remove(Address) error
	// Watch calls wake once when it listens and then whenever addresses or links changed, until ctx ends (then it returns
	// nil) or it cannot go on. wake does not block.
	Watch(ctx context.Context, wake func()) error
}

// Gate closes addresses in the kernel as soon as their lease has run out; [quorate/vip/gate.Fence] says what each method
// does. It is used by one pass at a time.
type Gate interface {
	Set([]gate.Entry) error
	Check() (gate.Report, error)
	Remove() error
}

// Announcer tells the neighbours on a link that an address is here now.
type Announcer interface {
	// Announce sends one gratuitous ARP (IPv4) or one unsolicited neighbour advertisement (IPv6).
	Announce(link string, addr netip.Addr) error
}

// key is what an address is known by: the kernel has an IPv6 address once per link, and we never want an IPv4 address
// twice on one.
type key struct {
	Addr netip.Addr
	Link string
}

func (w Wanted) key() key  { return key{w.Prefix.Addr(), w.Link} }
func (a Address) key() key { return key{a.Prefix.Addr(), a.Link} }
