package lease

import (
	"testing"

	"quorate/fsm"
)

// BenchmarkRenew is one round of a node in a set of three, everything but the socket: three Renews out, its own granted,
// two acknowledgements in, the lease extended; and the same as a grantor for the two others.
func BenchmarkRenew(b *testing.B) {
	r := readyRig(&testing.T{}, g1, state(30))
	s := sealer(b, 1)
	var plain, sealed []byte
	step := func(in Input) {
		for _, o := range r.m.Step(r.now, in) {
			if o, ok := o.(Send); ok {
				var err error
				if sealed, plain, err = s.SealMessage(sealed[:0], plain, "n1", o.Msg); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.ReportAllocs()
	for seq := uint64(1); b.Loop(); seq++ {
		r.now.Raw += 50 * ms
		r.now.Boot += 50 * ms
		step(Alive{Part: Actuator})
		step(Alive{Part: FSM})
		for _, g := range []fsm.Grantor{g2, g3} {
			step(r.from(g, Ack{Boot: 100, Seq: r.m.holder.seq, Epoch: 11}))
			step(r.from(g, renew(seq, fsm.Epoch(10+g.Node[1]-'0'))))
		}
		if !r.m.Live(11, r.now) {
			b.Fatal("no lease")
		}
	}
}

// BenchmarkOpen is one datagram in: opened and parsed.
func BenchmarkOpen(b *testing.B) {
	s := sealer(b, 1)
	sealed, _, err := s.SealMessage(nil, nil, "n1", Message{Store: "s1", Body: renew(1, 11)})
	if err != nil {
		b.Fatal(err)
	}
	var plain []byte
	b.ReportAllocs()
	for b.Loop() {
		if plain, err = s.Open(plain[:0], sealed); err != nil {
			b.Fatal(err)
		}
		if _, _, err := Unmarshal(plain); err != nil {
			b.Fatal(err)
		}
	}
}
