package vrrp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"net/netip"
	"slices"
	"time"
)

const (
	trailerLen  = 28
	trailerType = 1
	macLen      = 16 // of the 32 bytes of HMAC-SHA256

	// MinKey and MaxKey are the lengths of a key in bytes, as keepalived takes them.
	MinKey, MaxKey = 32, 64
)

// Sequence orders the signed adverts of one sender: seconds since 1970 in the upper 32 bits, 1/65536 seconds in the next 16, a counter in the lowest.
// It is compared as RFC 1982 does, so that it survives the year 2106.
type Sequence uint64

// SequenceAt is the least sequence of an instant.
func SequenceAt(t time.Time) Sequence {
	return Sequence(uint32(t.Unix()))<<32 | Sequence(t.Nanosecond()<<16/int(time.Second))<<16
}

// after reports whether s is newer than t.
func (s Sequence) after(t Sequence) bool { return int64(s-t) > 0 }

// seconds is how many whole seconds s is ahead of t.
func (s Sequence) seconds(t Sequence) int32 { return int32(uint32(s>>32) - uint32(t>>32)) }

// Trailer is what keepalived's auth_hmac (from 2.4.2 on) puts behind a message.
type Trailer struct {
	Type     uint8
	Key      uint8
	Reserved uint16
	Sequence Sequence
	MAC      [macLen]byte
}

func (t *Trailer) decode(b []byte) {
	t.Type, t.Key, t.Reserved = b[0], b[1], binary.BigEndian.Uint16(b[2:])
	t.Sequence = Sequence(binary.BigEndian.Uint64(b[4:]))
	t.MAC = [macLen]byte(b[12:])
}

// Key is a secret that several routers share.
type Key struct {
	ID     uint8  // 1 to 255
	Secret []byte // MinKey to MaxKey bytes
}

// Keyring signs adverts and verifies them. It is not safe for concurrent use.
//
// The signature covers the family, version and VRID, the source address, the message with its checksum taken as zero, and the trailer with its signature
// taken as zero. It covers neither destination nor TTL.
type Keyring struct {
	active uint8
	keys   []signer
	room   [sha256.Size]byte
	head   [20]byte
}

type signer struct {
	Key
	hash hash.Hash
}

// NewKeyring makes a keyring of keys, that signs with the active one. To change a key without a gap, give the new one to all, then make it active
// on each, then take the old one away.
func NewKeyring(active uint8, keys ...Key) (*Keyring, error) {
	k := &Keyring{active: active}
	for _, key := range keys {
		switch {
		case key.ID == 0:
			return nil, fmt.Errorf("key id 0 does not exist: use 1 to 255")
		case len(key.Secret) < MinKey || len(key.Secret) > MaxKey:
			return nil, fmt.Errorf("key %d has %d bytes: use %d to %d", key.ID, len(key.Secret), MinKey, MaxKey)
		case k.find(key.ID) != nil:
			return nil, fmt.Errorf("key id %d is there twice: give each key its own", key.ID)
		}
		k.keys = append(k.keys, signer{Key{key.ID, slices.Clone(key.Secret)}, hmac.New(sha256.New, key.Secret)})
	}
	if k.find(active) == nil {
		return nil, fmt.Errorf("the active key %d is not among the keys: add it, or make another one active", active)
	}
	return k, nil
}

// equal reports whether two have the same keys, whichever signs.
func (k *Keyring) equal(o *Keyring) bool {
	sorted := func(keys []signer) []signer {
		return slices.SortedFunc(slices.Values(keys), func(a, b signer) int { return int(a.ID) - int(b.ID) })
	}
	return slices.EqualFunc(sorted(k.keys), sorted(o.keys), func(a, b signer) bool { return a.ID == b.ID && hmac.Equal(a.Secret, b.Secret) })
}

func (k *Keyring) find(id uint8) hash.Hash {
	for i := range k.keys {
		if k.keys[i].ID == id {
			return k.keys[i].hash
		}
	}
	return nil
}

// mac is the signature of signed: a message and the first twelve bytes of its trailer. It is valid until the next call.
func (k *Keyring) mac(h hash.Hash, signed []byte, source netip.Addr) []byte {
	h.Reset()
	k.head = [20]byte{byte(FamilyOf(source)), signed[0] >> 4, signed[1]}
	if source.Is4() {
		a := source.As4()
		copy(k.head[4:], a[:])
	} else {
		a := source.As16()
		copy(k.head[4:], a[:])
	}
	h.Write(k.head[:])
	h.Write(signed[:6])
	h.Write(zeros[:2])
	h.Write(signed[8:])
	h.Write(zeros[:])
	return h.Sum(k.room[:0])[:macLen]
}

var zeros [macLen]byte

// sign appends the trailer of the message that begins at start.
func (k *Keyring) sign(b []byte, start int, source netip.Addr, s Sequence) []byte {
	b = append(b, trailerType, k.active, 0, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(s))
	return append(b, k.mac(k.find(k.active), b[start:], source)...)
}

// verify judges the signature of a message that ends with a trailer, not its age.
func (k *Keyring) verify(message []byte, source netip.Addr, t *Trailer) Reason {
	if t.Type != trailerType || t.Reserved != 0 {
		return BadTrailer
	}
	h := k.find(t.Key)
	if h == nil {
		return UnknownKey
	}
	if !hmac.Equal(k.mac(h, message[:len(message)-macLen], source), t.MAC[:]) {
		return BadSignature
	}
	return Accepted
}
