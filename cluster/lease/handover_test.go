package lease

import (
	"strings"
	"testing"
	"time"

	"quorate/fsm"
)

// §3 Planned moves: confirmations are bound to their Release, and "an owner that does not confirm in time is fenced".
func TestHandOver(t *testing.T) {
	r := leading(t, g3, state(30, owner(keyA, "n1", 29), owner(keyB, "n2", 30)))
	for name, c := range map[string]Received{
		"earlier release":   r.from(g1, Confirmation{Releases: []Released{{keyA, 28}}}),
		"later release":     r.from(g1, Confirmation{Releases: []Released{{keyA, 30}}}),
		"not the owner":     r.from(g2, Confirmation{Releases: []Released{{keyA, 29}}}),
		"another store":     r.from(fsm.Grantor{Node: "n1", Store: "x"}, Confirmation{Releases: []Released{{keyA, 29}}}),
		"another's address": r.from(g1, Confirmation{Releases: []Released{{keyB, 30}}}),
	} {
		r.step(c)
		if len(events[Confirmed](r)) != 0 || len(r.m.Hints(r.now).Confirmed) != 0 {
			t.Fatalf("%s: counted", name)
		}
	}
	r.step(r.from(g1, Confirmation{Releases: []Released{{keyA, 29}}}))
	if e := oneEvent[Confirmed](r); e != (Confirmed{Key: keyA, ReleaseIndex: 29, Node: "n1", Term: 5}) {
		t.Fatalf("%+v", e)
	}
	if h := r.m.Hints(r.now); len(h.Confirmed) != 1 || h.Confirmed[keyA] != 29 {
		t.Fatalf("%+v", h)
	}
	// Cancelled and released again: another index, to be confirmed anew.
	r.after(0, Applied{State: state(31, owner(keyA, "n1", 31), owner(keyB, "n2", 30))})
	if h := r.m.Hints(r.now); len(h.Confirmed) != 0 {
		t.Fatalf("%+v", h)
	}
}

func TestUnconfirmedHandOverIsFenced(t *testing.T) {
	for p, within := range map[fsm.Profile]time.Duration{fsm.LAN: time.Second, fsm.WAN: 12 * time.Second} {
		r := leading(t, g3, state(30, owner(keyA, "n1", 29), owner(keyB, "n1", 29), profile(p)))
		r.step(r.from(g1, Confirmation{Releases: []Released{{keyB, 29}}}))
		for seq := uint64(1); r.now.Raw < 1300*ms+within-50*ms; seq++ {
			r.alive(50*ms).step(r.from(g1, renew(seq, 11)), r.from(g2, Suspect{Seq: seq, Node: "n1", Epoch: 11, Withdrawn: true}))
			none[Fence](r, "n2")
		}
		r.alive(50 * ms)
		if len(take[Fence](r, "n2")) == 0 {
			t.Fatalf("%s: no fence after %v", p, within)
		}
		x := r.m.fencer.fences["n1"]
		if !strings.Contains(x.text, "did not confirm release 29 of 192.0.2.1") {
			t.Fatal(x.text)
		}
	}
}

// The owner repeats its confirmation, each R, until its applied state no longer has that release current.
func TestConfirmationIsRepeated(t *testing.T) {
	r := readyRig(t, g1, state(30, owner(keyA, "n1", 29)))
	r.step(Follow{Leader: "n3"})
	r.after(0, Confirm{[]Released{{keyA, 29}}})
	want := Released{Key: keyA, Index: 29}
	if c := one[Confirmation](r, "n3"); len(c.Releases) != 1 || c.Releases[0] != want {
		t.Fatalf("%+v", c)
	}
	r.alive(100 * ms)
	if n := len(take[Confirmation](r, "n3")); n != 2 {
		t.Fatalf("%d", n)
	}
	r.after(1*ms, Follow{Leader: "n2"})
	one[Confirmation](r, "n2")
	r.after(0, Confirm{[]Released{{keyA, 28}}}) // of an earlier release
	r.after(0, Applied{State: state(31, owner(keyA, "n1", 31))})
	r.alive(200 * ms)
	none[Confirmation](r, "n2")
	r.after(0, Confirm{[]Released{{keyA, 29}}}, Confirm{[]Released{{keyB, 31}}})
	none[Confirmation](r, "n2")

	// Many fit into several datagrams.
	many := state(40)
	r.after(0, Applied{State: many})
	for i := range 25 {
		k := fsm.AddressKey{Network: strings.Repeat("x", maxNetwork), Addr: keyB.Addr}
		k.Network = k.Network[:maxNetwork-1] + string(rune('a'+i))
		owner(k, "n1", 39)(many)
		r.step(Confirm{[]Released{{k, 39}}})
	}
	r.after(50 * ms)
	n := 0
	for _, c := range take[Confirmation](r, "n2") {
		n += len(c.Releases)
		if b, err := Marshal("n1", Message{Store: "s1", Body: c}); err != nil || len(b)+SealOverhead > MaxDatagram {
			t.Fatalf("%d bytes: %v", len(b), err)
		}
	}
	if n != 25 {
		t.Fatalf("%d confirmations", n)
	}
}
