package lab

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestTwoKeepalived: what a capture says of two real routers. One is asked to end, is back, is killed: then both answer, and that is seen.
func TestTwoKeepalived(t *testing.T) {
	if _, err := FindKeepalived(); err != nil {
		t.Skip(err)
	}
	l := newLab(t)
	hosts := []*Host{addHost(t, l, "k1", "192.0.2.1/24", "2001:db8::1/64"), addHost(t, l, "k2", "192.0.2.2/24", "2001:db8::2/64")}
	client := addHost(t, l, "client", "192.0.2.9/24", "2001:db8::9/64")
	const advert = 100 * time.Millisecond
	routers := []KeepalivedInstance{
		{Name: "four", VRID: 51, Version: 3, Advert: advert, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.101/24")}},
		{Name: "six", VRID: 51, Version: 3, Advert: advert, Addresses: []netip.Prefix{netip.MustParsePrefix("fe80::101/64"), netip.MustParsePrefix("2001:db8::101/64")}},
		{Name: "sent", VRID: 52, Version: 3, Advert: advert, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.102/24")}},
	}
	var vips []netip.Addr
	for _, r := range routers {
		vips = append(vips, r.Addresses[len(r.Addresses)-1].Addr())
	}
	start := func(i int) *Keepalived {
		t.Helper()
		var o KeepalivedOptions
		for _, r := range routers {
			r.Priority = 100 + 50*i // k2 is the master if it can
			r.Preempt = true
			if r.Name == "sent" {
				r.Source, r.Peers = hosts[i].Addr(), []netip.Addr{hosts[1-i].Addr()}
			}
			o.Instances = append(o.Instances, r)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		k, err := hosts[i].StartKeepalived(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	become := func(k *Keepalived, state string) {
		t.Helper()
		eventually(t, k.Host().Name+" is "+state, func() bool {
			for _, r := range routers {
				if k.State(r.Name) != state {
					return false
				}
			}
			return true
		})
	}
	capture, err := l.StartCapture(vips...)
	if err != nil {
		t.Fatal(err)
	}
	recorded := filepath.Join(t.TempDir(), "two.pcap")
	if err := capture.Record(recorded); err != nil {
		t.Fatal(err)
	}
	if _, err := client.StartWatch(10*time.Millisecond, vips...); err != nil {
		t.Fatal(err)
	}
	k1, k2 := start(0), start(1)
	become(k2, "MASTER")
	become(k1, "BACKUP")

	const skew = (256 - 100) * advert / 256
	const down = 3*advert + skew
	turn := func(what string, strike func(), limit time.Duration, together bool) {
		t.Helper()
		<-time.After(2*advert + patience) // what k1 said before is over
		from := Now()
		strike()
		become(k1, "MASTER")
		<-time.After(patience)
		window := Span{from.Add(-2 * advert), Now()}
		for i, r := range routers {
			six := r.Name == "six"
			adverts := capture.Adverts(r.VRID, six, window)
			last, first := Instant(0), Instant(0)
			for _, a := range adverts {
				if a.Host == "k2" {
					last = a.At
				} else if first == 0 {
					first = a.At
				}
			}
			both := capture.Together(vips[i], window, "k1", "k2")
			began, ok := capture.Began(vips[i], Span{from, Now()}, "k1")
			text := fmt.Sprintf("%s, %s: k1 speaks %s after k2's last word and answers %s after; together %s", what, r.Name, Millis(first.Sub(last)), Millis(began.Sub(last)), Millis(both))
			if !ok || first.Sub(last) > limit || (both > 0) != together {
				t.Errorf("%s, want at most %s, together %t\n%v\n%v", text, Millis(limit), together, adverts, capture.Answering(vips[i], window, "k1", "k2"))
			} else {
				t.Log(text)
			}
		}
	}
	turn("k2 ends", func() {
		if err := k2.End(t.Context()); err != nil {
			t.Fatal(err)
		}
	}, skew+300*time.Millisecond, false)
	k2 = start(1)
	become(k2, "MASTER")
	become(k1, "BACKUP")
	turn("k2 is killed", func() {
		if err := k2.Kill(); err != nil { // all its processes at once, so that its kernel keeps the addresses
			t.Fatal(err)
		}
	}, down+300*time.Millisecond, true)
	for _, k := range []*Keepalived{k1, k2} {
		if c := k.Complaints(); len(c) > 0 {
			t.Errorf("keepalived on %s complains: %v", k.Host().Name, c)
		}
	}
	if err := capture.Err(); err != nil {
		t.Error(err)
	}
	adverts := len(capture.Adverts(51, false, Span{0, Now()})) + len(capture.Adverts(51, true, Span{0, Now()})) + len(capture.Adverts(52, false, Span{0, Now()}))
	if err := capture.Close(); err != nil {
		t.Error(err)
	}
	if n := recordedAdverts(t, recorded); n < adverts {
		t.Errorf("%d adverts are in the file, %d were captured", n, adverts)
	}
	if t.Failed() {
		t.Logf("k1:\n%s\nk2:\n%s", k1.Output(), k2.Output())
	}
}

// recordedAdverts is how many VRRP advertisements a file has.
func recordedAdverts(t *testing.T, path string) int {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) < 24 || binary.NativeEndian.Uint32(b) != pcapMagic {
		t.Fatalf("%d bytes that are no capture", len(b))
	}
	n := 0
	for b = b[24:]; len(b) > 0; {
		size := 0
		if len(b) >= 16 {
			size = int(binary.NativeEndian.Uint32(b[8:]))
		}
		if size == 0 || len(b) < 16+size {
			t.Fatalf("the file ends inside a frame: %d bytes", len(b))
		}
		if _, ok := parseAdvert(b[16 : 16+size]); ok {
			n++
		}
		b = b[16+size:]
	}
	return n
}
