package ipvs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"quorate/lvs/nlattr"
)

// ErrNotLoaded says that the kernel does not offer IPVS.
var ErrNotLoaded = errors.New("ip_vs is not loaded: run modprobe ip_vs, and keep it in /etc/modules-load.d/")

const (
	headerLen = unix.NLMSG_HDRLEN + 4 // netlink and generic netlink
	// batchCommands bounds the commands of one system call, so that the answers, were all of them errors, fit into the
	// default receive buffer.
	batchCommands = 64
	dumpAttempts  = 5
)

// conn speaks generic netlink with the IPVS of one network namespace, for one caller at a time.
type conn struct {
	wire   wire
	family uint16
	seq    uint32
	buf    []byte // of the last request
}

// command is one request; its payload is without headers.
type command struct {
	cmd     uint8
	payload []byte
}

// wire carries datagrams to the kernel and back.
type wire interface {
	send(b []byte) error
	// receive waits for a datagram and returns it, with the next ones if they are there already. They are good until the next call.
	receive() ([][]byte, error)
	close() error
}

// dial opens a connection with the IPVS of the network namespace of the calling thread.
func dial() (*conn, error) {
	s, err := openSocket()
	if err != nil {
		return nil, err
	}
	return connect(s)
}

// connect takes w over.
func connect(w wire) (*conn, error) {
	c := &conn{wire: w}
	if err := c.resolve(); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return c, nil
}

func (c *conn) close() error { return c.wire.close() }

// resolve asks for the number of the family, which exists as soon as ip_vs is loaded. Some kernels load it on being asked.
func (c *conn) resolve() error {
	payload := nlattr.Append(nil, unix.CTRL_ATTR_FAMILY_NAME, []byte(familyName+"\x00")...)
	c.family = unix.GENL_ID_CTRL
	var id uint16
	err := c.request(command{unix.CTRL_CMD_GETFAMILY, payload}, 0, func(answer []byte) error {
		if len(answer) < 4 {
			return errTruncated
		}
		v, err := attributes(answer[4:]).find(unix.CTRL_ATTR_FAMILY_ID)
		if err != nil {
			return err
		}
		return get(&id, v)
	})
	if errors.Is(err, unix.ENOENT) {
		return ErrNotLoaded
	}
	if err != nil {
		return fmt.Errorf("looking up the netlink family %s: %w", familyName, err)
	}
	c.family = id
	return nil
}

// request sends one command and calls answer for the payload of each of its answers, which is good until answer returns.
func (c *conn) request(cmd command, flags uint16, answer func(payload []byte) error) error {
	c.seq++
	c.buf = c.encode(c.buf[:0], cmd, unix.NLM_F_ACK|flags)
	if err := c.wire.send(c.buf); err != nil {
		return err
	}
	var failed error
	interrupted := false
	for m, err := range c.receive {
		if err != nil {
			return err
		}
		if m.seq != c.seq {
			continue // left over from a request that was given up
		}
		interrupted = interrupted || m.flags&unix.NLM_F_DUMP_INTR != 0
		switch m.kind {
		case unix.NLMSG_ERROR, unix.NLMSG_DONE:
			if err := errno(m); err != nil {
				return err
			}
			if interrupted {
				return unix.EINTR
			}
			return failed
		default: // all are read, also after a failure, so that the next request finds no leftovers
			if failed == nil {
				failed = answer(m.data)
			}
		}
	}
	return failed // not reached: receive ends with an error
}

