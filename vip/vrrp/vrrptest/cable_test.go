package vrrptest

import (
	"net/netip"
	"testing"
	"time"

	"quorate/vip/vrrp"
)

// TestLose: what is plugged in or out while the cable loses all is so afterwards.
func TestLose(t *testing.T) {
	c := &Cable{}
	r, err := vrrp.NewRouter(vrrp.Config{VRID: 51, Version: vrrp.V3, Priority: 100, Interval: time.Second, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10")}, Source: netip.MustParseAddr("192.0.2.1")})
	if err != nil {
		t.Fatal(err)
	}
	out, stays, goes := c.Plug(), c.Plug(), c.Plug()
	say := func() {
		if err := r.Compose(100, time.Now(), out.Send); err != nil {
			t.Fatal(err)
		}
	}
	mend := c.Lose()
	say()
	if err := goes.Close(); err != nil {
		t.Fatal(err)
	}
	comes := c.Plug()
	say()
	mend()
	say()
	say()
	for name, x := range map[string]struct {
		end  *End
		want int
	}{"one that stays": {stays, 2}, "one that has gone": {goes, 0}, "one that has come": {comes, 2}} {
		if got := len(x.end.inbox); got != x.want {
			t.Errorf("%s has heard %d of four, want %d", name, got, x.want)
		}
	}
	if n := len(c.By("192.0.2.1", time.Time{})); n != 4 {
		t.Errorf("%d were sent", n)
	}
}
