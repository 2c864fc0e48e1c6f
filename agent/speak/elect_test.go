package speak

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"quorate/vip/vrrp/vrrptest"
)

// TestElects: nodes without a quorum. The owner goes on by its lower priority; when it dies, the next one speaks after three adverts and its skew, which count from the last advert; a node that is
// appointed by a quorum silences it with its first advert, and it says nothing when its own cluster speaks again.
func TestElects(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, c *vrrptest.Cable) {
		dies, die := context.WithCancel(ctx)
		a, b := newHost(dies, c, "192.0.2.1"), newHost(ctx, c, "192.0.2.2")
		with := func(fellow string) []Router {
			r := router(51, fellow)
			r.Elects = true
			return []Router{r}
		}
		a.Want(with("192.0.2.2"))
		b.Want(with("192.0.2.1"))
		time.Sleep(sec)
		a.Speak(id51, 7)
		time.Sleep(2*sec + sec/2)
		if v := b.View(id51); v.Speaks || time.Since(v.Led) > sec {
			t.Errorf("the other hears the cluster: %+v", v)
		}
		a.Elect(id51, 7, 199)
		b.Elect(id51, 7, 167)
		time.Sleep(2 * sec)
		said := c.By("192.0.2.1", time.Time{})
		if v := b.View(id51); said[len(said)-1].Priority != 199 || !a.View(id51).Speaks || v.Speaks || !v.Led.IsZero() {
			t.Errorf("the owner says %v; the other sees %+v", said, v)
		}
		die()
		last := said[len(said)-1].At
		time.Sleep(time.Until(last.Add(3*sec + 89*sec/256 + time.Millisecond)))
		synctest.Wait()
		if said := c.By("192.0.2.2", last); len(said) != 1 || said[0].Priority != 167 {
			t.Fatalf("the next one said %v", said)
		}
		time.Sleep(lookPause)
		if !b.View(id51).Speaks {
			t.Error("it is not seen to speak")
		}
		b.Abstain(id51)
		if b.View(id51).Speaks {
			t.Error("it is to abstain, and counts as active")
		}
		turn := time.Now()
		time.Sleep(3 * sec)
		if said := c.By("192.0.2.2", turn); len(said) != 0 {
			t.Errorf("it abstains, and said %v", said)
		}
		time.Sleep(sec)
		if !b.View(id51).Speaks {
			t.Error("it waits for longer than it should")
		}
		n := newHost(ctx, c, "192.0.2.1")
		n.Want(with("192.0.2.2"))
		time.Sleep(time.Millisecond)
		turn = time.Now()
		n.Speak(id51, 7)
		time.Sleep(lookPause)
		synctest.Wait()
		if v := b.View(id51); v.Speaks || !v.Fellow || v.Led.IsZero() {
			t.Errorf("it goes on beside the one that is appointed: %+v", v)
		}
		b.Silence(id51)
		time.Sleep(10 * sec)
		if said := c.By("192.0.2.2", turn); len(said) != 0 {
			t.Errorf("it said %v", said)
		}
	})
}

// TestElectedIsAppointed: the quorum comes back, and gives the addresses to the node that was elected: it goes on without a pause. Another one that stops for good says so.
func TestElectedIsAppointed(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, c *vrrptest.Cable) {
		a := newHost(ctx, c, "192.0.2.1")
		a.Want([]Router{router(51)})
		a.Elect(id51, 7, 100)
		time.Sleep(5*sec + sec/4)
		turn := time.Now()
		a.Speak(id51, 7)
		time.Sleep(2*sec + sec/4)
		if said := c.By("192.0.2.1", turn); len(said) < 2 || said[0].Priority != 200 || said[0].At != turn || said[1].Priority != 200 {
			t.Errorf("said %v from %v", said, turn)
		}
		a.Elect(id51, 7, 100)
		time.Sleep(sec + sec/4) // between two adverts
		turn = time.Now()
		a.LastWord(id51)
		time.Sleep(10 * sec)
		if said := c.By("192.0.2.1", turn); len(said) != 1 || said[0].Priority != 0 {
			t.Errorf("at the end it said %v", said)
		}
	})
}
