package vip

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/mdlayher/netlink"
	vnl "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Netlink is the Linux kernel's addresses, by rtnetlink.
//
// An address is ours when its IFA_PROTO is 0x51 (kernels since 5.18; the first Put asks the kernel whether it knows the
// attribute). On older kernels there is no mark that would fit every address, and memory of our own is no substitute: it
// is lost with the process, and then addresses are orphaned. There, what is ours is read from the entry itself:
//
//   - IPv4: its label is the link's name with ":q", where that fits (15 characters);
//   - otherwise: it is one of the addresses given to Manage, has a finite lifetime and noprefixroute, and for IPv6 nodad,
//     as every entry that we make. An operator's static address has no end, and so stays foreign even if the cluster
//     manages an equal one; an address from DHCP or SLAAC may have an end, but the cluster does not manage it. What we
//     have put or seen as ours stays ours while it is there, also when it is no longer given to Manage: the cluster may
//     give up an address, or the node the cluster, before the entry is removed.
//
// Until Manage was called nothing that another process has put matches the second rule. Its methods may be called from several goroutines.
type Netlink struct {
	in func(func() error) error // runs a function in the network namespace

	mu       sync.Mutex
	conn     *netlink.Conn
	links    *vnl.Handle
	batch    *batch
	marks    marks
	managed  map[netip.Addr]struct{}
	indexes  map[string]uint32 // of the last list
	entries  map[key]addrEntry // of the last list, kept only where marks are by rule
	own      map[key]struct{}  // what we have put or seen as ours, and every list since had; kept only where marks are by rule
	promoted map[uint32]bool   // links whose promote_secondaries we have set

	routed   map[routedKey]struct{} // IPv6 addresses of the last list: the kernel takes packets for them, or is about to
	unrouted map[routedKey]struct{} // those for which a Put has waited in vain for that
	unready  map[uint32]time.Time   // links at whose addresses it was last waited in vain for that, and until when it is not again
}

// marks says how the kernel keeps our mark.
type marks uint8

const (
	marksUnknown marks = iota // not asked yet, or not permitted to
	marksByProto              // IFA_PROTO
	marksByRule               // older kernel: see Netlink
)

// NewKernel opens the kernel of this process's network namespace. It works without privileges for listing; Put and Remove need
// NET_ADMIN. Close releases its sockets.
func NewKernel() (*Netlink, error) { return newKernel(here) }

func newKernel(in func(func() error) error) (*Netlink, error) {
	k := &Netlink{in: in, promoted: map[uint32]bool{}, unrouted: map[routedKey]struct{}{}}
	if err := k.open(); err != nil {
		return nil, err
	}
	return k, nil
}

func (k *Netlink) open() error {
	return k.in(func() error {
		conn, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
		if err != nil {
			return fmt.Errorf("open rtnetlink: %w", err)
		}
		links, err := vnl.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			conn.Close()
			return fmt.Errorf("open rtnetlink: %w", err)
		}
		all, err := openBatch()
		if err != nil {
			conn.Close()
			links.Close()
			return err
		}
		k.conn, k.links, k.batch = conn, links, all
		return nil
	})
}

// Close closes the sockets. The kernel keeps its addresses until their lifetimes end.
func (k *Netlink) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.links.Close()
	k.batch.close()
	return k.conn.Close()
}

