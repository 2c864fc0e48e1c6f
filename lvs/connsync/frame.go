package connsync

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// kind of a frame.
type kind uint8

const (
	kindHello   kind = 1 + iota // that its sender is there, what it has heard and said
	kindSync                    // one message, to all peers
	kindRequest                 // for the whole table
	kindBulk                    // one message of the table
	kindEnd                     // that the table has been sent
	kindAck                     // of bulk and end
)

// String implements fmt.Stringer.
func (k kind) String() string {
	if k < kindHello || k > kindAck {
		return fmt.Sprintf("kind %d", uint8(k))
	}
	return [...]string{"hello", "sync", "request", "bulk", "end", "ack"}[k-kindHello]
}

// frame is what one sealed datagram carries:
//
//	version 1 · kind 1 · length of from 1 · length of to 1 · boot 8 · echo 8 · seq 8 · from · to · body
//
// A frame of kind sync is for all peers: to is empty and echo is 0, and seq counts those frames. The others are for one peer: seq counts what
// is sent to it, and echo is the boot of the receiver as the sender knows it.
type frame struct {
	kind     kind
	boot     uint64 // random, drawn when the sender started
	echo     uint64
	seq      uint64 // from 1
	from, to string
	body     []byte
}

const (
	frameVersion = 1
	frameHeader  = 28
	maxName      = 63
	// maxFrame bounds a frame: two names and a message of the table.
	maxFrame = frameHeader + 2*maxName + bulkHeader + MaxMessage
)

// errFrame is wrapped by the errors of decodeFrame.
var errFrame = errors.New("not a frame of version 1")

// append encodes the frame.
func (f frame) append(b []byte) []byte {
	b = append(b, frameVersion, byte(f.kind), byte(len(f.from)), byte(len(f.to)))
	b = binary.BigEndian.AppendUint64(b, f.boot)
	b = binary.BigEndian.AppendUint64(b, f.echo)
	b = binary.BigEndian.AppendUint64(b, f.seq)
	b = append(b, f.from...)
	b = append(b, f.to...)
	return append(b, f.body...)
}

// decodeFrame reads a frame; its body aliases b.
func decodeFrame(b []byte) (f frame, err error) {
	if len(b) < frameHeader || len(b) > maxFrame || b[0] != frameVersion {
		return f, fmt.Errorf("%w: %d bytes", errFrame, len(b))
	}
	from, to := int(b[2]), int(b[3])
	if from == 0 || from > maxName || to > maxName || len(b) < frameHeader+from+to {
		return f, fmt.Errorf("%w: names of %d and %d bytes", errFrame, from, to)
	}
	names := b[frameHeader:]
	f = frame{
		kind: kind(b[1]), boot: binary.BigEndian.Uint64(b[4:]), echo: binary.BigEndian.Uint64(b[12:]), seq: binary.BigEndian.Uint64(b[20:]),
		from: string(names[:from]), to: string(names[from : from+to]), body: names[from+to:],
	}
	if f.boot == 0 || f.seq == 0 || f.kind < kindHello || f.kind > kindAck || (f.kind == kindSync) != (to == 0) {
		return f, fmt.Errorf("%w: %v, boot %x, seq %d, to %q", errFrame, f.kind, f.boot, f.seq, f.to)
	}
	return f, f.check()
}

// Sizes of bodies.
const (
	helloSize   = 16
	requestSize = 8
	bulkHeader  = 12
	endSize     = 20
	ackSize     = 13
)

// check says whether the body has the size that the kind has.
func (f frame) check() error {
	n := len(f.body)
	ok := true
	switch f.kind {
	case kindHello:
		ok = n == helloSize
	case kindSync:
		ok = n > 0 && n <= MaxMessage
	case kindRequest:
		ok = n == requestSize
	case kindBulk:
		ok = n > bulkHeader
	case kindEnd:
		ok = n == endSize
	case kindAck:
		ok = n == ackSize
	}
	if !ok {
		return fmt.Errorf("%w: %v with a body of %d bytes", errFrame, f.kind, n)
	}
	return nil
}

// hello is the body of a frame of that kind.
type hello struct {
	heard uint64 // up to this the receiver's frames of kind sync were taken in, or are given up
	said  uint64 // the sender's last frame of kind sync
}

func (h hello) body() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, h.heard), h.said)
}

func helloOf(b []byte) hello {
	return hello{heard: binary.BigEndian.Uint64(b), said: binary.BigEndian.Uint64(b[8:])}
}

// piece is the place of a frame in a table that is being sent.
type piece struct {
	id    uint64 // of the request
	index uint32 // from 0
}

func (p piece) append(b []byte) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(b, p.id), p.index)
}

func pieceOf(b []byte) piece {
	return piece{id: binary.BigEndian.Uint64(b), index: binary.BigEndian.Uint32(b[8:])}
}
