package bfd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// The UDP ports on which Control packets are heard.
const (
	PortSingleHop = 3784 // RFC 5881 §4
	PortMultihop  = 4784 // RFC 5883 §5
)

// State of a session, as it goes over the wire (RFC 5880 §4.1).
type State uint8

// The states.
const (
	AdminDown State = iota // switched off by its operator
	Down
	Init // the neighbour is heard, and does not know yet that it is
	Up
)

// String is "AdminDown", "Down", "Init" or "Up".
func (s State) String() string {
	switch s {
	case AdminDown:
		return "AdminDown"
	case Down:
		return "Down"
	case Init:
		return "Init"
	case Up:
		return "Up"
	default:
		return fmt.Sprintf("state(%d)", uint8(s))
	}
}

// Diag says why a session went down (RFC 5880 §4.1); numbers that have no name here are passed on as they are.
type Diag uint8

// The diagnostics that a session here gives.
const (
	NoDiag       Diag = 0
	TimeExpired  Diag = 1
	NeighborDown Diag = 3
	DiagAdmin    Diag = 7
)

// String is what the RFC calls it.
func (d Diag) String() string {
	names := []string{
		"no diagnostic", "control detection time expired", "echo function failed", "neighbor signaled session down", "forwarding plane reset",
		"path down", "concatenated path down", "administratively down", "reverse concatenated path down",
	}
	if int(d) < len(names) {
		return names[d]
	}
	return fmt.Sprintf("diagnostic %d", uint8(d))
}

// Packet is a Control packet without authentication (RFC 5880 §4.1).
type Packet struct {
	Diag         Diag // 0 to 31
	State        State
	Poll, Final  bool
	Independent  bool  // of the control plane (C)
	Demand       bool  // no periodic packets are wanted
	Multiplier   uint8 // packets that may be missing; not 0
	Mine, Yours  uint32
	DesiredMinTx time.Duration // whole microseconds, as the two that follow
	RequiredMinRx,
	RequiredMinEchoRx time.Duration
}

const (
	version   = 1
	packetLen = 24
)

// The bits of the second byte.
const (
	bitPoll = 1 << (5 - iota)
	bitFinal
	bitIndependent
	bitAuth
	bitDemand
	bitMultipoint
)

// Errors of Parse, one for each rule of RFC 5880 §6.8.6 by which a packet is discarded before it is known whose it is.
var (
	ErrShort         = errors.New("bfd: it is shorter than a Control packet")
	ErrVersion       = errors.New("bfd: its version is not 1")
	ErrLength        = errors.New("bfd: its length is not that of a Control packet, or not that of what carries it")
	ErrMultiplier    = errors.New("bfd: its Detect Mult is 0")
	ErrMultipoint    = errors.New("bfd: it is for many")
	ErrDiscriminator = errors.New("bfd: it has no discriminator of its sender, or lacks ours in a session that stands")
	ErrAuth          = errors.New("bfd: it is authenticated, which is not supported: switch authentication off at the neighbour")
)

// Parse reads what a datagram carries. What follows the Control packet is left alone, as the RFC has it.
func Parse(b []byte) (Packet, error) {
	if len(b) < packetLen {
		return Packet{}, ErrShort
	}
	auth := b[1]&bitAuth != 0
	p := Packet{
		Diag: Diag(b[0] & 0x1f), State: State(b[1] >> 6),
		Poll: b[1]&bitPoll != 0, Final: b[1]&bitFinal != 0, Independent: b[1]&bitIndependent != 0, Demand: b[1]&bitDemand != 0,
		Multiplier: b[2], Mine: binary.BigEndian.Uint32(b[4:]), Yours: binary.BigEndian.Uint32(b[8:]),
		DesiredMinTx: interval(b[12:]), RequiredMinRx: interval(b[16:]), RequiredMinEchoRx: interval(b[20:]),
	}
	switch length := int(b[3]); {
	case b[0]>>5 != version:
		return Packet{}, ErrVersion
	case length < packetLen || auth && length < packetLen+2 || length > len(b):
		return Packet{}, ErrLength
	case p.Multiplier == 0:
		return Packet{}, ErrMultiplier
	case b[1]&bitMultipoint != 0:
		return Packet{}, ErrMultipoint
	case p.Mine == 0, p.Yours == 0 && p.State != Down && p.State != AdminDown:
		return Packet{}, ErrDiscriminator
	case auth:
		return Packet{}, ErrAuth
	}
	return p, nil
}

// Append adds the packet as it goes over the wire.
func (p Packet) Append(b []byte) []byte {
	flags := byte(p.State) << 6
	for _, x := range []struct {
		set bool
		bit byte
	}{{p.Poll, bitPoll}, {p.Final, bitFinal}, {p.Independent, bitIndependent}, {p.Demand, bitDemand}} {
		if x.set {
			flags |= x.bit
		}
	}
	b = append(b, version<<5|byte(p.Diag)&0x1f, flags, p.Multiplier, packetLen)
	for _, n := range []uint32{p.Mine, p.Yours, micro(p.DesiredMinTx), micro(p.RequiredMinRx), micro(p.RequiredMinEchoRx)} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

func interval(b []byte) time.Duration {
	return time.Duration(binary.BigEndian.Uint32(b)) * time.Microsecond
}

func micro(d time.Duration) uint32 { return uint32(d / time.Microsecond) }
