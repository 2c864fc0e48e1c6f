package connsync

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// The kernel's sync messages, version 1 (net/netfilter/ipvs/ip_vs_sync.c, struct ip_vs_sync_mesg, ip_vs_sync_v4, ip_vs_sync_v6). All
// numbers are in network byte order.
const (
	messageHeader  = 8
	messageVersion = 1
	connSize4      = 36
	connSize6      = 72
	typeIPv6       = 1

	// MaxMessage bounds a message: more than any that a kernel makes of the MaxLen that Settings allow.
	MaxMessage = 1440
	maxConns   = 255 // the count has one byte

	optionSequence = 1 // 24 bytes: how the numbers of a TCP connection were shifted
	optionData     = 2 // of a persistence engine
	optionName     = 3
	sequenceSize   = 24
	maxEngineData  = 255
	maxEngineName  = 16 // IP_VS_PENAME_MAXLEN
)

// Flags of a connection (include/uapi/linux/ip_vs.h) that matter here.
const (
	flagForward  = 0x0007 // the forwarding method
	flagInactive = 0x0100 // counts among the destination's inactive ones
	flagNoClient = 0x0800 // the client's port is not known yet
	flagTemplate = 0x1000 // what persistence remembers of a client; not a connection of itself
)

// TCP states (enum in include/net/ip_vs.h), which are other numbers than conntrack's.
const (
	stateNone = iota
	stateEstablished
	stateSynSent
	stateSynRecv
	stateFinWait
	stateTimeWait
	stateClose
	stateCloseWait
	stateLastAck
	stateListen
	stateSynAck
)

// Conn is one connection as a sync message has it.
type Conn struct {
	Protocol    uint8 // of the IP header: 6, 17, 132
	Client      netip.AddrPort
	Virtual     netip.AddrPort
	Destination netip.AddrPort
	Flags       uint32 // IP_VS_CONN_F_*
	State       uint16
	Mark        uint32 // of the service by firewall mark that it belongs to
	Timeout     uint32 // seconds; 0: by the state
	Options     []byte // verbatim: sequence numbers, data of a persistence engine
}

// Template reports whether it is what persistence remembers of a client.
func (c Conn) Template() bool { return c.Flags&flagTemplate != 0 }

// Message is one datagram of the kernel's, decoded.
type Message struct {
	SyncID uint8
	Conns  []Conn
}

// ErrMessage is wrapped by the errors of DecodeMessage.
var ErrMessage = errors.New("not a sync message of version 1")

func badMessage(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrMessage, fmt.Sprintf(format, a...))
}

// DecodeMessage reads a sync message of version 1 and checks all that the kernel checks, and more: what it lets through no kernel drops in
// the middle. The options alias b.
func DecodeMessage(b []byte) (Message, error) {
	switch {
	case len(b) < messageHeader:
		return Message{}, badMessage("%d bytes", len(b))
	case len(b) > MaxMessage:
		return Message{}, badMessage("%d bytes, more than %d", len(b), MaxMessage)
	case b[0] != 0 || b[5] != messageVersion || b[6] != 0 || b[7] != 0:
		return Message{}, badMessage("its header is %x", b[:messageHeader])
	case int(binary.BigEndian.Uint16(b[2:])) != len(b):
		return Message{}, badMessage("it says %d bytes and has %d", binary.BigEndian.Uint16(b[2:]), len(b))
	case (len(b)-messageHeader)/connSize4 < int(b[4]):
		return Message{}, badMessage("%d connections in %d bytes", b[4], len(b))
	}
	m := Message{SyncID: b[1], Conns: make([]Conn, 0, b[4])}
	at := messageHeader
	for range int(b[4]) {
		c, size, err := decodeConn(b[at:])
		if err != nil {
			return Message{}, fmt.Errorf("connection %d: %w", len(m.Conns), err)
		}
		m.Conns = append(m.Conns, c)
		at = min(at+(size+3)&^3, len(b)) // the last one is not padded
	}
	if at != len(b) {
		return Message{}, badMessage("%d bytes after the last connection", len(b)-at)
	}
	return m, nil
}

