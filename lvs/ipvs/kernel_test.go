package ipvs

import (
	"encoding/binary"
	"errors"
	"hash/maphash"
	"maps"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quorate/lvs"
	"quorate/lvs/nlattr"
)

// kernel is a model of the kernel's side of the netlink family: it holds a table, refuses what the kernel refuses (ip_vs_ctl.c), and can be
// made to fail.
type kernel struct {
	table map[lvs.Key]*entry
	// timeouts are those of the namespace; a new one has ip_vs_proto_tcp.c's and ip_vs_proto_udp.c's.
	timeouts lvs.Timeouts
	queue    [][]byte // datagrams for whoever receives

	// fail is asked before each command, and its errno answered instead of carrying it out; 0 = none.
	fail func(cmd uint8) syscall.Errno
	// interrupt is how many dumps are to be marked as inconsistent.
	interrupt int
	calls     int  // what would be system calls
	alone     bool // each list is read for itself
	dumps     int
}

// entry is a service with its destinations in the order in which they came.
type entry struct {
	service      lvs.Service
	destinations []lvs.Destination
}

const modelFamily = 30

func newKernel() *kernel {
	return &kernel{table: map[lvs.Key]*entry{}, timeouts: lvs.Timeouts{TCP: 15 * time.Minute, TCPFin: 2 * time.Minute, UDP: 5 * time.Minute}}
}

// plane opens the plane on the model.
func (k *kernel) plane(t testing.TB) *Plane {
	t.Helper()
	c, err := connect(k)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPlane(c)
	if err != nil {
		t.Fatal(err)
	}
	p.glance = glance{file: &tableText{k: k}, seed: maphash.MakeSeed()}
	return p
}

func (k *kernel) close() error { return nil }

func (k *kernel) receive() ([][]byte, error) {
	if len(k.queue) == 0 {
		return nil, syscall.EAGAIN
	}
	k.calls++
	n := min(len(k.queue), inboxSlots)
	got := k.queue[:n]
	k.queue = k.queue[n:]
	return got, nil
}

func (k *kernel) send(b []byte) error {
	k.calls++
	messages, err := syscall.ParseNetlinkMessage(b)
	if err != nil {
		return err
	}
	for _, m := range messages {
		cmd := m.Data[0]
		if m.Header.Type == unix.GENL_ID_CTRL {
			id := binary.NativeEndian.AppendUint16(nil, modelFamily)
			k.answer(m, append([]byte{unix.CTRL_CMD_NEWFAMILY, 1, 0, 0}, nlattr.Append(nil, unix.CTRL_ATTR_FAMILY_ID, id...)...), 0)
			k.acknowledge(m, 0)
			continue
		}
		if k.fail != nil {
			if no := k.fail(cmd); no != 0 {
				k.acknowledge(m, no)
				continue
			}
		}
		if m.Header.Flags&unix.NLM_F_DUMP == unix.NLM_F_DUMP {
			k.dump(m, cmd)
			continue
		}
		switch cmd {
		case cmdGetConfig:
			k.answer(m, appendTimeouts([]byte{cmdSetConfig, familyVersion, 0, 0}, k.timeouts), 0)
			k.acknowledge(m, 0)
			continue
		case cmdGetInfo:
			k.answer(m, append32(append32([]byte{cmdSetInfo, familyVersion, 0, 0}, infoVersion, 0x010201), infoBuckets, 4096), 0)
			k.acknowledge(m, 0)
			continue
		}
		no := k.carryOut(cmd, m.Data)
		if no != 0 || m.Header.Flags&unix.NLM_F_ACK != 0 {
			k.acknowledge(m, no)
		}
	}
	return nil
}

// exchange reads two datagrams after each request, and what is left in the end, as the socket's does.
func (k *kernel) exchange(requests [][]byte) (out [][]byte, err error) {
	if k.alone {
		return nil, errors.ErrUnsupported
	}
	k.calls += 2
	calls := k.calls
	for _, r := range requests {
		busy := len(k.queue) > 0
		if busy { // a list is being read
			m, err := syscall.ParseNetlinkMessage(r)
			if err != nil {
				return nil, err
			}
			k.acknowledge(m[0], unix.EBUSY)
		} else if err := k.send(r); err != nil {
			return nil, err
		}
		for _, room := range []int{slotSize, endSize} {
			if len(k.queue) > 0 {
				out = append(out, k.queue[0][:min(room, len(k.queue[0]))])
				k.queue = k.queue[1:]
			}
		}
	}
	out, k.queue, k.calls = append(out, k.queue...), nil, calls
	return out, nil
}

func (k *kernel) push(kind uint16, flags uint16, seq uint32, data []byte) {
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(data)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, flags)
	b = binary.NativeEndian.AppendUint32(b, seq)
	b = append(binary.NativeEndian.AppendUint32(b, 0), data...)
	for len(b)%unix.NLMSG_ALIGNTO != 0 {
		b = append(b, 0)
	}
	// The kernel puts as many messages into one datagram as fit.
	if n := len(k.queue); n > 0 && len(k.queue[n-1])+len(b) < 8192 {
		k.queue[n-1] = append(k.queue[n-1], b...)
		return
	}
	k.queue = append(k.queue, b)
}

