package vip

import (
	"os"
	"strings"
	"testing"
)

func TestPreflight(t *testing.T) {
	for name, c := range map[string]struct {
		caps string
		want []string // how each line starts
	}{
		"root":          {"CapEff:\t000001ffffffffff\n", nil},
		"just enough":   {"Name:\tquorate\nCapEff:\t0000000000003000\n", nil},
		"no raw":        {"CapEff:\t0000000000001000\n", []string{"no NET_RAW"}},
		"nobody":        {"CapEff:\t0000000000000000\n", []string{"no NET_ADMIN", "no NET_RAW"}},
		"other kernel":  {"Name:\tquorate\n", []string{"capabilities are not known"}},
		"broken number": {"CapEff:\tzz\n", []string{"capabilities are not known"}},
	} {
		got := preflight([]byte(c.caps), "/opt/quorate")
		if len(got) != len(c.want) {
			t.Errorf("%s: %q", name, got)
			continue
		}
		for i, line := range got {
			if !strings.HasPrefix(line, c.want[i]) {
				t.Errorf("%s: %q, want %q first", name, line, c.want[i])
			}
			if strings.HasPrefix(line, "no ") && !(strings.Contains(line, "setcap cap_net_admin,cap_net_raw+ep /opt/quorate") && strings.Contains(line, "AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW")) {
				t.Errorf("%s: no cure in %q", name, line)
			}
		}
	}
	if os.Getuid() != 0 {
		t.Skip("needs root for the rest: the real status of a privileged process")
	}
	if got := Preflight(); got != nil {
		t.Errorf("root misses %q", got)
	}
}

func FuzzPreflight(f *testing.F) {
	f.Add([]byte("CapEff:\t0000000000003000\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got := preflight(b, "x"); len(got) > 2 {
			t.Errorf("%q", got)
		}
	})
}
