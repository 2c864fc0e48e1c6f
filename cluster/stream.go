package cluster

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// streamKind is the first byte of a stream and says what it carries.
type streamKind byte

const (
	streamRaft   streamKind = 'R'
	streamCall   streamKind = 'C'
	streamGossip streamKind = 'G'
)

// Limits of the opening of a stream.
const (
	handshakeTimeout = 5 * time.Second // of one side; a dialer's context may be shorter
	maxName          = 256             // bytes of a server id in a hello
	streamVersion    = 1
)

// Why a stream was refused.
var (
	ErrOtherKey    = errors.New("peer has another cluster key")
	ErrNoCluster   = errors.New("peer is not in a cluster")
	ErrOtherServer = errors.New("another member answers at this address")
	ErrSelf        = errors.New("this is the node itself")
	errBusy        = errors.New("peer has too many streams being opened")
	errVersion     = errors.New("peer speaks another version of the stream protocol")
)

// streamStatus is the listener's first byte.
type streamStatus byte

const (
	statusOK streamStatus = iota
	statusNoCluster
	statusOtherServer
	statusSelf
	statusBusy
	statusVersion
)

func (s streamStatus) err() error {
	switch s {
	case statusOK:
		return nil
	case statusNoCluster:
		return ErrNoCluster
	case statusOtherServer:
		return ErrOtherServer
	case statusSelf:
		return ErrSelf
	case statusBusy:
		return errBusy
	default:
		return errVersion
	}
}

// A stream opens with a mutual challenge that proves the cluster key without sending it:
//
//	dialer   → kind, version, nonce D (32), instance (16), from, to
//	listener → status, nonce L (32), HMAC(key, "listener" ‖ hello ‖ answer)
//	dialer   → HMAC(key, "dialer" ‖ hello ‖ answer)
//
// Both MACs cover both nonces, the kind and both names. Names are length-prefixed (two bytes). A refusal ends after its
// status byte; it is told before anything is proved, so it says nothing but the reason. Nothing after the opening is
// encrypted or authenticated; mutual TLS takes the place of this file when it comes.
type hello struct {
	kind     streamKind
	nonce    [32]byte
	instance [16]byte // of the dialing process, to notice a node that dials itself
	from, to string   // server ids; "" = not a member, or whoever answers
}

func (h hello) encode() []byte {
	b := make([]byte, 0, 52+len(h.from)+len(h.to))
	b = append(b, byte(h.kind), streamVersion)
	b = append(b, h.nonce[:]...)
	b = append(b, h.instance[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(h.from)))
	b = append(b, h.from...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(h.to)))
	return append(b, h.to...)
}

// readHello reads what encode wrote. It returns errVersion for another version.
func readHello(r io.Reader) (hello, error) {
	var h hello
	var fixed [50]byte
	if _, err := io.ReadFull(r, fixed[:2]); err != nil {
		return h, err
	}
	h.kind = streamKind(fixed[0])
	switch h.kind {
	case streamRaft, streamCall, streamGossip:
	default:
		return h, errVersion
	}
	if fixed[1] != streamVersion {
		return h, errVersion
	}
	if _, err := io.ReadFull(r, fixed[2:]); err != nil {
		return h, err
	}
	copy(h.nonce[:], fixed[2:34])
	copy(h.instance[:], fixed[34:50])
	var err error
	if h.from, err = readName(r); err != nil {
		return h, err
	}
	h.to, err = readName(r)
	return h, err
}

func readName(r io.Reader) (string, error) {
	var n [2]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return "", err
	}
	size := binary.BigEndian.Uint16(n[:])
	if size > maxName {
		return "", fmt.Errorf("name of %d bytes in a stream's hello, at most %d are allowed", size, maxName)
	}
	b := make([]byte, size)
	_, err := io.ReadFull(r, b)
	return string(b), err
}

func streamMAC(key []byte, role string, hello, answer []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(role))
	m.Write(hello)
	m.Write(answer)
	return m.Sum(nil)
}

// openStream runs the dialer's side on conn.
func openStream(conn net.Conn, key []byte, h hello) error {
	_, _ = rand.Read(h.nonce[:])
	sent := h.encode()
	if _, err := conn.Write(sent); err != nil {
		return err
	}
	var answer [1 + 32]byte
	if _, err := io.ReadFull(conn, answer[:1]); err != nil {
		return fmt.Errorf("no answer to the opening of a stream: %w", err)
	}
	if err := streamStatus(answer[0]).err(); err != nil {
		return err
	}
	var mac [sha256.Size]byte
	if _, err := io.ReadFull(conn, answer[1:]); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, mac[:]); err != nil {
		return err
	}
	if !hmac.Equal(mac[:], streamMAC(key, "listener", sent, answer[:])) {
		return ErrOtherKey
	}
	_, err := conn.Write(streamMAC(key, "dialer", sent, answer[:]))
	return err
}

// admitStream runs the listener's side. who tells under which key and name the node answers, or why it refuses.
func admitStream(conn net.Conn, who func(hello) (key []byte, status streamStatus)) (hello, error) {
	h, err := readHello(conn)
	if errors.Is(err, errVersion) {
		_, _ = conn.Write([]byte{byte(statusVersion)})
	}
	if err != nil {
		return h, err
	}
	key, status := who(h)
	if status != statusOK {
		_, _ = conn.Write([]byte{byte(status)})
		return h, status.err()
	}
	received := h.encode()
	var answer [1 + 32]byte
	_, _ = rand.Read(answer[1:])
	out := append(answer[:], streamMAC(key, "listener", received, answer[:])...)
	if _, err := conn.Write(out); err != nil {
		return h, err
	}
	var proof [sha256.Size]byte
	if _, err := io.ReadFull(conn, proof[:]); err != nil {
		// A dialer with another key sees that from our proof, and hangs up.
		return h, fmt.Errorf("%w, or it gave up: %w", ErrOtherKey, err)
	}
	if !hmac.Equal(proof[:], streamMAC(key, "dialer", received, answer[:])) {
		return h, ErrOtherKey
	}
	return h, nil
}

// deadlineOf is the earlier of ctx's deadline and now + limit.
func deadlineOf(ctx context.Context, limit time.Duration) time.Time {
	d := time.Now().Add(limit)
	if c, ok := ctx.Deadline(); ok && c.Before(d) {
		return c
	}
	return d
}