// Manage tells which addresses are the cluster's; it matters on kernels before 5.18 only. What was ours before stays
// ours while it is there.
func (k *Netlink) Manage(addrs []netip.Addr) {
	managed := make(map[netip.Addr]struct{}, len(addrs))
	for _, a := range addrs {
		managed[a] = struct{}{}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.managed = managed
}

// List implements [Kernel].
func (k *Netlink) List() ([]Address, error) {
	have, _, err := k.Survey()
	return have, err
}

// Put implements [Kernel]. The errors ErrNoLink, ErrLinkDown and ErrPermission say what they can be cured by.
func (k *Netlink) Put(w Wanted) error {
	if err := w.check(); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.probe(); err != nil {
		return fmt.Errorf("put %s: %w", w, err)
	}
	index, err := k.index(w.Link)
	if err != nil {
		return fmt.Errorf("put %s: %w", w, err)
	}
	err = k.put(index, w)
	if errors.Is(err, unix.ENODEV) { // replaced by another link of the same name since the last list
		delete(k.indexes, w.Link)
		if index, err = k.index(w.Link); err == nil {
			err = k.put(index, w)
		}
	}
	if err != nil {
		return fmt.Errorf("put %s: %w", w, explain(err, w.Link))
	}
	return nil
}

// notePut remembers that an entry is ours, where it cannot say so itself.
func (k *Netlink) notePut(w Wanted) {
	if k.marks != marksByRule {
		return
	}
	if k.own == nil {
		k.own = make(map[key]struct{})
	}
	k.own[w.key()] = struct{}{}
}

// put makes sure that the address is there, is ours, and lasts.
func (k *Netlink) put(index uint32, w Wanted) error {
	body, err := k.prepare(index, w)
	if err != nil {
		return err
	}
	if err := k.do(unix.RTM_NEWADDR, netlink.Create|netlink.Replace, body); err != nil {
		return err
	}
	k.notePut(w)
	if w.Prefix.Addr().Is4() {
		return nil
	}
	return k.awaitLocal(index, w.Prefix.Addr())
}

// prepare does what must be done before the address is put, and returns the request's payload.
func (k *Netlink) prepare(index uint32, w Wanted) ([]byte, error) {
	if w.Prefix.Addr().Is4() && w.Prefix.Bits() < 32 {
		if err := k.promoteSecondaries(index); err != nil {
			return nil, err
		}
	}
	label := ""
	if k.marks == marksByRule {
		label = linkLabel(w.Link)
		// Neither label nor flags change on an entry that exists: one that does not carry them has to go first.
		if e, ok := k.entries[w.key()]; ok && e.prefix == w.Prefix && !k.ours(e, w.Link) {
			if err := k.remove(index, w.Prefix); err != nil {
				return nil, err
			}
			delete(k.entries, w.key())
		}
	}
	return encodePut(index, w, label)
}

// PutAll is Put for many, with few system calls, and returns the error of each. What one call of the kernel could not do for an
// address is tried once more for it alone.
func (k *Netlink) PutAll(list []Wanted) []error {
	errs := make([]error, len(list))
	k.mu.Lock()
	probed := k.probe()
	var bodies [][]byte
	var at []int // of each body, in list
	indexes := make([]uint32, len(list))
	for i, w := range list {
		if errs[i] = probed; errs[i] != nil {
			continue
		}
		if errs[i] = w.check(); errs[i] != nil {
			continue
		}
		var body []byte
		if indexes[i], errs[i] = k.index(w.Link); errs[i] == nil {
			body, errs[i] = k.prepare(indexes[i], w)
		}
		if errs[i] == nil {
			bodies, at = append(bodies, body), append(at, i)
		}
	}
	for j, err := range k.all(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, bodies) {
		errs[at[j]] = err
	}
	for _, i := range at {
		if errs[i] != nil {
			continue
		}
		k.notePut(list[i])
		if a := list[i].Prefix.Addr(); a.Is6() {
			errs[i] = k.awaitLocal(indexes[i], a)
		}
	}
	k.mu.Unlock()
	for i, w := range list {
		if errs[i] != nil {
			errs[i] = k.Put(w)
		}
	}
	return errs
}

// RemoveAll is Remove for many, with few system calls, and returns the error of each. What one call of the kernel could not do for an
// address is tried once more for it alone.
func (k *Netlink) RemoveAll(list []Address) []error {
	errs := make([]error, len(list))
	k.mu.Lock()
	var bodies [][]byte
	var at []int
	for i, a := range list {
		var body []byte
		var index uint32
		if index, errs[i] = k.index(a.Link); errs[i] == nil {
			body, errs[i] = encodeRemove(index, a.Prefix)
		}
		if errs[i] == nil {
			bodies, at = append(bodies, body), append(at, i)
		}
	}
	for j, err := range k.all(unix.RTM_DELADDR, 0, bodies) {
		if errs[at[j]] = err; err == nil {
			delete(k.own, list[at[j]].key())
		}
	}
	k.mu.Unlock()
	for i, a := range list {
		if errs[i] != nil {
			errs[i] = k.Remove(a)
		}
	}
	return errs
}

// all carries out any number of requests.
func (k *Netlink) all(typ, flags uint16, bodies [][]byte) []error {
	errs := make([]error, 0, len(bodies))
	for part := range slices.Chunk(bodies, batchCommands) {
		each, err := k.batch.do(typ, flags, part)
		if err != nil {
			err = errors.Join(err, k.reopen())
			each = slices.Repeat([]error{err}, len(part))
		}
		errs = append(errs, each...)
	}
	return errs
}

// Remove implements [Kernel].
func (k *Netlink) Remove(a Address) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	index, err := k.index(a.Link)
	if errors.Is(err, ErrNoLink) {
		return nil // its addresses went with it
	}
	if err == nil {
		err = k.remove(index, a.Prefix)
	}
	if err == nil {
		delete(k.own, a.key())
	}
	if err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("remove %s from %s: %w", a.Prefix, a.Link, explain(err, a.Link))
	}
	return nil
}

