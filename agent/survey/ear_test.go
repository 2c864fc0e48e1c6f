package survey

import (
	"net/netip"
	"testing"
	"time"

	"quorate/vip/vrrp"
)

func TestRanges(t *testing.T) {
	all := map[vrrp.VRID]bool{}
	for v := range 255 {
		all[vrrp.VRID(v+1)] = true
	}
	for _, x := range []struct {
		taken map[vrrp.VRID]bool
		want  string
	}{
		{nil, "1-255"}, {map[vrrp.VRID]bool{1: true, 3: true, 255: true}, "2, 4-254"}, {all, ""},
	} {
		if got := ranges(x.taken); got != x.want {
			t.Errorf("%v: %q, want %q", x.taken, got, x.want)
		}
	}
}

// script feeds an ear with adverts of an interval of 1 s: source, and when in tenths of a second.
type script []struct {
	at     int
	source string
}

// TestTwoActive: whoever takes over, or is taken over from, is no rival; who goes on in turn is.
func TestTwoActive(t *testing.T) {
	for name, x := range map[string]struct {
		heard script
		two   bool
	}{
		"one":           {script{{0, "a"}, {10, "a"}, {20, "a"}, {30, "a"}}, false},
		"taken over":    {script{{0, "a"}, {10, "a"}, {14, "b"}, {24, "b"}, {34, "b"}}, false},
		"and back":      {script{{0, "a"}, {10, "a"}, {46, "b"}, {56, "b"}, {60, "a"}, {70, "a"}, {80, "a"}}, false},
		"one more word": {script{{0, "a"}, {10, "b"}, {11, "a"}, {20, "b"}, {30, "b"}, {40, "b"}}, true}, // a was not silenced: it is deaf, or slow
		"in turn":       {script{{0, "a"}, {5, "b"}, {10, "a"}, {15, "b"}, {20, "a"}}, true},
		"three times":   {script{{0, "a"}, {40, "b"}, {80, "a"}, {120, "b"}, {160, "a"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := newEar("eth0", vrrp.IPv4, Known{})
			if err != nil {
				t.Fatal(err)
			}
			who := map[string]*vrrp.Router{}
			for name, source := range map[string]string{"a": "192.0.2.1", "b": "192.0.2.2"} {
				r, err := vrrp.NewRouter(vrrp.Config{VRID: 9, Version: vrrp.V3, Priority: 100, Interval: time.Second, Source: netip.MustParseAddr(source), Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.9")}})
				if err != nil {
					t.Fatal(err)
				}
				who[name] = r
			}
			var last time.Duration
			for _, h := range x.heard {
				last = time.Duration(h.at) * 100 * time.Millisecond
				err := who[h.source].Compose(100, time.Time{}, func(packet []byte, _ netip.Addr) error {
					d, r := vrrp.ParseIPv4(packet)
					if r != vrrp.Accepted {
						t.Fatal(r)
					}
					e.hear(d, last, time.Time{})
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			var r Report
			e.report(&r, last)
			if got := len(r.Findings) > 0; got != x.two {
				t.Errorf("findings %+v, want two: %t", r.Findings, x.two)
			}
		})
	}
}
