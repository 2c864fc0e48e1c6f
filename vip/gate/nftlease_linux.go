package gate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// errNFTLate says that the kernel took so long over a renewal, again and again, that the lease was closed instead.
var errNFTLate = errors.New("gate: nftables answers too late to say until when it is to be open: the address is closed until the next renewal; another program may be loading a large ruleset")

// nftTries is how often a renewal that came late is made shorter, before the lease is closed.
const nftTries = 3

// leaseSet is the set of epochs that are open now.
type leaseSet interface {
	// put makes epoch the set's element for so long, from some instant within the call.
	put(epoch uint64, timeout time.Duration) error
	// cut takes epoch out of the set.
	cut(epoch uint64) error
}

// renew says in relative time what until says in absolute time. The kernel begins to count somewhere within the call, so
// an element may outlive until by as long as the call took. When that is more than nftLate it is made shorter at once, by as long as
// the last call took, and in the end it is cut.
func renew(now func() time.Duration, s leaseSet, epoch uint64, until time.Duration) error {
	took := time.Duration(0)
	for range nftTries {
		begin := now()
		timeout := (until - begin - took).Truncate(time.Millisecond)
		if timeout <= 0 {
			return s.cut(epoch)
		}
		err := s.put(epoch, timeout)
		end := now()
		if end+timeout <= until+nftLate {
			return err
		}
		if err != nil {
			return errors.Join(err, s.cut(epoch))
		}
		took = end - begin
	}
	return errors.Join(errNFTLate, s.cut(epoch))
}

// bootClock reads CLOCK_BOOTTIME. One goroutine at a time; it allocates nothing.
type bootClock struct{ ts unix.Timespec }

func (c *bootClock) now() time.Duration {
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &c.ts); err != nil {
		panic(fmt.Sprintf("CLOCK_BOOTTIME: %v", err)) // 2.6.39 has it; without it nothing can be said about a lease
	}
	return time.Duration(c.ts.Nano())
}

func bootNow() time.Duration {
	var c bootClock
	return c.now()
}

// leaseSocket writes the lease sets of both tables, each time in one transaction and one system call, over a socket of its own.
// The kernel carries it out within the call, under the lock that all transactions of the network namespace share.
type leaseSocket struct {
	mu       sync.Mutex // for the end: a descriptor that was closed may be another's by now. Nobody else waits for it.
	fd       int        // -1: closed
	clock    bootClock
	now      func() time.Duration
	set, end transactionBytes
	answer   [4096]byte
}

// transactionBytes is a transaction that is the same each time but for epoch and timeout.
type transactionBytes struct {
	raw              []byte
	epochs, timeouts []int // where they are in raw
}

// newLeaseSocket opens the socket in the network namespace of the calling thread.
func newLeaseSocket() (*leaseSocket, error) {
	// Not for waiting: the kernel has answered when the call returns.
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("opening a netfilter socket: %w", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("connecting a netfilter socket: %w", err)
	}
	s := &leaseSocket{fd: fd}
	s.now = s.clock.now
	// Added, deleted, added: whether or not it is there, whether or not it runs out meanwhile, and on kernels before 6.12, which
	// leave the timeout of an element that is there as it is.
	s.set.compile(unix.NFT_MSG_NEWSETELEM, unix.NFT_MSG_DELSETELEM, unix.NFT_MSG_NEWSETELEM)
	s.end.compile(unix.NFT_MSG_NEWSETELEM, unix.NFT_MSG_DELSETELEM)
	return s, nil
}

func (s *leaseSocket) renew(epoch uint64, until time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return renew(s.now, s, epoch, until)
}

func (s *leaseSocket) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd < 0 {
		return nil
	}
	err := unix.Close(s.fd)
	s.fd = -1
	return err
}

func (s *leaseSocket) put(epoch uint64, timeout time.Duration) error {
	return s.send(&s.set, epoch, timeout)
}

func (s *leaseSocket) cut(epoch uint64) error {
	return s.send(&s.end, epoch, time.Millisecond)
}

