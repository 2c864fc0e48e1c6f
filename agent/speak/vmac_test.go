package speak

import (
	"context"
	"strings"
	"testing"
	"time"

	"quorate/vip"
	"quorate/vip/vrrp/vrrptest"
)

// TestFromVirtualMAC: a router's adverts leave from its virtual MAC from when its addresses are here until they are not, its last word too; before and afterwards from the
// link's own.
func TestFromVirtualMAC(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, c *vrrptest.Cable) {
		a := newHost(ctx, c, "192.0.2.1")
		r := router(51)
		r.MAC = vip.Virtual{VRID: 51}.MAC()
		plain := router(52)
		a.Want([]Router{r, plain})
		said := func(d time.Duration) string {
			turn := time.Now()
			time.Sleep(d)
			var out []string
			for _, x := range c.By("192.0.2.1", turn) {
				if x.VRID == 51 {
					out = append(out, strings.TrimSpace(map[bool]string{true: "last "}[x.Priority == 0]+x.MAC))
				} else if x.MAC != "" {
					t.Errorf("a router without a virtual MAC speaks from %s", x.MAC)
				}
			}
			return strings.Join(out, ", ")
		}
		step := func(what, want string, d time.Duration) {
			t.Helper()
			if got := said(d); got != want {
				t.Errorf("%s: adverts from %q, want %q", what, got, want)
			}
		}
		const mac = "00:00:5e:00:01:33"
		carries := func() { a.Carries(id51, true); a.Carries(plain.ID, true) }
		carries() // of what is not spoken for there is nothing to say
		a.Speak(id51, 7)
		a.Speak(plain.ID, 7)
		step("before it opens", ", ", 3*sec/2)
		carries()
		step("open", mac+", "+mac, 2*sec)
		a.Carries(id51, false)
		step("its address is taken off", ", ", 2*sec)
		carries()
		a.Silence(id51)
		step("handed over", "", 2*sec)
		a.Speak(id51, 7)
		step("given back, before it opens", ", ", 3*sec/2)
		carries()
		step("open again", mac+", "+mac, 2*sec)
		a.Mute(id51)
		step("muted", "", 2*sec)
		a.LastWord(id51)
		a.Carries(id51, false) // the last word is not said yet
		step("the last word", "last "+mac, 2*sec)
		a.Speak(id51, 7)
		step("given once more", ", ", 3*sec/2)

		a.Elect(id51, 7, 150)
		time.Sleep(4 * sec)
		carries()
		step("elected", mac+", "+mac, 2*sec)
		a.Abstain(id51)
		time.Sleep(sec / 100)
		if got := said(5 * sec); got == "" || strings.Contains(got, mac) {
			t.Errorf("elected again, before it opens: adverts from %q", got)
		}
	})
}
