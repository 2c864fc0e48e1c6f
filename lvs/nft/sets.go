package nft

import (
	"fmt"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
)

// set is a named set (values "") or map (values are chains or marks), by raw key; a range has two, one after the other.
type set struct {
	kind
	shape string // canonical text of what the kernel tells of a set
	elems map[string]string
}

// kind is what a named set is like.
type kind struct {
	key nftables.SetDatatype
	// vmap says that the values are chains, bound that rules put clients into it, each for a time, marks that the keys are ranges and the values marks.
	vmap, bound, marks bool
}

// boundPrefix of the names of the sets of clients that are bound to a server.
const boundPrefix = "bound-"

// maxBound is how many clients can be bound to a server. Further ones are balanced as if there were no persistence: a flood from made-up
// addresses takes at most some 130 MB of the kernel's memory.
const maxBound = 1 << 20

// newSet is an empty one.
func newSet(k kind) *set {
	s := k.named(nil, "")
	if k.vmap {
		s.KeyType.Bytes = 0 // the library takes it for that of a verdict
	}
	return &set{kind: k, elems: map[string]string{}, shape: shape(s)}
}

func shape(s *nftables.Set) string {
	return fmt.Sprintf("key %d map %t timeout %t dynamic %t ranges %t", s.KeyType.Bytes, s.IsMap, s.HasTimeout, s.Dynamic, s.Interval && s.Concatenation)
}

// element is that of a raw key: of ranges the first and the last one.
func (k kind) element(raw string) nftables.SetElement {
	if n := int(k.key.Bytes); k.marks && len(raw) > n {
		return nftables.SetElement{Key: []byte(raw[:n]), KeyEnd: []byte(raw[n:])}
	}
	return nftables.SetElement{Key: []byte(raw)}
}

// named is the set for the library.
func (k kind) named(t *nftables.Table, name string) *nftables.Set {
	s := &nftables.Set{Table: t, Name: name, KeyType: k.key, KeyByteOrder: binaryutil.BigEndian}
	switch {
	case k.vmap:
		s.IsMap, s.DataType = true, nftables.TypeVerdict
	case k.marks:
		s.IsMap, s.Interval, s.Concatenation, s.DataType = true, true, true, nftables.TypeMark
	case k.bound:
		s.Dynamic, s.HasTimeout, s.Size = true, true, maxBound
	}
	return s
}

// isFrame reports whether the named set is there whatever the services are.
func isFrame(name string) bool {
	return !strings.HasPrefix(name, boundPrefix) && !strings.HasPrefix(name, rangesPrefix)
}

// serverType is the type of a server, address . port.
func (f *family) serverType() nftables.SetDatatype {
	return nftables.MustConcatSetType(f.addrType, nftables.TypeInetService)
}

// frameSets adds the sets that are always there, empty.
func (rs *ruleset) frameSets() {
	for _, f := range families {
		for _, r := range reaches {
			rs.sets[r.services+f.suffix] = newSet(kind{key: r.keyType(f), vmap: true})
			rs.sets[r.closed+f.suffix] = newSet(kind{key: r.keyType(f)})
		}
	}
}
