package agent

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"quorate/agent/speak"
	"quorate/cluster/lease"
	"quorate/fsm"
	"quorate/vip"
)

// elective is n1 in a cluster of two whose VIP falls back to VRRP. n2 speaks for it, if it is not n1's.
func elective(t *testing.T, change ...func(*fsm.VIP)) (*world, *worldVoices) {
	t.Helper()
	w, v := routed(t)
	x := fsm.VIP{Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24"), QuorumLost: fsm.VRRPVIP, VRRP: &fsm.VirtualRouter{VRID: 51, Priority: 200}}
	for _, f := range change {
		f(&x)
	}
	w.apply(t, fsm.Command{Configure: &fsm.Configure{Force: true, Config: fsm.Config{Settings: fsm.DefaultSettings(), VIPs: map[string]fsm.VIP{"web": x}}}})
	w.expect(t, "at the start")
	return w, v
}

func (w *world) loses(t *testing.T) {
	t.Helper()
	w.lease(w.State().Nodes["n1"].Epoch, false)
}

// TestOwnerGoesOnElected: the owner loses its lease, and goes on without a moment of silence by a lower priority; the quorum comes back.
func TestOwnerGoesOnElected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, v := elective(t)
		w.assign(t, "n1", 0)
		time.Sleep(time.Second)
		w.expect(t, "assigned", "vrid 51: speak", "192.0.2.10 open", "put 192.0.2.10/24")
		v.hear(func(x *speak.View) { x.Speaks = true })
		w.loses(t)
		w.expect(t, "without a lease", "vrid 51: elect 199")
		for range 50 {
			time.Sleep(100 * time.Millisecond)
			if epoch, left := w.grants(); epoch < firstHoldEpoch || left <= 0 || left > fsm.LAN.Timing().TTL {
				t.Fatalf("granted under %d for another %v", epoch, left)
			}
		}
		w.newsHas(t, "is CLAIMED WITHOUT A QUORUM since", "priority 199")
		w.lease(w.State().Nodes["n1"].Epoch, true)
		w.expect(t, "with the lease", "vrid 51: speak")
		if _, left := w.grants(); left != 0 {
			t.Errorf("it still grants itself %v", left)
		}
		w.newsHas(t, "the quorum is back, and it is this node's")
	})
}

// TestElected: another node's VIP. n1 votes when there was neither a lease nor a leader for a while, and opens the address when it is Active and nobody answers;
// it ends with the first better claim, and with the quorum.
func TestElected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, v := elective(t)
		w.assign(t, "n2", 0)
		w.mu.Lock()
		w.led = true
		w.mu.Unlock()
		w.loses(t)
		time.Sleep(10 * time.Second)
		w.expect(t, "there is a leader")
		w.mu.Lock()
		w.led = false
		w.mu.Unlock()
		time.Sleep(900 * time.Millisecond)
		w.expect(t, "an election of a leader may take that long")
		time.Sleep(300 * time.Millisecond)
		w.expect(t, "no leader", "vrid 51: elect 167")
		w.hears(web.Addr, "02:00:00:00:00:02")
		time.Sleep(time.Second)
		v.hear(func(x *speak.View) { x.Speaks = true })
		w.expect(t, "it is Active, and another answers", "vrid 51: abstain")
		w.hears(web.Addr, "")
		time.Sleep(time.Second)
		w.expect(t, "nobody answers, and it is not Active")
		v.hear(func(x *speak.View) { x.Speaks = true })
		w.expect(t, "it is Active, and nobody answers", "192.0.2.10 open", "put 192.0.2.10/24")
		v.hear(func(x *speak.View) { x.Speaks = false })
		w.expect(t, "it gave way", "192.0.2.10 closed", "remove 192.0.2.10/24")
		w.newsHas(t, "another router speaks for it that has the better claim")
		v.hear(func(x *speak.View) { x.Speaks = true })
		w.expect(t, "again", "192.0.2.10 open", "put 192.0.2.10/24")
		w.lease(w.State().Nodes["n1"].Epoch, true)
		w.expect(t, "the quorum is back", "vrid 51: silence", "192.0.2.10 closed", "remove 192.0.2.10/24")
		w.newsHas(t, "the quorum is back, and it is not this node's")
	})
}

// TestElectedOnVirtualMAC: what is opened without a quorum, by election or held, also of another node, is on its virtual MAC as ever.
func TestElectedOnVirtualMAC(t *testing.T) {
	on := vip.Virtual{Parent: "eth0", VRID: 51}
	up, is := fmt.Sprintf("link %v, up true", on), "192.0.2.10/24 is on "+on.Name()
	t.Run("elected", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, v := elective(t, func(x *fsm.VIP) { x.VRRP.VMAC = true })
			w.assign(t, "n2", 0)
			w.loses(t)
			time.Sleep(2 * time.Second)
			w.expect(t, "no leader", "vrid 51: elect 167")
			v.hear(func(x *speak.View) { x.Speaks = true })
			time.Sleep(time.Second)
			w.expect(t, "it is Active, and nobody answers", "192.0.2.10 open", up, "put 192.0.2.10/24", is, "vrid 51: from its MAC")
			w.lease(w.State().Nodes["n1"].Epoch, true)
			w.expect(t, "the quorum is back", "vrid 51: silence", "192.0.2.10 closed", "remove 192.0.2.10/24")
		})
	})
	t.Run("held", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, _ := elective(t, func(x *fsm.VIP) { x.QuorumLost, x.VRRP.VMAC = fsm.HoldVIP, true })
			w.assign(t, "n1", 0)
			time.Sleep(time.Second)
			w.expect(t, "assigned", "vrid 51: speak", "192.0.2.10 open", up, "put 192.0.2.10/24", is, "vrid 51: from its MAC")
			w.loses(t)
			time.Sleep(10 * time.Second)
			w.expect(t, "held without a quorum")
		})
	})
	t.Run("forced", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, _ := elective(t, func(x *fsm.VIP) { x.QuorumLost, x.VRRP.VMAC = fsm.HoldVIP, true })
			w.assign(t, "n2", 0)
			w.loses(t)
			time.Sleep(10 * time.Second)
			w.expect(t, "not held here")
			w.force(time.Minute)
			time.Sleep(2 * time.Second)
			w.expect(t, "forced open", "vrid 51: speak", "192.0.2.10 open", up, "put 192.0.2.10/24", is, "vrid 51: from its MAC")
		})
	})
}

