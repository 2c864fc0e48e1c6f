package agent

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"quorate/agent/speak"
	"quorate/vip/vrrp"
)

// TestRoutersNews: each thing is told once an hour; of strangers, of whom a forger can invent as many as he likes, the first few, and that there are more. What
// is known of a listed router is told all the same.
func TestRoutersNews(t *testing.T) {
	var n routersNews
	now := time.Now()
	stranger := func(i int) speak.Event {
		return speak.Event{ID: speak.ID{VRID: 51}, Router: "web", Kind: speak.Alarmed, Cause: vrrp.ByStranger, Source: netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)})}
	}
	listed := speak.Event{ID: speak.ID{VRID: 51}, Router: "web", Kind: speak.Differs, Role: vrrp.Listed, Source: netip.MustParseAddr("192.0.2.31"), Text: "the interval differs"}
	said := func() (out []string) {
		for i := range 5000 {
			for _, e := range []speak.Event{stranger(i), {ID: speak.ID{VRID: 51}, Router: "web", Kind: speak.Differs, Role: vrrp.Stranger, Source: stranger(i).Source, Text: fmt.Sprint("difference of ", i)}} {
				if text := n.text(e, now); text != "" {
					out = append(out, text)
				}
			}
		}
		return out
	}
	all := said()
	if last := all[len(all)-1]; len(all) > 2*maxStrangers+2 || !strings.Contains(strings.Join(all, "\n"), "more than 4 routers") {
		t.Errorf("%d are told, the last: %s", len(all), last)
	}
	if again := said(); len(again) > 0 {
		t.Errorf("told again: %q", again)
	}
	if text := n.text(listed, now); text != "virtual router web: the interval differs" {
		t.Errorf("of a listed router: %q", text)
	}
	other := stranger(9)
	other.Router = "other"
	if n.text(other, now) == "" {
		t.Error("nothing is told of another virtual router's stranger")
	}
	now = now.Add(routerQuiet)
	if n.text(listed, now) == "" || n.text(stranger(1), now) == "" {
		t.Error("nothing is told an hour later")
	}
}