func (k *kernel) answer(m syscall.NetlinkMessage, data []byte, flags uint16) {
	k.push(m.Header.Type, flags, m.Header.Seq, data)
}

func (k *kernel) acknowledge(m syscall.NetlinkMessage, no syscall.Errno) {
	k.push(unix.NLMSG_ERROR, 0, m.Header.Seq, binary.NativeEndian.AppendUint32(nil, uint32(-int32(no))))
}

func (k *kernel) dump(m syscall.NetlinkMessage, cmd uint8) {
	k.dumps++
	flags := uint16(unix.NLM_F_MULTI)
	if k.interrupt > 0 {
		k.interrupt--
		flags |= unix.NLM_F_DUMP_INTR
	}
	head := []byte{cmd, familyVersion, 0, 0}
	if cmd == cmdGetService {
		for _, key := range slices.SortedFunc(maps.Keys(k.table), lvs.Key.Compare) {
			b, err := appendService(slices.Clone(head), k.table[key].service)
			if err != nil {
				panic(err)
			}
			k.answer(m, b, flags)
		}
	} else if s, err := decodeService(m.Data); err != nil {
		k.acknowledge(m, unix.EINVAL)
		return
	} else if e := k.table[s.Key()]; e != nil {
		for _, d := range e.destinations {
			k.answer(m, appendDestination(slices.Clone(head), d), flags)
		}
	}
	k.push(unix.NLMSG_DONE, flags, m.Header.Seq, make([]byte, 4))
}

// carryOut is ip_vs_genl_set_cmd.
func (k *kernel) carryOut(cmd uint8, data []byte) syscall.Errno {
	if cmd == cmdSetConfig {
		t, err := decodeTimeouts(data)
		if err != nil {
			return unix.EINVAL
		}
		k.timeouts = t.Or(k.timeouts)
		return 0
	}
	s, err := decodeService(data)
	if err != nil {
		return unix.EINVAL
	}
	key := s.Key()
	e := k.table[key]
	switch {
	case cmd == cmdNewService && e != nil:
		return unix.EEXIST
	case cmd != cmdNewService && e == nil:
		return unix.ESRCH
	case (cmd == cmdNewService || cmd == cmdSetService) && !slices.Contains(known, s.Scheduler):
		return unix.ENOENT
	case cmd == cmdNewService && s.Mark == 0 && s.Port == 0 && s.Persistence.Timeout == 0:
		return unix.EINVAL
	}
	switch cmd {
	case cmdNewService:
		k.table[key] = &entry{service: s.Service}
	case cmdSetService:
		e.service = s.Service
	case cmdDelService:
		delete(k.table, key)
	case cmdNewDest, cmdSetDest, cmdDelDest:
		return e.change(cmd, data)
	}
	return 0
}

func (e *entry) change(cmd uint8, data []byte) syscall.Errno {
	d, err := decodeDestination(data)
	if err != nil {
		return unix.EINVAL
	}
	i := slices.IndexFunc(e.destinations, func(x lvs.Destination) bool { return x.Addr == d.Addr })
	switch {
	case cmd == cmdNewDest && i >= 0:
		return unix.EEXIST
	case cmd != cmdNewDest && i < 0:
		return unix.ENOENT
	case cmd == cmdDelDest:
		e.destinations = slices.Delete(e.destinations, i, i+1)
		return 0
	case d.Weight < 0 || d.Weight > lvs.MaxWeight || d.Lower > d.Upper:
		return unix.ERANGE
	case d.Addr.Addr().Is4() != e.service.Addr.Is4() && d.Forward != lvs.Tunnel:
		return unix.EINVAL
	case cmd == cmdNewDest:
		e.destinations = append(e.destinations, d.Destination)
	default:
		e.destinations[i] = d.Destination
	}
	return 0
}

// put writes a service past the plane, as another program would.
func (k *kernel) put(s lvs.Service) {
	s = lvs.Canonical([]lvs.Service{s})[0]
	e := &entry{service: s}
	for _, d := range s.Destinations {
		d.Forward, d.Encap = s.Method(d)
		e.destinations = append(e.destinations, d)
	}
	e.service.Destinations, e.service.Forward, e.service.Encap = nil, "", lvs.Encap{}
	k.table[s.Key()] = e
}

// services are what the model holds, with the forwarding method of the first destination for the service's.
func (k *kernel) services() (out []lvs.Service) {
	for _, e := range k.table {
		s := e.service
		s.Destinations = slices.Clone(e.destinations)
		if len(s.Destinations) > 0 {
			s.Forward, s.Encap = s.Destinations[0].Forward, s.Destinations[0].Encap
		}
		out = append(out, s)
	}
	return lvs.Canonical(out)
}
