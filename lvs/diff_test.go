package lvs_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"quorate/lvs"
	"quorate/lvs/lvstest"
)

var rewrite = flag.Bool("rewrite", false, "write what Diff says into the scripts")

// parse reads services in the form that lvs.Text writes.
func parse(t *testing.T, text string) (out []lvs.Service) {
	t.Helper()
	for line := range strings.Lines(text) {
		switch f := strings.Fields(line); {
		case len(f) == 0:
		case strings.HasPrefix(line, " "):
			d := lvs.Destination{Addr: netip.MustParseAddrPort(f[0])}
			words{t, f[1:]}.destination(&d)
			last := &out[len(out)-1]
			last.Destinations = append(last.Destinations, d)
		default:
			n := 2
			if f[0] == "fwmark" && f[2] == "ipv6" {
				n = 3
			}
			var k lvs.Key
			if err := k.UnmarshalText([]byte(strings.Join(f[:n], " "))); err != nil {
				t.Fatal(err)
			}
			s := lvs.Service{Protocol: k.Protocol, Addr: k.Addr.Addr(), Port: k.Addr.Port(), Mark: k.Mark, Scheduler: f[n]}
			words{t, f[n+1:]}.service(&s)
			out = append(out, s)
		}
	}
	return out
}

// words are what lvs.Text says of a service or a destination.
type words struct {
	t    *testing.T
	left []string
}

func (w *words) next() (out string) {
	if len(w.left) == 0 {
		return ""
	}
	out, w.left = w.left[0], w.left[1:]
	return out
}

func (w *words) number() int {
	n, err := strconv.Atoi(w.next())
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// encap reads a word that belongs to a tunnel.
func (w *words) encap(e *lvs.Encap, word string) {
	switch word {
	case lvs.GUE, lvs.GRE:
		e.Type = word
	case "port":
		e.Port = uint16(w.number())
	case lvs.Checksum, lvs.RemoteChecksum:
		e.Checksum = word
	default:
		w.t.Fatalf("%q is no word of a service or destination", word)
	}
}

func (w words) service(s *lvs.Service) {
	for len(w.left) > 0 {
		switch x := w.next(); x {
		case lvs.NAT, lvs.DirectRouting, lvs.Tunnel:
			s.Forward = x
		case "masquerade":
			s.Masquerade = true
		case "one-packet":
			s.OnePacket = true
		case "persistent":
			s.Persistence.Timeout = time.Duration(w.number()) * time.Second
		case "prefix":
			s.Persistence.Prefix = w.number()
		case "engine":
			s.Persistence.Engine = w.next()
		case "sh-port", "sh-fallback", "mh-port", "mh-fallback":
			s.Flags = append(s.Flags, x)
		default:
			w.encap(&s.Encap, x)
		}
	}
}

func (w words) destination(d *lvs.Destination) {
	for len(w.left) > 0 {
		switch x := w.next(); x {
		case "weight":
			d.Weight = w.number()
		case "upper":
			d.Upper = uint32(w.number())
		case "lower":
			d.Lower = uint32(w.number())
		case lvs.NAT, lvs.DirectRouting, lvs.Tunnel:
			d.Forward = x
		default:
			w.encap(&d.Encap, x)
		}
	}
}

// TestDiff runs the scripts in testdata: services the kernel has, services that are wanted, the changes. -rewrite
// writes the changes.
func TestDiff(t *testing.T) {
	files, err := filepath.Glob("testdata/diff-*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			head, rest, _ := strings.Cut(string(b), "-- have\n")
			have, rest, _ := strings.Cut(rest, "-- want\n")
			want, changes, ok := strings.Cut(rest, "-- changes\n")
			if !ok {
				t.Fatal("a script has the sections have, want and changes")
			}
			var got strings.Builder
			for _, c := range lvs.Diff(parse(t, have), parse(t, want)) {
				fmt.Fprintln(&got, c)
			}
			if *rewrite {
				out := head + "-- have\n" + have + "-- want\n" + want + "-- changes\n" + got.String()
				if err := os.WriteFile(file, []byte(out), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got.String() != changes {
				t.Errorf("got\n%swant\n%s", got.String(), changes)
			}
		})
	}
}

// TestDiffKeepsCommonDestinations walks randomly: applied one by one, the changes of Diff lead to the wanted table, no
// service that stays is ever removed, none is ever without a destination that it has before and after, and none without a usable one if it has
// one before and after.
func TestDiffKeepsCommonDestinations(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var m lvstest.Model
	caps := m.Capabilities()
	want := lvstest.RandomServices(r, caps)
	for range 2000 {
		before := m.Table()
		if _, err := m.Reconcile(lvstest.Scope, want); err != nil {
			t.Fatal(err)
		}
		changes := m.Changes()
		if got, want := lvs.Text(m.Table()), lvs.Text(want); got != want {
			t.Fatalf("the changes %v lead to\n%swant\n%s", changes, got, want)
		}
		check(t, before, want, changes)
		want = lvstest.Mutate(r, caps, want)
	}
}

func check(t *testing.T, before, after []lvs.Service, changes []lvs.Change) {
	t.Helper()
	both := func(k lvs.Key, in []lvs.Service) (lvs.Service, bool) {
		i := slices.IndexFunc(in, func(s lvs.Service) bool { return s.Key() == k })
		if i < 0 {
			return lvs.Service{}, false
		}
		return in[i], true
	}
	removed := make(map[lvs.Key]bool)
	var step lvstest.Model
	for _, s := range before {
		step.Put(s)
	}
	for _, c := range changes {
		step.Carry(c)
		for _, s := range step.Table() {
			a, _ := both(s.Key(), before)
			b, _ := both(s.Key(), after)
			if a.Usable() && b.Usable() && !s.Usable() {
				t.Fatalf("after %v of %v nobody takes new connections:\n%s", c, changes, lvs.Text([]lvs.Service{a, s, b}))
			}
		}
		k := c.Service.Key()
		a, had := both(k, before)
		b, has := both(k, after)
		switch c.Op {
		case lvs.RemoveService, lvs.AddService:
			if had && has {
				t.Fatalf("%v of a service that stays", c)
			}
		case lvs.RemoveDestination:
			removed[k] = true
			for _, d := range b.Destinations {
				if d.Addr == c.Destination.Addr {
					t.Fatalf("%v, which is wanted; before:\n%v", c, a)
				}
			}
		case lvs.AddDestination, lvs.EditDestination:
			if removed[k] {
				t.Fatalf("%v after a destination was removed", c)
			}
		}
	}
}

func TestContract(t *testing.T) {
	var m lvstest.Model
	drift := lvstest.DriftService(m.Capabilities())
	lvstest.Contract(t, lvstest.Subject{
		Plane: &m,
		Foreign: func(t *testing.T) func(*testing.T) {
			foreign := drift
			foreign.Addr = netip.MustParseAddr("203.0.113.1")
			m.Put(foreign)
			return func(t *testing.T) {
				t.Helper()
				if !slices.ContainsFunc(m.Table(), func(s lvs.Service) bool { return s.Key() == foreign.Key() }) {
					t.Error("the foreign service is gone")
				}
			}
		},
		Tamper: map[string]func(*testing.T){
			"deleted": func(*testing.T) { m.Delete(drift.Key()) },
			"changed": func(*testing.T) { s := drift; s.Destinations = s.Destinations[1:]; m.Put(s) },
			"added":   func(*testing.T) { s := drift; s.Port = 7777; m.Put(s) },
		},
	})
}