// decodeConn reads the connection that b starts with.
func decodeConn(b []byte) (c Conn, size int, err error) {
	if len(b) < connSize4 {
		return c, 0, badMessage("%d bytes left for it", len(b))
	}
	size = int(binary.BigEndian.Uint16(b[2:]))
	least, width := connSize4, 4
	switch b[0] {
	case 0:
	case typeIPv6:
		least, width = connSize6, 16
	default:
		return c, 0, badMessage("type %d", b[0])
	}
	if size < least || size > len(b) { // a version in the upper four bits makes it too long
		return c, 0, badMessage("it says %d bytes, with %d left", size, len(b))
	}
	addr := func(i int) netip.Addr {
		a, _ := netip.AddrFromSlice(b[24+i*width : 24+(i+1)*width])
		return a
	}
	port := func(at int) uint16 { return binary.BigEndian.Uint16(b[at:]) }
	c = Conn{
		Protocol: b[1], Flags: binary.BigEndian.Uint32(b[4:]), State: port(8),
		Client:      netip.AddrPortFrom(addr(0), port(10)),
		Virtual:     netip.AddrPortFrom(addr(1), port(12)),
		Destination: netip.AddrPortFrom(addr(2), port(14)),
		Mark:        binary.BigEndian.Uint32(b[16:]), Timeout: binary.BigEndian.Uint32(b[20:]),
	}
	if c.State > 255 {
		return c, 0, badMessage("state %d", c.State)
	}
	c.Options = b[least:size]
	return c, size, checkOptions(c.Options)
}

// checkOptions refuses what the kernel would refuse (ip_vs_proc_sync_conn).
func checkOptions(b []byte) error {
	var seen [4]bool
	for len(b) > 0 {
		if len(b) < 2 || b[1] == 0 || int(b[1]) > len(b)-2 {
			return badMessage("an option is cut off")
		}
		kind, size := b[0], int(b[1])
		b = b[2+size:]
		if kind > optionName || kind == 0 {
			return badMessage("option %d", kind)
		}
		limit := map[byte]int{optionSequence: sequenceSize, optionData: maxEngineData, optionName: maxEngineName}[kind]
		if seen[kind] || size > limit || kind == optionSequence && size != sequenceSize {
			return badMessage("option %d of %d bytes", kind, size)
		}
		seen[kind] = true
	}
	if seen[optionData] != seen[optionName] {
		return badMessage("the data of a persistence engine without its name, or the reverse")
	}
	return nil
}

// AppendMessage appends one message with all the connections, which must not be more than fit: see Fits.
func AppendMessage(b []byte, m Message) []byte {
	from := len(b)
	b = append(b, 0, m.SyncID, 0, 0, byte(len(m.Conns)), messageVersion, 0, 0)
	for _, c := range m.Conns {
		for (len(b)-from)%4 != 0 {
			b = append(b, 0)
		}
		b = appendConn(b, c)
	}
	binary.BigEndian.PutUint16(b[from+2:], uint16(len(b)-from))
	return b
}

func appendConn(b []byte, c Conn) []byte {
	from := len(b)
	kind := byte(0)
	if c.Virtual.Addr().Is6() {
		kind = typeIPv6
	}
	b = append(b, kind, c.Protocol, 0, 0)
	b = binary.BigEndian.AppendUint32(b, c.Flags)
	b = binary.BigEndian.AppendUint16(b, c.State)
	b = binary.BigEndian.AppendUint16(b, c.Client.Port())
	b = binary.BigEndian.AppendUint16(b, c.Virtual.Port())
	b = binary.BigEndian.AppendUint16(b, c.Destination.Port())
	b = binary.BigEndian.AppendUint32(b, c.Mark)
	b = binary.BigEndian.AppendUint32(b, c.Timeout)
	for _, a := range []netip.Addr{c.Client.Addr(), c.Virtual.Addr(), c.Destination.Addr()} {
		b = append(b, a.AsSlice()...)
	}
	b = append(b, c.Options...)
	binary.BigEndian.PutUint16(b[from+2:], uint16(len(b)-from))
	return b
}

// size of the connection in a message, padded.
func (c Conn) size() int {
	n := connSize4
	if c.Virtual.Addr().Is6() {
		n = connSize6
	}
	return (n + len(c.Options) + 3) &^ 3
}
