package suspect

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func server(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, 0, byte(n)}), 80)
}

func TestCounters(t *testing.T) {
	for _, c := range []struct {
		name  string
		looks []Count // what came before each, two seconds apart
		want  string  // the looks that make suspect, and why
	}{
		{"idle", []Count{{}, {}, {}}, ""},
		{"answers", []Count{{1, 5, 4}}, ""},
		{"a long answer, which nobody asks for in between", []Count{{0, 0, 50}}, ""},
		{"many connections, no answer", []Count{{3, 3, 0}}, "1 unanswered"},
		{"one that is begun again and again", []Count{{1, 2, 0}, {0, 1, 0}}, "2 unanswered"},
		{"one, and nothing more", []Count{{1, 1, 0}, {}, {}, {}}, "3 unanswered"},
		{"the last words of two clients", []Count{{0, 2, 0}, {}, {}}, ""},
		{"an established connection goes on without an answer", []Count{{0, 3, 0}}, "1 unanswered"},
		{"a connection refused", []Count{{1, 1, 1}, {}, {}}, "3 refused"},
		{"many refused", []Count{{50, 50, 50}, {50, 50, 50}}, "1 refused 2 refused"},
		{"refused, and old connections end", []Count{{5, 9, 8}}, ""},
		{"a stray answer is more than a refusal", []Count{{1, 1, 2}, {}, {}}, ""},
		{"of some one goes on", []Count{{4, 5, 4}, {}, {}}, ""},
		{"only answers", []Count{{3, 0, 3}}, ""},
		{"added up in the midst of a greeting", []Count{{1, 1, 0}, {0, 4, 4}, {}, {}}, ""},
		{"and a little later", []Count{{1, 1, 1}, {0, 4, 3}, {}, {}}, ""},
		{"answered once, and then no more", []Count{{1, 1, 1}, {0, 4, 3}, {5, 5, 0}}, "3 unanswered"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var k Counters
			at := time.Unix(1000, 0)
			now := Counts{server(1): {Connections: 100, In: 1000, Out: 900}}
			if got := k.Next(now, at); len(got) > 0 {
				t.Errorf("%v at the first look", got)
			}
			var got []string
			for i, came := range c.looks {
				now.Add(server(1), came)
				at = at.Add(2 * time.Second)
				for _, why := range k.Next(now, at) {
					got = append(got, fmt.Sprint(i+1, " ", why))
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	var k Counters
	at := time.Unix(1000, 0)
	k.Next(Counts{server(1): {100, 1000, 900}}, at)
	if got := k.Next(Counts{server(1): {5, 5, 0}, server(2): {5, 5, 0}}, at.Add(time.Minute)); len(got) > 0 {
		t.Errorf("counters that have begun anew, or are new: %v", got)
	}
}

// TestCountersWalk: clients greet servers, and the kernel adds up every two seconds, now and then in the midst of a greeting; looks come each second. Who answers is
// never suspected, nobody is without a packet, and who is asked and never answers is suspected in time.
func TestCountersWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var k Counters
		sums, rest := Counts{}, Count{} // rest: what is still to come of a greeting that was cut
		const well, dead, idle = 1, 2, 3
		refuses := rapid.Bool().Draw(t, "refuses")
		for i := range 4 {
			sums[server(i)] = Count{}
		}
		at, asked := time.Unix(1000, 0), time.Time{}
		for range rapid.IntRange(1, 30).Draw(t, "sums") {
			sums.Add(server(well), rest)
			rest = Count{}
			n := uint64(rapid.IntRange(0, 5).Draw(t, "greetings"))
			sums.Add(server(well), Count{n, 5 * n, 4 * n})
			if rapid.Bool().Draw(t, "cut") {
				first := uint64(rapid.IntRange(0, 1).Draw(t, "answered"))
				sums.Add(server(well), Count{1, 1, first})
				rest = Count{0, 4, 4 - first}
			}
			if n := uint64(rapid.IntRange(0, 3).Draw(t, "in vain")); n > 0 {
				back := uint64(0)
				if refuses {
					back = n
				}
				if sums.Add(server(dead), Count{n, n, back}); asked.IsZero() {
					asked = at
				}
			}
			for range 2 {
				got := k.Next(sums, at)
				if got[server(well)] != "" || got[server(idle)] != "" {
					t.Fatalf("%v suspected: %v", got, sums)
				}
				if got[server(dead)] != "" {
					if asked.IsZero() {
						t.Fatal("suspected again without a packet")
					}
					if want := map[bool]Reason{true: Refused, false: Unanswered}[refuses]; got[server(dead)] != want {
						t.Fatalf("suspected as %s, want %s", got[server(dead)], want)
					}
					asked = time.Time{}
				}
				if !asked.IsZero() && at.Sub(asked) > settle && asked.After(time.Unix(1000, 0)) {
					t.Fatalf("not suspected for %s", at.Sub(asked))
				}
				at = at.Add(time.Second)
			}
		}
	})
}

func connection(client, srv int) Connection {
	return Connection{Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), uint16(1000+client)),
		Virtual: netip.MustParseAddrPort("192.0.2.10:80"), Server: server(srv)}
}

