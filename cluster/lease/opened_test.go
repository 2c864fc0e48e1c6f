package lease

import (
	"maps"
	"testing"

	"quorate/fsm"
)

func TestOpened(t *testing.T) {
	live := func(es ...fsm.Epoch) func(fsm.Epoch) bool {
		return func(e fsm.Epoch) bool {
			for _, x := range es {
				if e == x {
					return true
				}
			}
			return false
		}
	}
	both := []fsm.AddressKey{keyA, keyB}
	for name, x := range map[string]struct {
		was  Opened
		keys []fsm.AddressKey
		live func(fsm.Epoch) bool
		want Opened
	}{
		"opens under a live epoch":           {nil, both, live(2), Opened{keyA: 2, keyB: 2}},
		"nothing without a lease":            {nil, both, live(), Opened{}},
		"nothing new under an old epoch":     {Opened{keyA: 1}, both, live(1), Opened{keyA: 1}},
		"stays until the old lease ends":     {Opened{keyA: 1}, both, live(), Opened{}},
		"moves to the new epoch":             {Opened{keyA: 1}, both, live(1, 2), Opened{keyA: 2, keyB: 2}},
		"closes what is not owned":           {Opened{keyA: 2, keyB: 2}, []fsm.AddressKey{keyB}, live(2), Opened{keyB: 2}},
		"its own epoch's lease has run out":  {Opened{keyA: 2}, both, live(1), Opened{}},
		"an old epoch that is not live shut": {Opened{keyA: 1}, both, live(2), Opened{keyA: 2, keyB: 2}},
	} {
		was := maps.Clone(x.was)
		if got := x.was.Next(x.keys, 2, x.live); !maps.Equal(got, x.want) {
			t.Errorf("%s: %v, want %v", name, got, x.want)
		}
		if !maps.Equal(was, x.was) {
			t.Errorf("%s: the value before has changed", name)
		}
	}
}
