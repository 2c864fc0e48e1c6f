package nft

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"quorate/lvs"
	"quorate/lvs/lvstest"
)

// randomMarks do not overlap: each is in a block of addresses of its own, or in a block of ports.
func randomMarks(r *rand.Rand) (out []Mark) {
	for i := range r.IntN(30) {
		if r.IntN(4) == 0 {
			continue
		}
		first := netip.AddrFrom4([4]byte{198, 51, byte(i), byte(r.IntN(100))})
		if r.IntN(2) == 0 {
			first = netip.MustParseAddr(fmt.Sprintf("2001:db8:%x::%x", i, r.IntN(1<<16)))
		}
		last := first
		for range r.IntN(9) {
			last = last.Next()
		}
		from, step := uint16(0), uint16(0)
		for range 1 + r.IntN(3) {
			from += uint16(1 + r.IntN(1000))
			step = uint16(r.IntN(100))
			m := lvs.Match{First: first, Last: last, Protocol: []string{lvs.TCP, lvs.UDP, lvs.SCTP}[r.IntN(3)], FromPort: from, ToPort: from + step}
			from += step
			out = append(out, Mark{m, 0x51000000 + uint32(r.IntN(5))})
		}
		if r.IntN(3) == 0 {
			m := lvs.Match{First: last.Next(), Last: last.Next().Next(), Protocol: lvs.TCP}
			out = append(out, Mark{m, r.Uint32()})
		}
	}
	slices.SortFunc(out, func(a, b Mark) int { return a.Compare(b.Match) })
	return out
}

// TestMarks goes from any marks to any others; after each step the kernel has those, another look changes nothing, what another program did to the table is put
// right, and its own tables stay.
func TestMarks(t *testing.T) {
	b := lvstest.NewBed(t)
	intact := foreignTable(t, b)
	r := rand.New(rand.NewPCG(5, 6))
	ours := &nftables.Table{Name: marksTable, Family: nftables.TableFamilyINet}
	set := func(t *testing.T, want []Mark) (changed int) {
		t.Helper()
		err := b.Director.Do(func() (err error) {
			var have []Mark
			have, changed, err = ReconcileMarks(want)
			if err == nil && !slices.Equal(have, want) {
				t.Fatalf("it returns %v\nwanted %v", have, want)
			}
			if have, err := Marks(); err != nil || !slices.Equal(have, want) {
				t.Fatalf("the kernel has %v, %v\nwanted %v", have, err, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return changed
	}
	for range 100 {
		want := randomMarks(r)
		set(t, want)
		if n := set(t, want); n != 0 {
			t.Fatalf("a second look changed %d", n)
		}
	}
	want := append(randomMarks(r), Mark{lvs.Match{First: lvstest.VIP4, Last: lvstest.VIP4, Protocol: lvs.TCP, FromPort: 80, ToPort: 90}, 9})
	slices.SortFunc(want, func(a, b Mark) int { return a.Compare(b.Match) })
	marks4 := &nftables.Set{Table: ours, Name: "ranges4a", IsMap: true, Interval: true, Concatenation: true, KeyType: byPort.keyType(inet4), DataType: nftables.TypeMark}
	at := func(a string, mark byte) []nftables.SetElement {
		m := lvs.Match{First: netip.MustParseAddr(a), Last: netip.MustParseAddr(a), Protocol: lvs.TCP, FromPort: 80, ToPort: 90}
		e := kind{key: byPort.keyType(inet4), marks: true}.element(rangeOf(m))
		e.Val = []byte{mark, 0, 0, 0}
		return []nftables.SetElement{e}
	}
	for name, tamper := range map[string]func(c *nftables.Conn) error{
		"table deleted":   func(c *nftables.Conn) error { c.DelTable(ours); return nil },
		"rules flushed":   func(c *nftables.Conn) error { c.FlushTable(ours); return nil },
		"map flushed":     func(c *nftables.Conn) error { c.FlushSet(marks4); return nil },
		"element deleted": func(c *nftables.Conn) error { return c.SetDeleteElements(marks4, at(lvstest.VIP4.String(), 9)) },
		"element added":   func(c *nftables.Conn) error { return c.SetAddElements(marks4, at("203.0.113.7", 1)) },
		"other mark": func(c *nftables.Conn) error {
			if err := c.SetDeleteElements(marks4, at(lvstest.VIP4.String(), 9)); err != nil {
				return err
			}
			return c.SetAddElements(marks4, at(lvstest.VIP4.String(), 10))
		},
		"rule added": func(c *nftables.Conn) error {
			c.InsertRule(&nftables.Rule{Table: ours, Chain: &nftables.Chain{Name: "prerouting"}, Exprs: []expr.Any{&expr.Verdict{Kind: expr.VerdictAccept}}})
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			set(t, nil) // so that it is the first of the two maps that is asked
			set(t, want)
			b.Director.Nftables(t, tamper)
			if set(t, want) == 0 {
				t.Error("it was not seen")
			}
			intact(t)
		})
	}
	t.Run("shown by nft", func(t *testing.T) { shown(t, b) })
	set(t, nil)
	intact(t)
	b.Director.Nftables(t, func(c *nftables.Conn) error {
		tables, err := c.ListTables()
		if len(tables) != 1 {
			t.Errorf("left behind: %d tables", len(tables)-1)
		}
		return err
	})
}

// shown: the administrator's tool lists the table, and says what it does.
func shown(t *testing.T, b *lvstest.Bed) {
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("nft is not installed: run apt-get install nftables")
	}
	var out []byte
	err := b.Director.Do(func() (err error) {
		out, err = exec.Command("nft", "list", "table", "inet", marksTable).CombinedOutput()
		return err
	})
	for _, want := range []string{`192.0.2.10 . tcp . 80-90 comment "fwmark 9"`, "meta mark set ip daddr . meta l4proto . th dport map @ranges4", "prerouting priority mangle + 1"} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Fatalf("%v: want %q in\n%s", err, want, out)
		}
	}
}

