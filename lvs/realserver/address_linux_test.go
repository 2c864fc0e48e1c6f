package realserver

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// FuzzParseAddress: no message of the kernel makes the reader panic, and what it reads is an address of a link that is there.
func FuzzParseAddress(f *testing.F) {
	for _, p := range []string{"192.0.2.10/32", "2001:db8::10/128"} {
		f.Add(request(unix.RTM_NEWADDR, 0, 1, netip.MustParsePrefix(p)).Serialize()[unix.NLMSG_HDRLEN:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok, err := parseAddress(b, map[int]string{1: "lo"})
		if err == nil && ok && (a.link != "lo" || !a.prefix.IsValid()) {
			t.Errorf("%x gives %+v", b, a)
		}
	})
}
