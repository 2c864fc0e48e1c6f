package lease

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"quorate/fsm"
)

// Sealer seals datagrams of one use with the cluster key: AES-256-GCM with random nonces. A datagram is
//
//	magic "qLs" (of another use: another) · version 1 · salt (16) · nonce (12) · ciphertext · tag (16)
//
// The salt is drawn by the process and goes with the cluster key into HKDF-SHA256 (RFC 5869), whose output is that
// process's key. So the lease shares no key with gossip, and one key seals only what one process sends: NIST SP 800-38D
// §8.3 allows 2^32 random nonces under one key. Half of that is taken, and then a new salt is drawn: a busy relay of connections gets there
// within days. Magic, version and salt are authenticated.
//
// It is safe for concurrent use.
type Sealer struct {
	use   Use
	key   []byte
	own   atomic.Pointer[ownKey]
	limit uint64 // datagrams under one key

	mu    sync.Mutex
	peers map[[saltSize]byte]cipher.AEAD
	order [][saltSize]byte // of peers, oldest first
}

// ownKey seals what this process sends, for as long as few enough were sealed with it.
type ownKey struct {
	salt   [saltSize]byte
	seal   cipher.AEAD
	sealed atomic.Uint64
}

const (
	headerSize = 4
	saltSize   = 16
	prefixSize = headerSize + saltSize
	// SealOverhead is by how many bytes sealing makes a message longer.
	SealOverhead = prefixSize + 12 + 16
	// maxSalts bounds how many processes' keys are kept. They are derived again when needed.
	maxSalts = 64
	// sealsPerKey leaves the half of what is allowed to those who seal while a new key is made.
	sealsPerKey = 1 << 31
)

// Use is what datagrams are sealed for. Those of one use do not open as those of another: their keys differ.
type Use struct {
	header [headerSize]byte
	info   string // of HKDF
	most   int    // bytes of a sealed datagram
}

var (
	leaseUse = Use{[headerSize]byte{'q', 'L', 's', 1}, "quorate lease datagram v1", MaxDatagram}
	// SyncUse is the exchange of connections between directors.
	SyncUse = Use{[headerSize]byte{'q', 'C', 's', 1}, "quorate connection sync datagram v1", 2048}
)

// ErrSeal is what Open fails with: not ours, another version, another use, another key, or damaged.
var ErrSeal = errors.New("datagram does not open with this cluster's key")

// NewSealer returns a sealer of the lease's datagrams for the cluster key, which has 32 bytes.
func NewSealer(key []byte) (*Sealer, error) { return NewSealerFor(key, leaseUse) }

// NewSealerFor returns a sealer for the use, from a key of 32 bytes.
func NewSealerFor(key []byte, use Use) (*Sealer, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("cluster key has %d bytes, want 32", len(key))
	}
	s := &Sealer{use: use, key: append([]byte(nil), key...), limit: sealsPerKey, peers: make(map[[saltSize]byte]cipher.AEAD)}
	return s, s.renew(nil)
}

// renew draws a new salt in place of the old one's, unless another caller has done so.
func (s *Sealer) renew(old *ownKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.own.Load() != old {
		return nil
	}
	k := &ownKey{}
	rand.Read(k.salt[:]) // never fails (crypto/rand since Go 1.24)
	var err error
	if k.seal, err = s.derive(k.salt); err != nil {
		return err
	}
	s.own.Store(k)
	return nil
}

func (s *Sealer) derive(salt [saltSize]byte) (cipher.AEAD, error) {
	k, err := hkdf.Key(sha256.New, s.key, salt[:], s.use.info, 32)
	if err != nil {
		return nil, fmt.Errorf("derive the key for datagrams: %w", err)
	}
	b, err := aes.NewCipher(k)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(b)
}

// Seal appends the sealed form of plain to dst.
func (s *Sealer) Seal(dst, plain []byte) []byte {
	own := s.own.Load()
	if own.sealed.Add(1) > s.limit && s.renew(own) == nil { // derivation depends on the key's length alone: it worked before
		own = s.own.Load()
	}
	at := len(dst)
	dst = append(dst, s.use.header[:]...)
	dst = append(dst, own.salt[:]...)
	return own.seal.Seal(dst, nil, plain, dst[at:at+prefixSize])
}

// Open appends the plain form of a sealed datagram to dst. It fails with ErrSeal.
func (s *Sealer) Open(dst, sealed []byte) ([]byte, error) {
	if len(sealed) < SealOverhead || len(sealed) > s.use.most || [headerSize]byte(sealed) != s.use.header {
		return dst, ErrSeal
	}
	salt := [saltSize]byte(sealed[headerSize:])
	aead, kept, err := s.peer(salt)
	if err != nil {
		return dst, err
	}
	out, err := aead.Open(dst, nil, sealed[prefixSize:], sealed[:prefixSize])
	if err != nil {
		return dst, ErrSeal
	}
	if !kept {
		s.keep(salt, aead) // only after it opened something: a stranger cannot fill the table
	}
	return out, nil
}

func (s *Sealer) peer(salt [saltSize]byte) (aead cipher.AEAD, kept bool, err error) {
	s.mu.Lock()
	aead, kept = s.peers[salt]
	s.mu.Unlock()
	if !kept {
		aead, err = s.derive(salt)
	}
	return aead, kept, err
}

func (s *Sealer) keep(salt [saltSize]byte, aead cipher.AEAD) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.peers[salt]; ok {
		return
	}
	if len(s.order) == maxSalts {
		delete(s.peers, s.order[0])
		s.order = append(s.order[:0], s.order[1:]...)
	}
	s.peers[salt] = aead
	s.order = append(s.order, salt)
}

// SealMessage appends the sealed datagram that carries m from a node. scratch holds the plain form meanwhile and is returned
// for the next call.
func (s *Sealer) SealMessage(dst, scratch []byte, from fsm.NodeID, m Message) (sealed, plain []byte, err error) {
	plain, err = AppendMarshal(scratch[:0], from, m)
	if err != nil {
		return dst, scratch, err
	}
	return s.Seal(dst, plain), plain, nil
}
