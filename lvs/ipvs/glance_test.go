package ipvs

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"quorate/lvs"
	"quorate/lvs/lvstest"
)

// tableText is /proc/net/ip_vs of the model kernel (ip_vs_ctl.c, ip_vs_info_seq_show).
type tableText struct {
	k       *kernel
	rest    io.Reader
	columns string // not as we know them, unless empty
	passes  int    // how often it was read; the numbers of connections differ each time
}

func (f *tableText) Close() error { return nil }

func (f *tableText) Read(b []byte) (int, error) { return f.rest.Read(b) }

func (f *tableText) Seek(int64, int) (int64, error) {
	f.passes++
	columns := f.columns
	if columns == "" {
		columns = tableColumns
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n%s\n", columns)
	hex := func(a netip.AddrPort) string {
		if a.Addr().Is4() {
			return fmt.Sprintf("%08X:%04X", a.Addr().As4(), a.Port())
		}
		return fmt.Sprintf("[%v]:%04X", a.Addr(), a.Port())
	}
	for _, key := range slices.SortedFunc(maps.Keys(f.k.table), lvs.Key.Compare) {
		e := f.k.table[key]
		if key.Mark != 0 {
			fmt.Fprintf(&b, "FWM  %08X %s ", key.Mark, e.service.Scheduler)
		} else {
			fmt.Fprintf(&b, "%s  %s %s ", strings.ToUpper(key.Protocol), hex(key.Addr), e.service.Scheduler)
		}
		if e.service.OnePacket {
			b.WriteString("ops ")
		}
		if p := e.service.Persistence; p.Timeout > 0 {
			fmt.Fprintf(&b, "persistent %d %08X", p.Timeout.Milliseconds(), netmask(e.service))
		}
		b.WriteString("\n")
		for i, d := range slices.Backward(e.destinations) {
			fmt.Fprintf(&b, "  -> %s      %-7s %-6d %-10d %-10d\n", hex(d.Addr), d.Forward, d.Weight, f.passes, f.passes*i)
		}
	}
	f.rest = iotest.HalfReader(&b)
	return 0, nil
}

// TestDiffers: what the planes' contract does not say of a glance: after a change of ours it knows nothing until the next look, and of a text that is not as
// we know it never anything.
func TestDiffers(t *testing.T) {
	k := newKernel()
	p := k.plane(t)
	scope := lvs.Scope{Addrs: []netip.Addr{lvstest.VIP4}}
	want := lvstest.Large(200, 10) // of several reads
	expect := func(what string, wantDiffers, wantKnown bool) {
		t.Helper()
		if differs, known := p.Differs(); differs != wantDiffers || known != wantKnown {
			t.Errorf("%s: differs %t, known %t", what, differs, known)
		}
	}
	reconcile := func() {
		t.Helper()
		if _, err := p.Reconcile(scope, want); err != nil {
			t.Fatal(err)
		}
	}
	expect("at first", false, false)
	reconcile()
	expect("after a look", false, true)
	if _, err := p.Update(scope, want); err != nil {
		t.Fatal(err)
	}
	expect("after an Update that changed nothing", false, true)
	want = lvstest.Clone(want)
	want[3].Destinations[3].Weight++
	if _, err := p.Update(scope, want); err != nil {
		t.Fatal(err)
	}
	expect("after an Update", false, false)
	reconcile()
	foreign := lvstest.DriftService(p.Capabilities())
	foreign.Addr = netip.MustParseAddr("203.0.113.1")
	k.put(foreign)
	expect("after another program", true, true)
	reconcile()
	expect("after a look that has found nothing of ours changed", false, true)
	refused := append(lvstest.Clone(want), lvs.Service{Addr: lvstest.VIP4, Port: 1, Protocol: lvs.TCP, Scheduler: "none", Forward: lvs.NAT})
	if _, err := p.Reconcile(scope, refused); err == nil {
		t.Error("an unknown scheduler was accepted")
	}
	expect("with a service that is refused", false, false)
	for _, columns := range []string{"  -> RemoteAddress:Port Forward Weight ActiveConn InActConn Lag", "  ->"} {
		p.glance.file = &tableText{k: k, columns: columns}
		reconcile()
		expect(columns, false, false)
	}
	p.glance.file = nil
	reconcile()
	expect("without a text", false, false)
}

// FuzzGlance: any text has one print, however it is cut into reads, or an error; and two that differ in something else than the numbers of connections
// have two.
func FuzzGlance(f *testing.F) {
	k := newKernel()
	for _, s := range lvstest.Large(2, 2) {
		k.put(s)
	}
	text := &tableText{k: k}
	_, _ = text.Seek(0, io.SeekStart)
	b, _ := io.ReadAll(text)
	f.Add(b)
	f.Add([]byte(strings.Repeat("x", 1<<15)))
	f.Fuzz(func(t *testing.T, text []byte) {
		g := openGlance()
		defer g.close()
		one, err := g.printOf(bytes.NewReader(text))
		two, err2 := g.printOf(iotest.OneByteReader(bytes.NewReader(text)))
		if one != two || (err == nil) != (err2 == nil) {
			t.Errorf("%x, %v; byte by byte %x, %v", one, err, two, err2)
		}
		i := bytes.LastIndex(text, []byte("\n  -> "))
		if i < 0 {
			return
		}
		other, err2 := g.printOf(bytes.NewReader(slices.Insert(slices.Clone(text), i+len("\n  -> "), '1')))
		if last := text[i+1:]; err == nil && err2 == nil && one == other && len(bytes.Fields(last)) > 3 {
			t.Errorf("%q has the print of one in which a destination differs", text)
		}
	})
}