// TestAppointedBesideElected: a new owner asks for as long as an elected node that is frozen may be silent; but not where the cluster has just been heard to speak.
func TestAppointedBesideElected(t *testing.T) {
	for name, c := range map[string]struct {
		why  fsm.ReasonCode
		led  time.Duration // before the hand-over
		asks bool
	}{
		"handed over, and n2 was just heard":      {fsm.ReasonDrained, time.Second, false},
		"handed over, and n2 was heard long ago":  {fsm.ReasonDrained, 3 * time.Second, true},
		"handed over, and n2 was not heard":       {fsm.ReasonDrained, 0, true},
		"n2 was heard before somebody took it on": {fsm.ReasonPlaced, time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, v := elective(t)
				if c.led > 0 {
					v.hear(func(x *speak.View) { x.Led = time.Now().Add(-c.led) })
				}
				w.give(t, c.why)
				synctest.Wait()
				if !c.asks {
					w.expect(t, name, "vrid 51: speak", "192.0.2.10 open", "put 192.0.2.10/24")
					return
				}
				w.expect(t, name, "vrid 51: speak")
				time.Sleep(askedFor(fsm.LAN.Timing()) - time.Millisecond)
				w.expect(t, "not asked for long enough")
				time.Sleep(3 * askRound(fsm.LAN.Timing()))
				w.expect(t, "asked", "192.0.2.10 open", "put 192.0.2.10/24")
			})
		})
	}
}

// worldLapses is a lease that came back and waits.
type worldLapses struct {
	*world
	which, resumed uint64
	on             bool
}

func (l *worldLapses) guard(on bool) error { l.mu.Lock(); defer l.mu.Unlock(); l.on = on; return nil }
func (l *worldLapses) lapsed() uint64      { l.mu.Lock(); defer l.mu.Unlock(); return l.which }
func (l *worldLapses) resume(which uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if which == l.which {
		l.which, l.resumed = 0, which
		l.note("lease back in the gate")
	}
	return nil
}

// worldSigns remembers for each sign of life of the actuator whether the kernel had addresses: the first of a pass comes when what leaves has left.
type worldSigns struct {
	worldLease
	here []bool
}

func (l *worldSigns) Alive(p lease.Part) {
	l.worldLease.Alive(p)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.here = append(l.here, len(l.have) > 0)
}

// TestLeaseComesBack: an agent that stood still closes what others may have been elected for, before the lease that came back opens it by itself, and asks. One that only lost some
// renewals goes on.
func TestLeaseComesBack(t *testing.T) {
	for _, x := range []struct{ beside, stood bool }{{false, false}, {false, true}, {true, false}, {true, true}} {
		stood := x.stood
		synctest.Test(t, func(t *testing.T) {
			start := func(t *testing.T) (*world, *worldVoices) { return elective(t) }
			if x.beside { // a neighbour alone may have taken over: nobody is elected
				start = func(t *testing.T) (*world, *worldVoices) { return routed(t) }
			}
			w, v := start(t)
			w.assign(t, "n1", 0)
			time.Sleep(time.Second)
			v.hear(func(x *speak.View) { x.Speaks = true })
			w.expect(t, "assigned", "vrid 51: speak", "192.0.2.10 open", "put 192.0.2.10/24")
			l := &worldLapses{world: w, which: 7}
			// Between two of its passes; what runs reads nothing of this.
			w.actuator.lapses = l
			signs := &worldSigns{worldLease: worldLease{w}}
			w.actuator.lease = signs
			if stood {
				w.actuator.fall.last = lease.Instant{Raw: time.Hour - time.Second, Boot: -time.Second}
			}
			v.news <- struct{}{}
			synctest.Wait()
			if !l.on {
				t.Fatal("a lease that comes back does not wait")
			}
			if !stood {
				w.expect(t, "some renewals were lost", "lease back in the gate")
				return
			}
			w.expect(t, "it stood still", "192.0.2.10 closed", "remove 192.0.2.10/24", "lease back in the gate")
			w.mu.Lock()
			late := signs.here[0]
			w.mu.Unlock()
			if late {
				t.Error("what others may have was not taken off before all else")
			}
			time.Sleep(askedFor(fsm.LAN.Timing()) + 3*askRound(fsm.LAN.Timing()))
			w.expect(t, "nobody answers", "192.0.2.10 open", "put 192.0.2.10/24")
		})
	}
}