// dump is a request whose answer is a list. It is repeated when the kernel says that the list changed under it. The result takes the place of buf.
func dump[T any](c *conn, cmd command, buf []T, decode func(payload []byte) (T, error)) (out []T, err error) {
	for range dumpAttempts {
		out = buf[:0]
		err = c.request(cmd, unix.NLM_F_DUMP, func(payload []byte) error {
			v, err := decode(payload)
			out = append(out, v)
			return err
		})
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	return out, err
}

// inquiry asks for a list.
type inquiry struct {
	command
	items int // about so many are on it
}

// exchanger is a wire that carries many requests and their answers at once.
type exchanger interface {
	// exchange sends requests, aioRequests at most, and returns what was answered, in the order of the answers; they are good until the next call. A list
	// of more than listItems may be cut, and the lists after it be refused with EBUSY, or missing: then also with an error, which tells why. Nothing of them comes later.
	exchange(requests [][]byte) (datagrams [][]byte, err error)
}

// listItems fit into one datagram of slotSize: a destination takes some 400 bytes.
const listItems = 32

// lists is dump for many lists, most of which come together where the wire can do that. It calls done once for each, in any order; the list is good until
// done returns.
func lists[T any](c *conn, asked []inquiry, decode func(payload []byte) (T, error), done func(i int, list []T, err error)) {
	answered := make([]bool, len(asked))
	var buf []T
	if x, can := c.wire.(exchanger); can && len(asked) > 1 {
		short := make([]int, 0, len(asked))
		for i, q := range asked {
			if q.items <= listItems {
				short = append(short, i)
			}
		}
		for part := range slices.Chunk(short, aioRequests) {
			buf = together(c, x, part, asked, buf, decode, func(i int, list []T, err error) {
				answered[i] = true
				done(i, list, err)
			})
		}
	}
	for i, q := range asked {
		if !answered[i] {
			var err error
			buf, err = dump(c, q.command, buf, decode)
			done(i, buf, err)
		}
	}
}

// together asks for some of the lists in one exchange and calls done for those that have come whole. The others have to be asked for alone: another program has changed
// them meanwhile, or they are longer than was thought.
func together[T any](c *conn, x exchanger, part []int, asked []inquiry, buf []T, decode func(payload []byte) (T, error), done func(i int, list []T, err error)) []T {
	first := c.seq + 1
	requests := make([][]byte, len(part))
	for j, i := range part {
		c.seq++
		requests[j] = c.encode(nil, asked[i].command, unix.NLM_F_ACK|unix.NLM_F_DUMP)
	}
	datagrams, _ := x.exchange(requests) // without an answer they are asked for alone, which tells why
	current, whole, failed := uint32(0), true, error(nil)
	buf = buf[:0]
	for _, b := range datagrams {
		for len(b) >= unix.NLMSG_HDRLEN {
			if seq := binary.NativeEndian.Uint32(b[8:]); seq != current { // of one that was cut, too
				current, whole, failed, buf = seq, true, nil, buf[:0]
			}
			m, rest, err := cutReply(b)
			if err != nil {
				whole = false
				break
			}
			b = rest
			whole = whole && m.flags&unix.NLM_F_DUMP_INTR == 0
			j := int(m.seq - first)
			switch err := errno(m); {
			case j >= len(part):
			case m.kind != unix.NLMSG_ERROR && m.kind != unix.NLMSG_DONE:
				if failed == nil {
					var v T
					v, failed = decode(m.data)
					buf = append(buf, v)
				}
			case m.kind == unix.NLMSG_ERROR && errors.Is(err, unix.EBUSY) || !whole:
			case err != nil:
				done(part[j], nil, err)
			default:
				done(part[j], buf, failed)
			}
		}
	}
	return buf
}

// batch carries out commands in order, many in one system call, also after one has failed. It returns the error of
// each; the second result is of the socket and leaves unknown how far the kernel came.
func (c *conn) batch(commands []command) ([]error, error) {
	errs := make([]error, len(commands))
	done := 0
	for part := range slices.Chunk(commands, batchCommands) {
		first := c.seq + 1
		var b []byte
		for i, cmd := range part {
			c.seq++
			flags := uint16(0)
			if i == len(part)-1 {
				flags = unix.NLM_F_ACK // errors are answered in any case, and this answer is the last
			}
			b = c.encode(b, cmd, flags)
		}
		if err := c.wire.send(b); err != nil {
			return errs, err
		}
		if err := c.answers(first, errs[done:done+len(part)]); err != nil {
			return errs, err
		}
		done += len(part)
	}
	return errs, nil
}

// answers collects the errors of the commands numbered from first on, up to the acknowledgement of the last.
func (c *conn) answers(first uint32, errs []error) error {
	for m, err := range c.receive {
		if err != nil {
			return err
		}
		i := m.seq - first
		if m.kind != unix.NLMSG_ERROR || i >= uint32(len(errs)) {
			continue
		}
		if errs[i] = errno(m); m.seq == c.seq {
			return nil
		}
	}
	return nil // not reached: receive ends with an error
}

func (c *conn) encode(b []byte, cmd command, flags uint16) []byte {
	size := headerLen + len(cmd.payload)
	b = binary.NativeEndian.AppendUint32(b, uint32(size))
	b = binary.NativeEndian.AppendUint16(b, c.family)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST|flags)
	b = binary.NativeEndian.AppendUint32(b, c.seq)
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = append(b, cmd.cmd, familyVersion, 0, 0)
	b = append(b, cmd.payload...)
	return append(b, make([]byte, (unix.NLMSG_ALIGNTO-size%unix.NLMSG_ALIGNTO)%unix.NLMSG_ALIGNTO)...)
}

// reply is one netlink message of the kernel (include/uapi/linux/netlink.h, struct nlmsghdr).
type reply struct {
	kind, flags uint16
	seq         uint32
	data        []byte // shares the memory of the datagram
}

// receive reads messages, for ever or until an error, which is the last it hands over.
func (c *conn) receive(yield func(reply, error) bool) {
	for {
		datagrams, err := c.wire.receive()
		if err != nil {
			yield(reply{}, err)
			return
		}
		for _, b := range datagrams {
			for len(b) > 0 {
				m, rest, err := cutReply(b)
				if !yield(m, err) || err != nil {
					return
				}
				b = rest
			}
		}
	}
}

func cutReply(b []byte) (m reply, rest []byte, err error) {
	if len(b) < unix.NLMSG_HDRLEN {
		return m, nil, errTruncated
	}
	size := int(binary.NativeEndian.Uint32(b))
	if size < unix.NLMSG_HDRLEN || size > len(b) {
		return m, nil, errTruncated
	}
	m = reply{kind: binary.NativeEndian.Uint16(b[4:]), flags: binary.NativeEndian.Uint16(b[6:]), seq: binary.NativeEndian.Uint32(b[8:]), data: b[unix.NLMSG_HDRLEN:size]}
	return m, b[min(len(b), (size+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1)):], nil
}

// errno of an NLMSG_ERROR or NLMSG_DONE message; nil for an acknowledgement.
func errno(m reply) error {
	if len(m.data) < 4 {
		return nil
	}
	if n := int32(binary.NativeEndian.Uint32(m.data)); n < 0 {
		return syscall.Errno(-n)
	}
	return nil
}
