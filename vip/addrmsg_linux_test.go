package vip

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// unhex reads bytes written with spaces.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	must(t, err)
	return b
}

func TestParseAddr(t *testing.T) {
	// With a peer (ip address add 192.0.2.5 peer 198.51.100.0/24) the prefix length is not ours.
	e, ok, err := parseAddr(unhex(t, "02 18 80 00 02000000  0800 0100 c6336400  0800 0200 c0000205"))
	if err != nil || !ok || e.prefix != prefix("192.0.2.5/32") || e.index != 2 || e.validFor() != Forever {
		t.Errorf("%+v %v %v", e, ok, err)
	}
	if _, ok, err := parseAddr(unhex(t, "1c 00 00 00 02000000")); ok || err != nil { // AF_MPLS
		t.Errorf("another family: %v %v", ok, err)
	}
	for name, b := range map[string]string{
		"short":                  "02 18 00",
		"no address":             "02 18 00 00 02000000",
		"IPv4 with an IPv6":      "02 18 00 00 02000000  1400 0100 20010db8000000000000000000000001",
		"prefix length 33":       "02 21 00 00 02000000  0800 0100 c0000205",
		"attribute past the end": "02 18 00 00 02000000  2000 0100 c0000205",
		"flags of two bytes":     "02 18 00 00 02000000  0800 0100 c0000205  0600 0800 0102 0000",
	} {
		if e, ok, err := parseAddr(unhex(t, b)); err == nil {
			t.Errorf("%s: parsed as %+v %v", name, e, ok)
		}
	}
}

// TestEncodeReadsBack: what we ask for, read as a kernel's message.
func TestEncodeReadsBack(t *testing.T) {
	for _, w := range []Wanted{wanted("eth0", "192.0.2.10/24", 2500*time.Millisecond), wanted("eth0", "2001:db8::10/64", 10)} {
		b, err := encodePut(7, w, "eth0:q")
		must(t, err)
		e, ok, err := parseAddr(b)
		if err != nil || !ok || e.prefix != w.Prefix || e.index != 7 || e.proto != ourProto || e.validFor() != wholeSeconds(w.Lifetime) {
			t.Errorf("%s: %+v %v %v", w, e, ok, err)
		}
		if nodad := e.flags&unix.IFA_F_NODAD != 0; nodad != w.Prefix.Addr().Is6() || (e.label == "eth0:q") == nodad {
			t.Errorf("%s: flags %#x label %q", w, e.flags, e.label)
		}
	}
}

func FuzzParseAddr(f *testing.F) {
	for _, p := range []string{"192.0.2.10/24", "2001:db8::10/64"} {
		b, err := encodePut(7, wanted("eth0", p, time.Second), "eth0:q")
		must(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, ok, err := parseAddr(b); ok && (err != nil || !e.prefix.IsValid()) {
			t.Errorf("%+v %v", e, err)
		}
	})
}