// compile makes the transaction of the given messages for each table.
func (t *transactionBytes) compile(kinds ...int) {
	t.message(unix.NFNL_MSG_BATCH_BEGIN, 0, []byte{0, unix.NFNETLINK_V0, 0, unix.NFNL_SUBSYS_NFTABLES})
	for fi, family := range []nftables.TableFamily{famINet, famARP} {
		for i, kind := range kinds {
			key := static(netlink.MarshalAttributes([]netlink.Attribute{{Type: unix.NFTA_DATA_VALUE, Data: epochKey(0)}}))
			elem := []netlink.Attribute{{Type: unix.NLA_F_NESTED | unix.NFTA_SET_ELEM_KEY, Data: key}}
			timed := kind == unix.NFT_MSG_NEWSETELEM
			if timed {
				elem = append(elem, netlink.Attribute{Type: unix.NFTA_SET_ELEM_TIMEOUT, Data: be64(0)})
			}
			list := static(netlink.MarshalAttributes([]netlink.Attribute{{Type: unix.NLA_F_NESTED | unix.NFTA_LIST_ELEM, Data: static(netlink.MarshalAttributes(elem))}}))
			data := static(netlink.MarshalAttributes([]netlink.Attribute{
				attrString(unix.NFTA_SET_ELEM_LIST_TABLE, nftTable),
				attrString(unix.NFTA_SET_ELEM_LIST_SET, "lease"),
				{Type: unix.NLA_F_NESTED | unix.NFTA_SET_ELEM_LIST_ELEMENTS, Data: list},
			}))
			flags := uint16(0)
			if timed {
				flags = unix.NLM_F_CREATE
			}
			if fi == 1 && i == len(kinds)-1 {
				flags |= unix.NLM_F_ACK // of the last: that all are carried out
			}
			t.message(unix.NFNL_SUBSYS_NFTABLES<<8|uint16(kind), flags, append([]byte{byte(family), unix.NFNETLINK_V0, 0, 0}, data...))
			// The element is the last of the message: its key, and behind it the timeout.
			end := len(t.raw)
			if timed {
				end -= 8
				t.timeouts = append(t.timeouts, end)
				end -= unix.NLA_HDRLEN
			}
			t.epochs = append(t.epochs, end-8)
		}
	}
	t.message(unix.NFNL_MSG_BATCH_END, 0, []byte{0, unix.NFNETLINK_V0, 0, unix.NFNL_SUBSYS_NFTABLES})
}

// static is for what depends on nothing that is only known at run time.
func static[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// message appends a message, data of whole words.
func (t *transactionBytes) message(kind, flags uint16, data []byte) {
	t.raw = binary.NativeEndian.AppendUint32(t.raw, uint32(unix.NLMSG_HDRLEN+len(data)))
	t.raw = binary.NativeEndian.AppendUint16(t.raw, kind)
	t.raw = binary.NativeEndian.AppendUint16(t.raw, unix.NLM_F_REQUEST|flags)
	t.raw = append(t.raw, make([]byte, 8)...) // sequence and port
	t.raw = append(t.raw, data...)
}

// send carries out a transaction.
func (s *leaseSocket) send(t *transactionBytes, epoch uint64, timeout time.Duration) error {
	for _, at := range t.epochs {
		binary.NativeEndian.PutUint32(t.raw[at:], uint32(epoch>>32))
		binary.NativeEndian.PutUint32(t.raw[at+4:], uint32(epoch))
	}
	for _, at := range t.timeouts {
		binary.BigEndian.PutUint64(t.raw[at:], uint64(timeout/time.Millisecond))
	}
	if _, err := unix.Write(s.fd, t.raw); err != nil {
		return fmt.Errorf("gate: writing the lease to nftables: %w", err)
	}
	return s.answers()
}

var errNoAnswer = errors.New("gate: nftables does not acknowledge the lease")

// answers reads all that the kernel has said: an error for each message that failed, and the acknowledgement.
func (s *leaseSocket) answers() error {
	var failed error
	acknowledged := false
	for {
		n, err := unix.Read(s.fd, s.answer[:])
		if err == unix.EAGAIN {
			break
		}
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("gate: reading what nftables says to the lease: %w", err)
		}
		for b := s.answer[:n]; len(b) >= unix.NLMSG_HDRLEN+4; {
			size := int(binary.NativeEndian.Uint32(b))
			if size < unix.NLMSG_HDRLEN+4 || size > len(b) {
				break
			}
			if binary.NativeEndian.Uint16(b[4:]) == unix.NLMSG_ERROR {
				switch code := int32(binary.NativeEndian.Uint32(b[unix.NLMSG_HDRLEN:])); {
				case code == 0:
					acknowledged = true
				case failed == nil:
					failed = unix.Errno(-code)
				}
			}
			b = b[min((size+3)&^3, len(b)):]
		}
	}
	switch {
	case failed == unix.ENOENT:
		return fmt.Errorf("gate: table %s is gone, until the next check puts it back: %w", nftTable, failed)
	case failed != nil:
		return fmt.Errorf("gate: nftables refuses the lease: %w", failed)
	case !acknowledged:
		return errNoAnswer
	}
	return nil
}
