package ipvs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrNotLoaded says that the kernel does not offer IPVS.
var ErrNotLoaded = errors.New("ip_vs is not loaded: run modprobe ip_vs, and keep it in /etc/modules-load.d/")

const (
	headerLen = unix.NLMSG_HDRLEN + 4 // netlink and generic netlink
	// batchCommands bounds the commands of one system call, so that the answers, were all of them errors, fit into the
	// default receive buffer.
	batchCommands = 64
	receiveBuffer = 1 << 16 // more than the kernel puts into one datagram of a dump (NLMSG_GOODSIZE, 8 or 32 KiB)
	dumpAttempts  = 5
)

// conn speaks generic netlink with the IPVS of one network namespace, for one caller at a time.
type conn struct {
	wire   wire
	family uint16
	seq    uint32
	buf    []byte
}

// command is one request; its payload is without headers.
type command struct {
	cmd     uint8
	payload []byte
}

// wire carries datagrams to the kernel and back.
type wire interface {
	send(b []byte) error
	// receive waits for one datagram and returns its size.
	receive(b []byte) (int, error)
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
	c := &conn{wire: w, buf: make([]byte, receiveBuffer)}
	if err := c.resolve(); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return c, nil
}

func (c *conn) close() error { return c.wire.close() }

// resolve asks for the number of the family, which exists as soon as ip_vs is loaded. Some kernels load it on being asked.
func (c *conn) resolve() error {
	payload := appendAttr(nil, unix.CTRL_ATTR_FAMILY_NAME, []byte(familyName+"\x00"))
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
	if err := c.wire.send(c.encode(nil, cmd, unix.NLM_F_ACK|flags)); err != nil {
		return err
	}
	var failed error
	interrupted := false
	for {
		messages, err := c.receive()
		if err != nil {
			return err
		}
		for _, m := range messages {
			if m.Header.Seq != c.seq {
				continue // left over from a request that was given up
			}
			interrupted = interrupted || m.Header.Flags&unix.NLM_F_DUMP_INTR != 0
			switch m.Header.Type {
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
					failed = answer(m.Data)
				}
			}
		}
	}
}

// dump is a request whose answer is a list. It is repeated when the kernel says that the list changed under it.
func dump[T any](c *conn, cmd command, decode func(payload []byte) (T, error)) (out []T, err error) {
	for range dumpAttempts {
		out = out[:0]
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
	for {
		messages, err := c.receive()
		if err != nil {
			return err
		}
		for _, m := range messages {
			i := m.Header.Seq - first
			if m.Header.Type != unix.NLMSG_ERROR || i >= uint32(len(errs)) {
				continue
			}
			errs[i] = errno(m)
			if m.Header.Seq == c.seq {
				return nil
			}
		}
	}
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

// receive reads one datagram. The messages share the connection's buffer.
func (c *conn) receive() ([]syscall.NetlinkMessage, error) {
	n, err := c.wire.receive(c.buf)
	if err != nil {
		return nil, err
	}
	return syscall.ParseNetlinkMessage(c.buf[:n])
}

// errno of an NLMSG_ERROR or NLMSG_DONE message; nil for an acknowledgement.
func errno(m syscall.NetlinkMessage) error {
	if len(m.Data) < 4 {
		return nil
	}
	if n := int32(binary.NativeEndian.Uint32(m.Data)); n < 0 {
		return syscall.Errno(-n)
	}
	return nil
}
