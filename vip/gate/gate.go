package gate

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Kind names a fence in status, metrics and the API.
type Kind string

// The fences, strongest first.
const (
	// KindBPF is a program on every link that compares absolute deadlines for each frame.
	KindBPF Kind = "bpf"
	// KindNFT is a set of timed elements in nftables. Its timeouts are relative: a process that is frozen inside the call
	// opens it late, for at most its timeout.
	KindNFT Kind = "nft"
	// KindLifetime is no gate at all: only the address's own lifetime in the kernel, of whole seconds.
	KindLifetime Kind = "address-lifetime"
)

// Entry is what the gate is told of one cluster address.
type Entry struct {
	Addr netip.Addr
	// Epoch is the node epoch under which the address was opened, as an opaque number. 0: closed, whatever the rest says.
	Epoch uint64
	// ARP lets claims pass: ARP and neighbour discovery. IP lets packets from and to the address pass.
	ARP, IP bool
	// IPUntil is set in a linger only: IP passes until that CLOCK_BOOTTIME instant, ARP must be false. 0: no end but the
	// lease's.
	IPUntil time.Duration
}

// Check says what makes e impossible to carry out.
func (e Entry) Check() error {
	switch {
	case !e.Addr.IsValid() || e.Addr.Is4In6() || e.Addr.Zone() != "":
		return fmt.Errorf("gate: %q is not an address that can be gated: write it without mapping and zone", e.Addr)
	case e.IPUntil < 0:
		return fmt.Errorf("gate: %s: the end of its linger, %s, is before the boot", e.Addr, e.IPUntil)
	case e.IPUntil > 0 && e.ARP:
		return fmt.Errorf("gate: %s: claims are closed in a linger", e.Addr)
	}
	return nil
}

// Lease is the part of a gate that the lease writes.
type Lease interface {
	// Renew says until when addresses opened under epoch are open, as an absolute instant of CLOCK_BOOTTIME; 0: the lease
	// is over. It allocates nothing and waits for nobody but the kernel. It is called by one goroutine, the lease's, at the
	// same time as the other methods.
	Renew(epoch uint64, until time.Duration) error
}

// Fence is the part of a gate that the actuator writes. Its methods are called by one goroutine at a time.
type Fence interface {
	// Set states all cluster addresses, open and closed. It lists what the kernel has and changes what differs. What is to
	// be less open is changed first; an address that is named no more is no longer gated. On an error some of it may be
	// done: closing is tried for every address before the error is returned.
	Set([]Entry) error
	// Check makes every Ethernet link carry the gate, and lists the kernel to say which does. The error says that
	// the kernel could not be listed; then no link may be relied upon.
	Check() (Report, error)
	// Remove takes everything of ours off the host: for an orderly end, after all addresses have gone. The gate is of
	// no use afterwards but to Close.
	Remove() error
}

// Gate is one gate of one network namespace.
type Gate interface {
	Lease
	Fence
	Kind() Kind
	// Drops counts the frames that the gate has dropped since it was made in the kernel. Concurrency-safe.
	Drops() ([]Drops, error)
	// Close releases this process's descriptors. What is in the kernel stays, and goes on fencing.
	Close() error
}

// Report is what Check found.
type Report struct {
	Links []Link // every link that is to carry the gate, sorted by name
	// Ports are the Ethernet links that are ports of a bridge, bond or team, each with the name of that: the gate is there.
	Ports map[string]string
}

// Link is what Check found on one link.
type Link struct {
	Name  string
	Index int
	// Err is why the link does not carry the gate; nil when it does, in and out.
	Err error
	// Mended says what was missing and has been put back, when the link had carried the gate before; "" = nothing.
	Mended string
}

// ErrUngated says that no address may be put on a link, because it does not carry the gate.
var ErrUngated = errors.New("the link does not carry the gate")

// Fenced returns nil when the link of that name carries the gate, otherwise why it does not (ErrUngated).
func (r Report) Fenced(link string) error {
	for _, l := range r.Links {
		switch {
		case l.Name != link:
		case l.Err != nil:
			return fmt.Errorf("%w: %s: %w", ErrUngated, link, l.Err)
		default:
			return nil
		}
	}
	if master, ok := r.Ports[link]; ok {
		return fmt.Errorf("%w: %s is a port of %s: name %[3]s as the interface", ErrUngated, link, master)
	}
	return fmt.Errorf("%w: %s is no Ethernet link: name another interface", ErrUngated, link)
}

// Direction is the way of a frame, seen from this host.
type Direction string

// The directions.
const (
	In  Direction = "in"
	Out Direction = "out"
)

// Protocol is what a dropped frame was.
type Protocol string

// The protocols.
const (
	ARP Protocol = "arp"
	NDP Protocol = "ndp"
	IP  Protocol = "ip"
)

// Reason is why a frame was dropped.
type Reason string

// The reasons.
const (
	// Closed: the address is closed for this kind of frame, by its entry.
	Closed Reason = "closed"
	// Expired: the address is open, but its lease or linger has run out.
	Expired Reason = "expired"
	// Malformed: it could concern a cluster address, and cannot be read.
	Malformed Reason = "malformed"
)

// Drops is one counter.
type Drops struct {
	Direction Direction
	Protocol  Protocol
	Reason    Reason
	Frames    uint64
}
