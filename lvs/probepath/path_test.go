package probepath

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"quorate/lvs"
)

func path(n int) Path {
	return Path{Server: netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), Forward: lvs.DirectRouting}
}

func set(t *testing.T, x *Table, paths ...Path) {
	t.Helper()
	if err := x.Set(paths); err != nil {
		t.Fatal(err)
	}
}

func TestTable(t *testing.T) {
	var x Table
	set(t, &x, path(2), path(1), path(2))
	if a, b := x.Mark(path(1)), x.Mark(path(2)); a != lvs.FirstProbeMark || b != a+1 {
		t.Errorf("%#x and %#x", a, b)
	}
	if len(x.Services()) != 2 {
		t.Errorf("a path that is named twice:\n%s", lvs.Text(x.Services()))
	}
	set(t, &x, path(2), path(0))
	if a, b := x.Mark(path(0)), x.Mark(path(2)); a != lvs.FirstProbeMark || b != a+1 {
		t.Errorf("one that stays keeps its mark, and what was freed is used again: %#x and %#x", a, b)
	}
	if x.Mark(path(1)) != 0 {
		t.Error("one that is wanted no more has a mark")
	}
	if err := x.Avoid([]uint32{lvs.FirstProbeMark}); err != nil {
		t.Fatal(err)
	}
	set(t, &x, path(0), path(1), path(2))
	for n := range 3 {
		if m := x.Mark(path(n)); m == lvs.FirstProbeMark || m == 0 {
			t.Errorf("path %d has mark %#x, which another program has", n, m)
		}
	}
}

// The words of a plane are those of a table that it can carry, for every method and family.
func TestServices(t *testing.T) {
	var x Table
	v4, v6 := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")
	set(t, &x, Path{Server: v4, Forward: lvs.DirectRouting}, Path{Server: v6, IPv6: true, Forward: lvs.DirectRouting},
		Path{Server: v6, Forward: lvs.Tunnel, Encap: lvs.Encap{Type: lvs.GUE, Port: 6080, Checksum: lvs.Checksum}}, Path{Server: v4, Forward: lvs.Tunnel, Encap: lvs.Encap{Type: lvs.GRE}})
	want := `fwmark 1367343104 rr dr
  10.0.0.1:0 weight 1
fwmark 1367343105 rr tun gre
  10.0.0.1:0 weight 1
fwmark 1367343106 rr tun gue port 6080 csum
  [fd00::1]:0 weight 1
fwmark 1367343107 ipv6 rr dr
  [fd00::1]:0 weight 1
`
	if got := lvs.Text(x.Services()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	caps := lvs.Capabilities{Plane: "ipvs", Forwards: []string{lvs.DirectRouting, lvs.Tunnel}, Schedulers: []string{"rr"}, Marks: true, Tunnels: []string{lvs.IPIP, lvs.GUE, lvs.GRE}}
	if _, refused := caps.Accept(x.Services()); len(refused) > 0 {
		t.Error(refused)
	}
}

// TestLed: a probe is made only by a path that the kernel has as it should be.
func TestLed(t *testing.T) {
	var x Table
	set(t, &x, path(0), path(1), path(2))
	var st lvs.Status
	for i, s := range x.Services() {
		have := lvs.Canonical([]lvs.Service{s})[0]
		switch i {
		case 1:
			have.Destinations = []lvs.Destination{{Addr: netip.MustParseAddrPort("10.9.9.9:0"), Weight: 1}}
		case 2:
			continue
		}
		st.Services = append(st.Services, lvs.ServiceStatus{Key: s.Key(), Want: &s, Have: &have})
	}
	if led := x.Led(st); len(led) != 1 || !led[x.Mark(path(0))] {
		t.Errorf("%v, want that of the first path alone", led)
	}
	st.Services[0].Err = "another program has it"
	if led := x.Led(st); len(led) != 0 {
		t.Errorf("%v", led)
	}
}

// TestTableWalk: after any changes no mark is twice, none is another program's, and who stays keeps its own.
func TestTableWalk(t *testing.T) {
	var x Table
	r := rand.New(rand.NewPCG(1, 2))
	before, foreign := map[Path]uint32{}, map[uint32]bool{}
	for step := range 2000 {
		var paths []Path
		for n := range 40 {
			if r.IntN(2) == 0 {
				paths = append(paths, path(n))
			}
		}
		if step%50 == 49 {
			m := lvs.FirstProbeMark + uint32(r.IntN(60))
			foreign[m] = true
			if err := x.Avoid([]uint32{m}); err != nil {
				t.Fatal(err)
			}
		}
		set(t, &x, paths...)
		seen, now := map[uint32]bool{}, map[Path]uint32{}
		for _, p := range paths {
			m := x.Mark(p)
			if !lvs.IsProbeMark(m) || seen[m] || foreign[m] {
				t.Fatalf("step %d: %v has %#x", step, p, m)
			}
			if was, ok := before[p]; ok && was != m && !foreign[was] {
				t.Fatalf("step %d: %v had %#x and has %#x", step, p, was, m)
			}
			seen[m], now[p] = true, m
		}
		before = now
	}
}

func TestPorts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := []uint16{40000, 40000, 40001, 40000, 40002, 40000}
		p := Ports{Free: func() (uint16, error) {
			port := free[0]
			free = free[1:]
			return port, nil
		}}
		of := func(question string, want uint16) {
			t.Helper()
			if got, err := p.Of(question); err != nil || got != want {
				t.Errorf("%s: %d, %v; want %d", question, got, err, want)
			}
		}
		of("a", 40000)
		of("a", 40000)
		of("b", 40001) // not that of a
		if !p.Has(40000) || p.Has(40002) {
			t.Error("whose ports are whose")
		}
		p.Keep(map[string]bool{"b": true})
		if p.Has(40000) {
			t.Error("a is not asked any more")
		}
		of("c", 40002) // that of a is remembered by the kernel still
		time.Sleep(quarantine + time.Second)
		of("d", 40000)
		p.Free = func() (uint16, error) { return 40000, nil }
		if port, err := p.Of("e"); err == nil {
			t.Errorf("no port is free, and e has %d", port)
		}
		p.Leave("b")
		if port, err := p.Of("b"); err == nil {
			t.Errorf("its own port is left, too: %d", port)
		}
		p.Free = func() (uint16, error) { return 0, fmt.Errorf("no sockets") }
		if _, err := p.Of("b"); err == nil {
			t.Error("no error")
		}
	})
}

func TestPathOrder(t *testing.T) {
	all := []Path{path(1), path(2), {Server: path(1).Server, IPv6: true, Forward: lvs.Tunnel}, {Server: path(1).Server, Forward: lvs.Tunnel, Encap: lvs.Encap{Type: lvs.GRE}},
		{Server: path(1).Server, Forward: lvs.Tunnel, Encap: lvs.Encap{Type: lvs.GUE, Port: 6080}}, {Server: path(1).Server, Forward: lvs.Tunnel, Encap: lvs.Encap{Type: lvs.GUE, Port: 6081}}}
	for i, a := range all {
		for j, b := range all {
			if (a.Compare(b) == 0) != (i == j) || a.Compare(b) != -b.Compare(a) {
				t.Errorf("%v and %v", a, b)
			}
		}
	}
	if !slices.IsSortedFunc(slices.SortedFunc(slices.Values(all), Path.Compare), Path.Compare) {
		t.Error("it is no order")
	}
}
