package cluster

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"

	"quorate/fsm"
)

// standing is where a data directory is in its life.
type standing string

const (
	standingForming    standing = "forming"    // bootstrap has begun; finished by itself after a crash
	standingRecovering standing = "recovering" // is to form a new cluster; the lost one's files are still to be put aside
	standingJoining    standing = "joining"    // the join has been asked for; finished by itself after a crash
	standingMember     standing = "member"
	standingLeft       standing = "left"    // left on its own wish; may join again as a new store
	standingRemoved    standing = "removed" // was removed while it was away; may join again as a new store
)

// identity is what a data directory knows about itself, in identity.json (mode 0600: it holds the cluster key).
type identity struct {
	Node     fsm.NodeID  `json:"node"`
	Store    fsm.StoreID `json:"store"`
	Cluster  string      `json:"cluster"`
	Key      []byte      `json:"key"`
	Standing standing    `json:"standing"`
	Leaving  bool        `json:"leaving,omitempty"` // the node itself was told to leave
	// Peers and Profile are the last known ones. Raft restores entries only after it has heard a leader, and to hear one the
	// node must know where the peers are now and how patient to be.
	Peers   map[fsm.NodeID]string `json:"peers,omitempty"`
	Profile fsm.Profile           `json:"profile,omitempty"`
	// Seed is the address that a join was asked for at, until the node is a member.
	Seed string `json:"seed,omitempty"`
	// Recovery is what a new cluster takes over from a lost one, until it has agreed on it.
	Recovery *recovery `json:"recovery,omitempty"`
}

// active says that the node is, or is becoming, a member.
func (id identity) active() bool {
	switch id.Standing {
	case standingForming, standingJoining, standingMember:
		return true
	default:
		return false
	}
}

func (id identity) equal(o identity) bool {
	return id.Node == o.Node && id.Store == o.Store && id.Cluster == o.Cluster && bytes.Equal(id.Key, o.Key) &&
		id.Standing == o.Standing && id.Leaving == o.Leaving && maps.Equal(id.Peers, o.Peers) && id.Profile == o.Profile && id.Seed == o.Seed &&
		id.Recovery == o.Recovery
}

// maxIdentity bounds the file. In a recovery it holds a whole configuration.
const maxIdentity = 64 << 20

// envelope guards the identity with a checksum: a damaged key would otherwise show as "another cluster key".
type envelope struct {
	Identity json.RawMessage `json:"identity"`
	SHA256   string          `json:"sha256"` // of the identity, compacted
}

func (id identity) encode() ([]byte, error) {
	body, err := json.Marshal(id)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	out, err := json.MarshalIndent(envelope{Identity: body, SHA256: hex.EncodeToString(sum[:])}, "", "  ")
	return append(out, '\n'), err
}

// decodeIdentity reads what encode wrote; every error says that the content is damaged and how.
func decodeIdentity(b []byte) (identity, error) {
	var id identity
	if len(b) > maxIdentity {
		return id, fmt.Errorf("%d bytes are more than an identity has", len(b))
	}
	var e envelope
	if err := json.Unmarshal(b, &e); err != nil {
		return id, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, e.Identity); err != nil {
		return id, err
	}
	if sum := sha256.Sum256(compact.Bytes()); hex.EncodeToString(sum[:]) != e.SHA256 {
		return id, errors.New("its checksum does not match")
	}
	if err := json.Unmarshal(e.Identity, &id); err != nil {
		return id, err
	}
	if (id.active() || id.Standing == standingRecovering) && (id.Node == "" || id.Store == "" || !validClusterID(id.Cluster) || len(id.Key) != keySize) {
		return id, errors.New("it is incomplete")
	}
	return id, nil
}

// loadIdentity reads the identity of a store; ok is false when there is none.
func loadIdentity(s IdentityStore) (id identity, ok bool, err error) {
	b, err := s.Load()
	if errors.Is(err, fs.ErrNotExist) {
		return identity{}, false, nil
	}
	if err != nil {
		return identity{}, false, err
	}
	if id, err = decodeIdentity(b); err != nil {
		return identity{}, false, fmt.Errorf("%s is damaged: %w; restore it from a backup of this node, or move the data directory "+
			"away, have another member remove the node, and join again", s, err)
	}
	return id, true, nil
}

// saveIdentity makes id durable.
func saveIdentity(s IdentityStore, id identity) error {
	b, err := id.encode()
	if err != nil {
		return fmt.Errorf("encode identity: %w", err)
	}
	return s.Save(b)
}
