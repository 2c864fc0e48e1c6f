package lease

import (
	"testing"
	"time"
)

// said is an Ack of g2 as its process boot would send it.
func said(boot BootID, promises, applied, log uint64) Received {
	return Received{From: "n2", Msg: Message{Store: "s2", Boot: boot, Promises: promises, Applied: applied, Log: log, LogKnown: true, Body: Report{Seq: 1}}}
}

// §3: "Peers remember each store's highest promise count and log index and shut out one that goes back."
func TestStoreThatGoesBack(t *testing.T) {
	for name, x := range map[string]struct {
		then Received
		out  bool
	}{
		"fewer promises":               {said(2, 4, 30, 50), true},
		"log ends before what applied": {said(2, 5, 0, 39), true},
		"both":                         {said(2, 0, 0, 0), true},
		"as before":                    {said(2, 5, 40, 40), false},
		"log truncated, not applied":   {said(2, 5, 0, 40), false},
		"another store":                {Received{From: "n2", Msg: Message{Store: "s2b", Boot: 2, Body: Report{Seq: 1}}}, false},
		"another node":                 {Received{From: "n3", Msg: Message{Store: "s3", Boot: 2, Body: Report{Seq: 1}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := readyRig(t, g1, state(30))
			r.step(said(1, 5, 40, 50), said(1, 4, 39, 50)) // the second was overtaken
			var outs []ShutOut
			for range 30 {
				r.after(100*ms, x.then)
				outs = append(outs, events[ShutOut](r)...)
			}
			if (len(outs) == 1) != x.out || len(outs) > 1 {
				t.Fatalf("%+v", outs)
			}
			if !x.out {
				return
			}
			if outs[0].Grantor != g2 || outs[0].Why == "" {
				t.Fatalf("%+v", outs[0])
			}
			// For this process's life, also when it catches up and restarts again.
			ask := Received{From: "n2", Msg: Message{Store: "s2", Boot: 3, Promises: 9, Applied: 90, Log: 90, LogKnown: true, Body: renew(1, 12)}}
			r.after(time.Second, ask)
			none[Ack](r, "n2")
			none[Refuse](r, "n2")
			if got := r.m.Status(r.now).ShutOut; len(got) != 1 || got[0] != g2 {
				t.Fatalf("%+v", got)
			}
		})
	}
}

// From the first message on nothing that such a store says counts.
func TestStoreThatGoesBackIsIgnoredAtOnce(t *testing.T) {
	r := readyRig(t, g1, state(30))
	ask := one[Renew](r, "n2")
	r.step(said(1, 5, 40, 50))
	r.step(Received{From: "n2", Msg: Message{Store: "s2", Boot: 2, Promises: 4, Body: ack(ask)}})
	r.live(11, false)
}

// Datagrams that come late or in another order prove nothing.
func TestLateDatagramsShutNobodyOut(t *testing.T) {
	r := readyRig(t, g1, state(30))
	r.step(said(1, 5, 40, 50))
	r.step(said(1, 4, 39, 50))                 // overtaken
	r.step(said(2, 6, 41, 50))                 // restarted
	r.after(2*time.Second, said(1, 5, 40, 50)) // of the process before, long on its way
	r.after(1*ms, said(2, 6, 41, 50))
	r.after(2*time.Second, said(1, 5, 40, 50))
	noEvent[ShutOut](r)
	// One of a process that was never heard of, alone among those of a living one.
	for range 40 {
		r.after(100*ms, said(9, 1, 1, 1))
		noEvent[ShutOut](r)
		r.step(said(2, 6, 41, 50))
	}
	ask := Received{From: "n2", Msg: Message{Store: "s2", Boot: 2, Promises: 6, Body: renew(1, 12)}}
	r.after(0, ask)
	one[Ack](r, "n2")
}

// A datagram may be overtaken by all of a restart.
func TestLateDatagramOfAProcessNotHeardBefore(t *testing.T) {
	r := readyRig(t, g1, state(30))
	r.step(said(3, 5, 90, 50))
	r.step(said(2, 5, 40, 40)) // the process before, whose datagram was overtaken by a restart
	for seq := range uint64(40) {
		// The living one goes on being heard, although it began with a shorter log than it has applied by now.
		r.after(100*ms, Received{From: "n2", Msg: Message{Store: "s2", Boot: 3, Promises: 5, Applied: 95, Log: 50, LogKnown: true, Body: renew(1+seq, 12)}})
		one[Ack](r, "n2")
		noEvent[ShutOut](r)
	}
	// Two processes of which neither can have followed the other: both have gone on from a copy of one store.
	r.after(0, said(4, 5, 96, 95))
	r.step(said(5, 7, 95, 94))
	for range 20 {
		r.after(100*ms, said(5, 7, 95, 94))
	}
	if len(r.m.Status(r.now).ShutOut) != 1 {
		t.Fatal("not shut out")
	}
}

// Nobody is shut out for less than a second of it.
func TestShutOutTakesASecond(t *testing.T) {
	r := readyRig(t, g1, state(30))
	r.step(said(1, 5, 40, 50))
	for range 10 {
		r.after(99*ms, said(2, 4, 40, 50))
		noEvent[ShutOut](r)
	}
	r.after(110*ms, said(2, 4, 40, 50))
	oneEvent[ShutOut](r)
}

// What came furthest is not forgotten, however often the store begins again.
func TestStoreThatGoesBackAndRestartsOften(t *testing.T) {
	r := readyRig(t, g1, state(30))
	r.step(said(1, 5, 40, 50))
	for boot := range BootID(50) {
		for range 3 {
			r.after(300*ms, Received{From: "n2", Msg: Message{Store: "s2", Boot: 2 + boot, Promises: 4, Body: renew(uint64(r.now.Raw), 12)}})
			none[Ack](r, "n2")
		}
	}
	for range 15 {
		r.after(100*ms, said(99, 4, 30, 30))
	}
	if len(r.m.Status(r.now).ShutOut) != 1 {
		t.Fatal("not shut out")
	}
	if n := len(r.m.peers.stores[g2].processes); n > maxProcesses {
		t.Fatalf("%d processes", n)
	}
}

// What is reported is what is durable: a process that dies before its promise is on disk does not go back.
func TestOnlyDurablePromisesAreTold(t *testing.T) {
	r := readyRig(t, g1, state(30))
	r.persist = false
	r.after(0, r.from(g3, Fence{Term: 5, Node: "n2", Epoch: 12, GrantorIndex: 20}))
	p := oneEvent[Persist](r)
	promises := func() uint64 {
		t.Helper()
		r.after(50*ms, Alive{Part: Actuator}, Alive{Part: FSM})
		for _, o := range r.out {
			if s, ok := o.(Send); ok && s.To == "n2" {
				return s.Msg.Promises
			}
		}
		t.Fatal("nothing sent")
		return 0
	}
	if n := promises(); n != 1 {
		t.Fatalf("%d", n)
	}
	r.step(Persisted{Seq: p.Seq})
	if n := promises(); n != 2 {
		t.Fatalf("%d", n)
	}
}

func TestMessagesOfANodeToItselfComeFromNoSocket(t *testing.T) {
	r := readyRig(t, g1, state(30))
	ask := r.m.holder.seq
	r.step(Received{From: "n1", Msg: Message{Store: "s1", Boot: 7, Body: Fence{Term: 9, Node: "n1", Epoch: 11}}})
	if _, ok := r.m.grantor.memory.Floors["n1"]; ok || ask != r.m.holder.seq {
		t.Fatal("a reflected datagram was taken")
	}
}