// BenchmarkMarks: a thousand in one transaction, one among them changed, none, and all removed.
func BenchmarkMarks(b *testing.B) {
	bed := lvstest.NewBed(b)
	many := func(mark uint32) (out []Mark) {
		for i := range 1000 {
			a := netip.AddrFrom4([4]byte{198, 51, byte(i / 20), byte(10 * (i % 20))})
			m := lvs.Match{First: a, Last: a.Next().Next(), Protocol: lvs.TCP, FromPort: uint16(1000 + i), ToPort: uint16(2000 + i)}
			out = append(out, Mark{m, 0x51000000 + uint32(i)})
		}
		out[500].Mark = mark
		return out
	}
	set := func(want []Mark) error { _, _, err := ReconcileMarks(want); return err }
	err := bed.Director.Do(func() error {
		for _, x := range []struct {
			name          string
			before, after []Mark
		}{{"write", nil, many(1)}, {"change", many(1), many(2)}, {"unchanged", many(1), many(1)}, {"remove", many(1), nil}} {
			var failed error
			b.Run(x.name, func(b *testing.B) {
				bed.Director.Do(func() error {
					for b.Loop() {
						b.StopTimer()
						failed = set(x.before)
						b.StartTimer()
						if failed == nil {
							failed = set(x.after)
						}
						if failed != nil {
							b.Fatal(failed)
						}
					}
					return nil
				})
			})
		}
		return set(nil)
	})
	if err != nil {
		b.Fatal(err)
	}
}

// TestExchangedMarks: once the rules ask other maps, those from before are there, and full, for packets that were half way.
func TestExchangedMarks(t *testing.T) {
	b := lvstest.NewBed(t)
	m := Mark{lvs.Match{First: lvstest.VIP4, Last: lvstest.VIP4.Next(), Protocol: lvs.TCP, FromPort: 80, ToPort: 89}, 1}
	err := b.Director.Do(func() error {
		if _, _, err := ReconcileMarks([]Mark{m}); err != nil {
			return err
		}
		before, err := list(marksTable)
		if err != nil {
			return err
		}
		m.Mark = 2
		next := compileMarks([]Mark{m}, other[before.side()])
		if _, err := before.exchange(next); err != nil {
			return err
		}
		now, err := list(marksTable)
		if err != nil {
			return err
		}
		if got := now.listedMarks(); !slices.Equal(got, []Mark{m}) {
			t.Errorf("packets get %v", got)
		}
		for name, s := range before.sets {
			if got := now.sets[name]; got == nil || !maps.Equal(got.elems, s.elems) {
				t.Errorf("map %s was %v, is %v", name, s.elems, got)
			}
		}
		_, _, err = ReconcileMarks([]Mark{m})
		if err != nil {
			return err
		}
		if now, err = list(marksTable); err == nil && len(now.sets) != len(next.sets) {
			t.Errorf("%d maps, want %d", len(now.sets), len(next.sets))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