func TestWaiting(t *testing.T) {
	const full = 120 * time.Second
	type look = map[Connection]time.Duration
	a, b, other := connection(1, 1), connection(2, 1), connection(3, 2)
	for _, c := range []struct {
		name  string
		looks []look
		part  bool
		want  string // what each look makes suspect
	}{
		{"answered in time", []look{{a: full}, {}}, false, "map[] map[]"},
		{"not answered", []look{{a: full}, {a: full - time.Second}}, false, "map[] map[10.9.0.1:80:unanswered]"},
		{"suspected once, without another packet", []look{{a: full}, {a: full - time.Second}, {a: full - 2*time.Second}, {a: full - 3*time.Second}}, false,
			"map[] map[10.9.0.1:80:unanswered] map[] map[]"},
		{"again with the packets that come again", []look{{a: full}, {a: full - time.Second}, {a: full - 2*time.Second}, {a: full}, {a: full - time.Second}}, false,
			"map[] map[10.9.0.1:80:unanswered] map[] map[] map[10.9.0.1:80:unanswered]"},
		{"rounding is no packet", []look{{a: full}, {a: full}, {a: full - time.Second}}, false, "map[] map[10.9.0.1:80:unanswered] map[]"},
		{"again and again, a second each", []look{{a: full}, {a: full}, {a: full}, {a: full}}, false, "map[] map[10.9.0.1:80:unanswered] map[] map[10.9.0.1:80:unanswered]"},
		{"another one is answered", []look{{a: full, b: full}, {a: full - time.Second}}, false, "map[] map[]"},
		{"of another server another one is answered", []look{{a: full, other: full}, {a: full - time.Second}}, false, "map[] map[10.9.0.1:80:unanswered]"},
		{"the other one is forgotten", []look{{a: full, b: 2 * time.Second}, {a: full - time.Second}}, false, "map[] map[10.9.0.1:80:unanswered]"},
		{"of too many some are not seen", []look{{a: full, b: full}, {a: full - time.Second}}, true, "map[] map[10.9.0.1:80:unanswered]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w Waiting
			got := ""
			at := time.Unix(1000, 0)
			for i, l := range c.looks {
				got += fmt.Sprint(" ", map[netip.AddrPort]Reason(w.Next(Look{l, c.part}, at.Add(time.Duration(i)*time.Second))))
			}
			if got[1:] != c.want {
				t.Errorf("%s, want %s", got[1:], c.want)
			}
		})
	}
}

func TestLookIsBounded(t *testing.T) {
	var l Look
	for i := range maxLook + 1 {
		if l.Part {
			t.Fatalf("only part of %d connections", i)
		}
		l.Add(Connection{Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1)}, time.Second)
	}
	if !l.Part || len(l.Left) != maxLook {
		t.Errorf("part %t, %d connections", l.Part, len(l.Left))
	}
}

// TestWaitingWalk lets clients connect to servers that answer and servers that do not, look after look. Nobody is suspected without a packet that
// has come since the suspicion before, nor who answers; and who does not answer is suspected at the second look.
func TestWaitingWalk(t *testing.T) {
	const forget = 60 * time.Second
	rapid.Check(t, func(t *rapid.T) {
		var w Waiting
		now := time.Unix(1000, 0)
		sent := map[Connection]time.Time{} // the last packet of those without an answer
		began := map[Connection]time.Time{}
		packets := map[netip.AddrPort]int{} // since the look before the last suspicion: those after it may have another one
		last, next := now, 0
		for range rapid.IntRange(1, 30).Draw(t, "looks") {
			answers := map[int]bool{1: true, 2: rapid.Bool().Draw(t, "2 answers"), 3: false}
			for c := range sent { // whom the server answers is answered before the next look
				if answers[int(c.Server.Addr().As4()[3])] {
					delete(sent, c)
				}
			}
			for c, at := range sent {
				if now.Sub(at) >= forget {
					delete(sent, c)
				}
			}
			fresh := map[netip.AddrPort]int{} // since the last look
			for range rapid.IntRange(0, 4).Draw(t, "connections") {
				next++
				c := connection(next, rapid.IntRange(1, 3).Draw(t, "server"))
				sent[c], began[c] = now, now
				fresh[c.Server]++
			}
			if rapid.Bool().Draw(t, "again") {
				for c, at := range sent {
					if now.Sub(at) > time.Second {
						sent[c] = now
						fresh[c.Server]++
					}
				}
			}
			look := Look{Left: map[Connection]time.Duration{}}
			for c, at := range sent {
				look.Left[c] = (forget - now.Sub(at)).Truncate(time.Second)
			}
			got := w.Next(look, now)
			for s, why := range got {
				if why != Unanswered || s == server(1) {
					t.Fatalf("%v suspected: %s", s, why)
				}
				if packets[s] == 0 {
					t.Fatalf("%v suspected again without a packet", s)
				}
				packets[s] = 0
			}
			for s, n := range fresh {
				packets[s] += n
			}
			for c := range sent {
				if c.Server == server(3) && began[c].Equal(last) && !last.Equal(now) && got[server(3)] == "" {
					t.Fatalf("%v has not been suspected: %v", c, look)
				}
			}
			last = now
			now = now.Add(time.Duration(rapid.IntRange(1000, 5000).Draw(t, "ms")) * time.Millisecond)
		}
	})
}
