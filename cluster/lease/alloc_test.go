package lease

import (
	"fmt"
	"testing"

	"quorate/fsm"
)

// What every round does allocates nothing: Renews, Acks and Reports are parsed, stepped, made and sealed in storage that is used
// again, by a leader as by the others. Otherwise the renewal would wait for the garbage collector now and then.
func TestRoundsAllocateNothing(t *testing.T) {
	for _, leader := range []string{"n1", "n2"} {
		t.Run(fmt.Sprintf("leader %s", leader), func(t *testing.T) {
			r := readyRig(t, g1, state(30))
			r.m.outputs.reuse = true
			if leader == "n1" {
				r.step(Lead{Term: 1, LastIndex: 30})
			} else {
				r.step(Follow{Leader: "n2"})
			}
			mine, theirs, p := sealer(t, 1), sealer(t, 1), newParser()
			var plain, sealed, opened []byte
			rounds, reports := 0, 0
			step := func(in Input) {
				for _, o := range r.m.Step(r.now, in) {
					s, ok := o.(*Send)
					if !ok {
						continue
					}
					if _, ok := s.Msg.Body.(*Report); ok {
						reports++
					}
					var err error
					if sealed, plain, err = mine.SealMessage(sealed[:0], plain, "n1", s.Msg); err != nil {
						t.Fatal(err)
					}
				}
				if _, ok := r.m.late(); ok {
					rounds++
				}
			}
			parts := [parts]Alive{{Part: Actuator}, {Part: FSM}}
			peers := []*Send{
				{To: "n2", Msg: Message{Store: "s2", Boot: 1002, Promises: 1, Applied: 30, Log: 30, LogKnown: true}},
				{To: "n3", Msg: Message{Store: "s3", Boot: 1003, Promises: 1, Applied: 30, Log: 30, LogKnown: true}},
			}
			var seq uint64
			var out, raw []byte
			hear := func(m *Send) {
				var err error
				if out, raw, err = theirs.SealMessage(out[:0], raw, m.To, m.Msg); err != nil {
					t.Fatal(err)
				}
				if opened, err = mine.Open(opened[:0], out); err != nil {
					t.Fatal(err)
				}
				in, err := p.received(opened)
				if err != nil {
					t.Fatal(err)
				}
				step(in)
			}
			theirsRenew, ack, report := new(Renew), new(Ack), new(Report)
			round := func() {
				seq++
				r.now.Raw += 50 * ms
				r.now.Boot += 50 * ms
				for i := range parts {
					parts[i].At = r.now
					step(&parts[i])
				}
				step(Tick{})
				for i, x := range peers {
					*theirsRenew = renew(seq, fsm.Epoch(12+i))
					x.Msg.Body = theirsRenew
					hear(x)
					*ack = Ack{Boot: 100, Seq: r.m.holder.seq, Epoch: 11}
					x.Msg.Body = ack
					hear(x)
					*report = Report{Seq: seq, Epoch: fsm.Epoch(12 + i), Ready: true, Set: 20, Reach: 3}
					x.Msg.Body = report
					hear(x)
				}
			}
			for range 20 {
				round()
			}
			for _, x := range peers { // the leader no longer asks about the grantor set
				m := x.Msg
				m.Body = SetAnswer{Boot: 100, Term: 1, Index: 20, Cap: 250 * ms}
				r.step(Received{From: x.To, Msg: m})
			}
			for range 20 {
				round()
			}
			if n := testing.AllocsPerRun(200, round); n != 0 {
				t.Errorf("%v allocations in a round", n)
			}
			if !r.m.Live(11, r.now) || rounds < 200 || leader == "n2" && reports < 100 {
				t.Fatalf("the rounds were none: live %v, %d rounds, %d reports", r.m.Live(11, r.now), rounds, reports)
			}
		})
	}
}
