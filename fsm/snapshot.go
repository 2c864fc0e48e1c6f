package fsm

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A snapshot is a header and a JSON object:
//
//	 0  8 bytes  magic "quorate" and the format's version
//	 8  8 bytes  length of the JSON, big endian
//	16 32 bytes  SHA-256 of the JSON
//	48           the State as JSON
const (
	snapshotMagic  = "quorate\x01"
	snapshotHeader = 8 + 8 + sha256.Size
	// MaxSnapshotBytes bounds the JSON of a snapshot.
	MaxSnapshotBytes = 256 << 20
)

// Snapshot writes the state. Equal states write equal bytes.
func (s *State) Snapshot(w io.Writer) error {
	body, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("snapshot of index %d: %w", s.Index, err)
	}
	if len(body) > MaxSnapshotBytes {
		return fmt.Errorf("snapshot of index %d: %d bytes are more than the %d that can be restored", s.Index, len(body), MaxSnapshotBytes)
	}
	header := make([]byte, 0, snapshotHeader)
	header = append(header, snapshotMagic...)
	header = binary.BigEndian.AppendUint64(header, uint64(len(body)))
	sum := sha256.Sum256(body)
	header = append(header, sum[:]...)
	for _, b := range [][]byte{header, body} {
		if _, err := w.Write(b); err != nil {
			return fmt.Errorf("snapshot of index %d: %w", s.Index, err)
		}
	}
	return nil
}

// Restore reads what Snapshot wrote. A snapshot that is cut off, changed or newer than this build is refused whole.
func Restore(r io.Reader) (*State, error) {
	header := make([]byte, snapshotHeader)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, fmt.Errorf("restore: the header of the snapshot is cut off: %w", err)
	}
	if magic := string(header[:8]); magic != snapshotMagic {
		if magic[:7] == snapshotMagic[:7] {
			return nil, fmt.Errorf("restore: snapshot format %d is not the one of this build (%d); use the version that wrote it", magic[7], snapshotMagic[7])
		}
		return nil, errors.New("restore: this is not a snapshot of quorate")
	}
	size := binary.BigEndian.Uint64(header[8:])
	if size > MaxSnapshotBytes {
		return nil, fmt.Errorf("restore: the snapshot claims %d bytes, more than the limit of %d", size, MaxSnapshotBytes)
	}
	// ReadAll grows with what is there, so that a false length cannot make it allocate.
	body, err := io.ReadAll(io.LimitReader(r, int64(size)))
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	if uint64(len(body)) != size {
		return nil, fmt.Errorf("restore: the snapshot is cut off: %d of %d bytes", len(body), size)
	}
	if sum := sha256.Sum256(body); string(sum[:]) != string(header[16:]) {
		return nil, errors.New("restore: the snapshot's checksum is wrong: the file is damaged")
	}
	s := New()
	if err := strictJSON(body, s); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	if s.Schema > MaxSchema {
		return nil, fmt.Errorf("restore: %w %d is newer than this build understands (%d); upgrade quorate on this node", ErrSchema, s.Schema, MaxSchema)
	}
	if err := s.complete(); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	return s, nil
}

// complete makes the maps that JSON left nil, and checks what the rest of the package relies upon: that every map files
// its values under their own names.
func (s *State) complete() error {
	empty := New()
	if s.Nodes == nil {
		s.Nodes = empty.Nodes
	}
	if s.Assignments == nil {
		s.Assignments = empty.Assignments
	}
	if s.Servers == nil {
		s.Servers = empty.Servers
	}
	for id, n := range s.Nodes {
		if n.ID != id {
			return fmt.Errorf("node %q is filed under %q", n.ID, id)
		}
	}
	for k, a := range s.Assignments {
		if a.Key != k {
			return fmt.Errorf("the assignment of %v is filed under %v", a.Key, k)
		}
		if a.Owner != "" && s.Nodes[a.Owner].ID == "" {
			return fmt.Errorf("%v is owned by %q, which is no member", k, a.Owner)
		}
	}
	for name, v := range s.Config.VIPs {
		if v.Name != name {
			return fmt.Errorf("the VIP %q is filed under %q", v.Name, name)
		}
	}
	for name, v := range s.Config.Services {
		if v.Name != name {
			return fmt.Errorf("the service %q is filed under %q", v.Name, name)
		}
	}
	for name, n := range s.Config.Notifiers {
		if n.Name != name {
			return fmt.Errorf("the notifier %q is filed under %q", n.Name, name)
		}
	}
	for name, v := range s.Config.NodeChecks {
		if v.Name != name {
			return fmt.Errorf("the check of nodes %q is filed under %q", v.Name, name)
		}
	}
	// The rest of Config.Validate is not asked for: a stricter build must still be able to read its cluster's state.
	return nil
}
