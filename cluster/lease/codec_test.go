package lease

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"quorate/fsm"
)

// vectors are the wire form; a change of one of these is a change of the protocol's version.
var vectors = []struct {
	name string
	msg  Message
	hex  string
}{
	{"renew", Message{Store: "ab", Boot: 1, Promises: 2, Applied: 3, Body: Renew{Seq: 4, Epoch: 5, GrantorIndex: 6, TTL: 250 * time.Millisecond, Held: true}},
		"0100 026e31 026162 0000000000000001 0000000000000002 0000000000000003" +
			"0000000000000004 0000000000000005 0000000000000006 000000000ee6b280 01"},
	{"ack", Message{Store: "ab", Boot: 1, Promises: 2, Applied: 3, Log: 4, LogKnown: true, Body: Ack{Boot: 7, Seq: 8, Epoch: 9}},
		"0201 026e31 026162 0000000000000001 0000000000000002 0000000000000003 0000000000000004" +
			"0000000000000007 0000000000000008 0000000000000009"},
	{"refuse", Message{Store: "a", Body: Refuse{Boot: 1, Seq: 2, Epoch: 3, Reason: RefusedSet, Agreed: 4}},
		"0300 026e31 0161 0000000000000000 0000000000000000 0000000000000000" +
			"0000000000000001 0000000000000002 0000000000000003 02 0000000000000004"},
	{"fence", Message{Store: "a", Body: Fence{Term: 1, Seq: 2, Node: "n2", Epoch: 3, GrantorIndex: 4}},
		"0400 026e31 0161 0000000000000000 0000000000000000 0000000000000000" +
			"0000000000000001 0000000000000002 026e32 0000000000000003 0000000000000004"},
	{"fence answer", Message{Store: "a", Body: FenceAnswer{Boot: 9, Seq: 2, Term: 1, Node: "n2", Epoch: 3, GrantorIndex: 4}},
		"0500 026e31 0161 0000000000000000 0000000000000000 0000000000000000" +
			"0000000000000009 0000000000000002 0000000000000001 026e32 0000000000000003 0000000000000004"},
	{"suspect", Message{Store: "a", Body: Suspect{Seq: 1, Node: "n2", Epoch: 2, Silent: 3}},
		"0600 026e31 0161 0000000000000000 0000000000000000 0000000000000000" +
			"0000000000000001 026e32 0000000000000002 0000000000000003 00"},
	{"report of an end", Message{Store: "a", Body: Report{Seq: 1, Epoch: 2, Ready: true, Ending: true, Set: 3, Reach: 4}},
		"0700 026e31 0161 0000000000000000 0000000000000000 0000000000000000" +
			"0000000000000001 0000000000000002 03 0000000000000003 04 00"},
	{"report", Message{Store: "a", Body: Report{Seq: 1, Epoch: 2, Ready: true, Set: 3, Reach: 4, Orphans: []Orphan{{"n2", 5}}}},
		"0700 026e31 0161 0000000000000000 0000000000000000 0000000000000000" +
			"0000000000000001 0000000000000002 01 0000000000000003 04 01 026e32 0000000000000005"},
	{"confirmation", Message{Store: "a", Body: Confirmation{Releases: []Released{
		{fsm.AddressKey{Addr: netip.MustParseAddr("192.0.2.1")}, 1}, {fsm.AddressKey{Network: "d", Addr: netip.MustParseAddr("2001:db8::1")}, 2}}}},
		"0800 026e31 0161 0000000000000000 0000000000000000 0000000000000000" +
			"02 00 04c0000201 0000000000000001 0164 1020010db8000000000000000000000001 0000000000000002"},
	{"refuse older sets", Message{Store: "a", Body: RefuseOlderSets{Term: 1, Seq: 2, Index: 3}},
		"0900 026e31 0161 0000000000000000 0000000000000000 0000000000000000" +
			"0000000000000001 0000000000000002 0000000000000003"},
	{"set answer", Message{Store: "a", Body: SetAnswer{Boot: 4, Seq: 2, Term: 1, Index: 3, Cap: 5}},
		"0a00 026e31 0161 0000000000000000 0000000000000000 0000000000000000" +
			"0000000000000004 0000000000000002 0000000000000001 0000000000000003 0000000000000005"},
}

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCodecVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			want := unhex(t, v.hex)
			got, err := Marshal("n1", v.msg)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%x (%v), want %x", got, err, want)
			}
			from, msg, err := Unmarshal(want)
			if err != nil || from != "n1" || !reflect.DeepEqual(msg, v.msg) {
				t.Fatalf("%s %+v (%v)", from, msg, err)
			}
			for n := range want {
				if _, _, err := Unmarshal(want[:n]); !errors.Is(err, errMessage) {
					t.Fatalf("cut to %d bytes: %v", n, err)
				}
			}
			if _, _, err := Unmarshal(append(want, 0)); !errors.Is(err, errMessage) {
				t.Fatalf("a byte too many: %v", err)
			}
		})
	}
}