func (k *Netlink) remove(index uint32, p netip.Prefix) error {
	body, err := encodeRemove(index, p)
	if err != nil {
		return err
	}
	err = k.do(unix.RTM_DELADDR, 0, body)
	if errors.Is(err, unix.EADDRNOTAVAIL) {
		return nil // gone already
	}
	return err
}

// probe asks the kernel once whether it knows IFA_PROTO. One that does finds the empty attribute out of range before it
// looks for the link; one that does not skips the attribute and misses the link.
func (k *Netlink) probe() error {
	if k.marks != marksUnknown {
		return nil
	}
	body, err := encodeProbe()
	if err != nil {
		return err
	}
	err = k.do(unix.RTM_NEWADDR, netlink.Create|netlink.Excl, body)
	switch {
	case errors.Is(err, unix.ENODEV):
		k.marks = marksByRule
	case errors.Is(err, unix.ERANGE) || errors.Is(err, unix.EINVAL):
		k.marks = marksByProto
	case err == nil:
		return errors.New("ask the kernel for IFA_PROTO: it accepted an address on no link")
	default:
		return explain(err, "no link")
	}
	return nil
}

// ours says whether an entry is ours; see Netlink.
func (k *Netlink) ours(e addrEntry, link string) bool {
	if k.marks != marksByRule {
		return e.proto == ourProto
	}
	addr := e.prefix.Addr()
	if label := linkLabel(link); addr.Is4() && label != "" {
		return e.label == label
	}
	_, known := k.managed[addr]
	if !known {
		_, known = k.own[key{addr, link}]
	}
	return known && k.likeOurs(e, link)
}

// likeOurs says whether an entry could be ours by the second rule, if we know that it is; see Netlink.
func (k *Netlink) likeOurs(e addrEntry, link string) bool {
	need := uint32(unix.IFA_F_NOPREFIXROUTE)
	if _, virtual := parseVirtual(link); bringsRoute(e.prefix.Addr(), virtual) {
		need = 0
	}
	if e.prefix.Addr().Is6() {
		need |= unix.IFA_F_NODAD
	}
	return k.marks == marksByRule && e.flags&need == need && e.valid != noLifetimeEnd
}

// linkLabel is the label that marks an IPv4 address as ours on kernels without IFA_PROTO; empty where it does not fit.
func linkLabel(link string) string {
	if l := link + ":q"; len(l) < unix.IFNAMSIZ {
		return l
	}
	return ""
}

// do sends one request and waits for its acknowledgement. After an error of the socket itself it is opened anew, because
// replies and requests may be out of step.
func (k *Netlink) do(typ netlink.HeaderType, flags netlink.HeaderFlags, body []byte) error {
	_, err := k.execute(netlink.Message{
		Header: netlink.Header{Type: typ, Flags: netlink.Request | netlink.Acknowledge | flags},
		Data:   body,
	})
	return err
}

func (k *Netlink) execute(m netlink.Message) ([]netlink.Message, error) {
	reply, err := k.conn.Execute(m)
	var op *netlink.OpError
	if err == nil || errors.As(err, &op) && op.Op == "receive" && isErrno(err) {
		return reply, err
	}
	return nil, errors.Join(err, k.reopen())
}

func (k *Netlink) reopen() error {
	k.conn.Close()
	k.links.Close()
	k.batch.close()
	return k.open()
}

// isErrno says that err is the kernel's answer to a request.
func isErrno(err error) bool {
	var no unix.Errno
	return errors.As(err, &no) && no != unix.ENOBUFS && no != unix.EBADF
}
