package cluster

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"strings"

	"quorate/fsm"
)

// keySize is the length of a cluster key in bytes.
const keySize = 32

// purpose names what a derived key is for, so that one use of the cluster key tells nothing about another: AES-GCM with
// random nonces must not seal more than 2³² messages under one key.
type purpose string

const (
	purposeStream purpose = "quorate stream v1"
	purposeGossip purpose = "quorate gossip v1"
	purposeLease  purpose = "quorate lease v1"
	purposeSync   purpose = "quorate connection sync v1"
)

// deriveKey makes the 32-byte key for one purpose (HKDF-SHA256, RFC 5869).
func deriveKey(cluster []byte, p purpose) []byte {
	k, err := hkdf.Key(sha256.New, cluster, nil, string(p), keySize)
	if err != nil {
		panic(err) // only for lengths that HKDF cannot make
	}
	return k
}

// newKey makes a cluster key.
func newKey() []byte {
	k := make([]byte, keySize)
	_, _ = rand.Read(k) // never fails (crypto/rand)
	return k
}

// newClusterID makes a cluster id: 80 random bits as 16 lower-case letters and digits.
func newClusterID() string {
	b := make([]byte, 10)
	_, _ = rand.Read(b)
	return strings.ToLower(base32.StdEncoding.EncodeToString(b))
}

// newStoreID makes the identity of a data directory: 64 random bits in hexadecimal.
func newStoreID() fsm.StoreID {
	b := make([]byte, 8)
	_, _ = rand.Read(b)
	return fsm.StoreID(hex.EncodeToString(b))
}
