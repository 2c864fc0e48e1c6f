package lease

import (
	"maps"
	"testing"
	"time"

	"quorate/fsm"
)

func TestLingers(t *testing.T) {
	const now = time.Minute
	lan := fsm.LAN.Timing()
	elsewhere := fsm.AddressKey{Network: "other", Addr: keyA.Addr}
	owns := func(ks ...fsm.AddressKey) (l fsm.Local) {
		for _, k := range ks {
			l.VIPs = append(l.VIPs, fsm.LocalVIP{Key: k})
		}
		return l
	}
	releases := func(k fsm.AddressKey, handsOver bool) fsm.Local {
		return fsm.Local{Releases: []fsm.LocalRelease{{Key: k, HandsOver: handsOver}}}
	}
	until := func(d time.Duration) Lingers { return Lingers{keyA: {Epoch: 2, Until: now + d}} }
	for name, x := range map[string]struct {
		was   Lingers
		open  Opened
		local fsm.Local
		live  fsm.Epoch
		want  Lingers
	}{
		"begins when it is handed over":        {nil, Opened{keyA: 2}, releases(keyA, true), 2, until(LongestLinger(lan))},
		"not when nobody is to have it":        {nil, Opened{keyA: 2}, releases(keyA, false), 2, Lingers{}},
		"not when it was not open":             {nil, nil, releases(keyA, true), 2, Lingers{}},
		"not when its lease is over":           {nil, Opened{keyA: 2}, releases(keyA, true), 3, Lingers{}},
		"goes on, and gets no longer":          {until(time.Second), nil, releases(keyA, true), 2, until(time.Second)},
		"goes on when the next owner has it":   {until(time.Second), nil, owns(keyB), 2, until(time.Second)},
		"for no longer than others need then":  {until(2 * time.Second), nil, owns(keyB), 2, until(Linger)},
		"goes on while nobody has it":          {until(2 * time.Second), nil, releases(keyA, true), 2, until(2 * time.Second)},
		"ends when its time is up":             {until(0), nil, owns(), 2, Lingers{}},
		"ends with its lease":                  {until(time.Second), nil, owns(), 3, Lingers{}},
		"ends when nobody is to have it":       {until(time.Second), nil, releases(keyA, false), 2, Lingers{}},
		"ends when the node owns it again":     {until(time.Second), nil, owns(keyA), 2, Lingers{}},
		"the same, under another network":      {until(time.Second), nil, owns(elsewhere), 2, Lingers{}},
		"begins anew when released once again": {until(time.Second), Opened{keyA: 2}, releases(keyA, true), 2, until(LongestLinger(lan))},
	} {
		was := maps.Clone(x.was)
		if got := x.was.Next(x.local, x.open, lan, now, func(e fsm.Epoch) bool { return e == x.live }); !maps.Equal(got, x.want) {
			t.Errorf("%s: %v, want %v", name, got, x.want)
		}
		if !maps.Equal(was, x.was) {
			t.Errorf("%s: the value before has changed", name)
		}
	}
}