func TestCodecRefuses(t *testing.T) {
	long := fsm.NodeID(strings.Repeat("n", maxNode+1))
	for name, m := range map[string]Message{
		"no body":       {Store: "a"},
		"no store":      {Body: Ack{}},
		"long store":    {Store: fsm.StoreID(strings.Repeat("s", maxStore+1)), Body: Ack{}},
		"no node":       {Store: "a", Body: Fence{}},
		"long node":     {Store: "a", Body: Fence{Node: long}},
		"no ttl":        {Store: "a", Body: Renew{}},
		"negative ttl":  {Store: "a", Body: Renew{TTL: -1}},
		"huge ttl":      {Store: "a", Body: Renew{TTL: maxTTL + 1}},
		"huge cap":      {Store: "a", Body: SetAnswer{Cap: math.MaxInt64}},
		"silence":       {Store: "a", Body: Suspect{Node: "n", Silent: -1}},
		"many orphans":  {Store: "a", Body: Report{Orphans: make([]Orphan, maxOrphans+1)}},
		"many releases": {Store: "a", Body: Confirmation{Releases: make([]Released, maxReleases+1)}},
		"no address":    {Store: "a", Body: Confirmation{Releases: make([]Released, 1)}},
		"zone":          {Store: "a", Body: Confirmation{Releases: []Released{{Key: fsm.AddressKey{Addr: netip.MustParseAddr("fe80::1%eth0")}}}}},
	} {
		if _, err := Marshal("n1", m); !errors.Is(err, errMessage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Marshal(long, Message{Store: "a", Body: Ack{}}); !errors.Is(err, errMessage) {
		t.Errorf("long sender: %v", err)
	}
}

// The longest of each kind fits a datagram.
func TestLongestMessageFits(t *testing.T) {
	node := fsm.NodeID(strings.Repeat("n", maxNode))
	report, conf := Report{}, Confirmation{}
	for range maxOrphans {
		report.Orphans = append(report.Orphans, Orphan{Node: node})
	}
	for range maxReleases {
		conf.Releases = append(conf.Releases, Released{Key: fsm.AddressKey{Network: strings.Repeat("x", maxNetwork), Addr: netip.IPv6Unspecified()}})
	}
	for _, b := range []Body{report, conf, FenceAnswer{Node: node}} {
		got, err := Marshal(node, Message{Store: fsm.StoreID(strings.Repeat("s", maxStore)), LogKnown: true, Body: b})
		if err != nil || len(got)+SealOverhead > MaxDatagram {
			t.Errorf("%T: %d bytes, %v", b, len(got)+SealOverhead, err)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, v := range vectors {
		f.Add(unhex(f, v.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		from, m, err := Unmarshal(b)
		if err != nil {
			return
		}
		again, err := Marshal(from, m)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x became %x (%v)", b, again, err)
		}
		// Whatever a peer says, the machine bears it.
		r := readyRig(&testing.T{}, g1, state(30))
		r.step(Lead{Term: 5}, Received{From: from, Msg: m}, Tick{})
	})
}
