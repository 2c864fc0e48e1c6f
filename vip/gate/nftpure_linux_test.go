package gate

import (
	"errors"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

const ms = time.Millisecond

// slowSet is a set whose calls take time, and begin to count at some point of it.
type slowSet struct {
	clock time.Duration
	takes []time.Duration // of each call; the last one's is that of all later ones
	at    float64         // when within the call the kernel counts: 0 at its begin, 1 at its end
	err   error           // of put
	ends  time.Duration   // when the element ends; 0: there is none
	calls int
}

func (s *slowSet) now() time.Duration { return s.clock }

func (s *slowSet) call() (counted time.Duration) {
	took := s.takes[min(s.calls, len(s.takes)-1)]
	s.calls++
	counted = s.clock + time.Duration(s.at*float64(took))
	s.clock += took
	return counted
}

func (s *slowSet) put(_ uint64, timeout time.Duration) error {
	at := s.call()
	if s.err == nil {
		s.ends = at + timeout
	}
	return s.err
}

func (s *slowSet) cut(uint64) error {
	s.call()
	s.ends = 0
	return nil
}

// TestNFTRenewDecides: whatever the kernel takes, an element never outlives its instant by more than nftLate after Renew.
func TestNFTRenewDecides(t *testing.T) {
	failed := errors.New("no")
	const start = 1000 * ms
	for name, c := range map[string]struct {
		takes []time.Duration
		until time.Duration
		err   error
		want  error
		calls int
		ends  time.Duration // if the kernel counts at the end of a call
	}{
		"quick":                   {[]time.Duration{ms}, 1250 * ms, nil, nil, 1, 1251 * ms},
		"over":                    {[]time.Duration{ms}, 0, nil, nil, 1, 0},
		"past":                    {[]time.Duration{ms}, 999 * ms, nil, nil, 1, 0},
		"less than a millisecond": {[]time.Duration{ms}, start + ms - 1, nil, nil, 1, 0},
		"late once":               {[]time.Duration{30 * ms, 0}, 1250 * ms, nil, nil, 2, 1220 * ms},
		"always late by the same": {[]time.Duration{30 * ms}, 1250 * ms, nil, nil, 2, 1250 * ms},
		"late beyond the end":     {[]time.Duration{300 * ms, 0}, 1250 * ms, nil, nil, 2, 0},
		"later and later":         {[]time.Duration{10 * ms, 20 * ms, 40 * ms, 0}, 1250 * ms, nil, errNFTLate, 4, 0},
		"refused":                 {[]time.Duration{ms}, 1250 * ms, failed, failed, 1, 0},
		"refused late":            {[]time.Duration{30 * ms}, 1250 * ms, failed, failed, 2, 0},
	} {
		s := &slowSet{clock: start, takes: c.takes, at: 1, err: c.err}
		if err := renew(s.now, s, 7, c.until); !errors.Is(err, c.want) || s.calls != c.calls || s.ends != c.ends {
			t.Errorf("%s: got %v after %d calls, ends at %s; want %v, %d, %s", name, err, s.calls, s.ends, c.want, c.calls, c.ends)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		s := &slowSet{clock: start, at: rng.Float64(), ends: start + time.Duration(rng.IntN(300))*ms}
		for range 5 {
			s.takes = append(s.takes, time.Duration(rng.ExpFloat64()*float64(5*ms)))
		}
		until := start + time.Duration(rng.Int64N(int64(300*ms)))
		renew(s.now, s, 7, until)
		if s.ends > until+nftLate {
			t.Fatalf("%+v: ends %s after its instant", s, s.ends-until)
		}
	}
}

// take carries out steps as the kernel does: adding what is there with another value, or deleting what is not, fails.
func (c content) take(s steps) error {
	add := func(list []element) error {
		for _, e := range list {
			if e.timed {
				c.timed[e.set][e.key] = e.until
				continue
			}
			if old, ok := c.fixed[e.set][e.key]; ok && old != e.value {
				return errors.New("exists with another value")
			}
			c.fixed[e.set][e.key] = e.value
		}
		return nil
	}
	remove := func(list []element) error {
		for _, e := range list {
			if e.timed {
				delete(c.timed[e.set], e.key)
				continue
			}
			if _, ok := c.fixed[e.set][e.key]; !ok {
				return errors.New("is not there")
			}
			delete(c.fixed[e.set], e.key)
		}
		return nil
	}
	return errors.Join(add(s.gate), remove(s.revoke), add(s.let), remove(s.forget))
}

func (c content) clone() content {
	n := content{fixed: maps.Clone(c.fixed), timed: maps.Clone(c.timed)}
	for id := range n.fixed {
		n.fixed[id] = maps.Clone(n.fixed[id])
	}
	for id := range n.timed {
		n.timed[id] = maps.Clone(n.timed[id])
	}
	return n
}

// passes says what the rules let pass for an address while every lease lives; end: until when, 0 for ever.
func (c content) passes(a netip.Addr) (gated bool, claim, ip string, end time.Duration) {
	cluster, claims, ips, linger, until := sets(a)
	key := a.AsSlice()
	_, gated = c.fixed[cluster[0]][string(key)]
	claim, ip = c.fixed[claims][string(key)], c.fixed[ips][string(key)]
	if _, ok := c.fixed[linger][string(key)]; ok {
		if end, ok = c.timed[until][string(key)]; !ok {
			ip = ""
		}
	}
	return gated, claim, ip, end
}

// TestNFTDiffLeads: from any content to any other, the steps lead there, and their closing part leaves nothing open that is to be
// closed, and opens nothing.
func TestNFTDiffLeads(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	addrs := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")}
	const now = time.Hour
	draw := func() (list []Entry) {
		for _, a := range addrs {
			e := Entry{Addr: a, Epoch: rng.Uint64N(3), ARP: rng.IntN(2) == 0, IP: rng.IntN(2) == 0}
			if !e.ARP && rng.IntN(2) == 0 {
				e.IPUntil = now + time.Duration(1+rng.IntN(3))*time.Minute
			}
			if rng.IntN(4) > 0 {
				list = append(list, e)
			}
		}
		return list
	}
	for range 20000 {
		have, err := desired(draw())
		want, err2 := desired(draw())
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		shown := have.clone()
		for id := range shown.timed { // a list says what is left
			for key, until := range shown.timed[id] {
				shown.timed[id][key] = until - now
			}
		}
		s := diff(shown, want, now, now)

		closing := have.clone()
		if err := closing.take(s.closing()); err != nil {
			t.Fatal(err)
		}
		for _, a := range addrs {
			wasGated, _, _, _ := have.passes(a)
			gated, claim, ip, end := closing.passes(a)
			wGated, wClaim, wIP, wEnd := want.passes(a)
			if wGated && !gated {
				t.Fatalf("%s is not gated after closing", a)
			}
			if !wasGated && (claim != "" || ip != "") {
				t.Fatalf("closing opened %s", a)
			}
			if claim != "" && claim != wClaim || ip != "" && ip != wIP || ip != "" && wEnd > 0 && (end == 0 || end > wEnd) {
				t.Fatalf("%s is open after closing: %q %q until %s, want %q %q until %s", a, claim, ip, end, wClaim, wIP, wEnd)
			}
		}

		all := have.clone()
		if err := all.take(s); err != nil {
			t.Fatal(err)
		}
		for _, a := range addrs {
			g, c, i, e := all.passes(a)
			wg, wc, wi, we := want.passes(a)
			if g != wg || c != wc || i != wi || e != we {
				t.Fatalf("%s: %t %q %q %s, want %t %q %q %s", a, g, c, i, e, wg, wc, wi, we)
			}
		}
	}
}

// TestNFTLinger: a timed element is left alone while it is about right, and set anew when it is not.
func TestNFTLinger(t *testing.T) {
	a := netip.MustParseAddr("192.0.2.1")
	_, _, _, _, until := sets(a)
	key := string(a.AsSlice())
	const now, end = time.Hour, time.Hour + 500*ms
	want, err := desired([]Entry{{Addr: a, Epoch: 7, IP: true, IPUntil: end}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		now, rest   time.Duration // rest 0: not there
		revoke, let int
	}{
		"as wanted":          {now, 500 * ms, 0, 0},
		"a little long":      {now, 500*ms + nftLate, 0, 0},
		"too long":           {now, 500*ms + nftLate + 1, 1, 1},
		"a little short":     {now, 480 * ms, 0, 0},
		"too short":          {now, 479 * ms, 0, 1},
		"not there":          {now, 0, 0, 1},
		"nearly over":        {end - 10*ms, 0, 0, 0},
		"over":               {end + time.Second, 0, 0, 0},
		"over, and is still": {end + time.Second, ms, 1, 0},
		"has no end":         {now, 1 << 60, 1, 1},
	} {
		have := want.clone()
		delete(have.timed[until], key)
		if c.rest > 0 {
			have.timed[until][key] = c.rest
		}
		if s := diff(have, want, c.now, c.now); len(s.revoke) != c.revoke || len(s.let) != c.let {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// TestNFTLayoutDiffers: what another program can do to the text.
func TestNFTLayoutDiffers(t *testing.T) {
	ours, err := compile()
	if err != nil {
		t.Fatal(err)
	}
	if d := ours.differs(slices.Clone(ours)); d != "" {
		t.Errorf("equal layouts differ: %s", d)
	}
	for i := range ours {
		if ours.differs(slices.Delete(slices.Clone(ours), i, i+1)) == "" {
			t.Errorf("without %q: not seen", ours[i])
		}
		if ours.differs(slices.Insert(slices.Clone(ours), i, "inet rule x: y")) == "" {
			t.Errorf("more before %q: not seen", ours[i])
		}
	}
	if ours.differs(nil) == "" || ours.differs(append(slices.Clone(ours), "more")) == "" {
		t.Error("nothing, or more: not seen")
	}
	// No two rules of a chain are alike, so that each line has one meaning.
	seen := map[string]bool{}
	for _, l := range ours {
		if seen[l] {
			t.Errorf("twice: %s", l)
		}
		seen[l] = true
	}
}

// TestNFTBrokenMessages: attributes with wrong lengths end the reading.
func TestNFTBrokenMessages(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 20000 {
		b := make([]byte, rng.IntN(64))
		for i := range b {
			b[i] = byte(rng.IntN(12))
		}
		parseRule(famINet, b)
		exprText(b)
		ruleComment(b)
		attr(b, 1, 1)
	}
}
