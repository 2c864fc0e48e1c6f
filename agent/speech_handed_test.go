package agent

import (
	"testing"

	"quorate/agent/speak"
	"quorate/fsm"
)

// TestHandedOver: only what another node of the cluster had live until a moment ago is opened without asking whether somebody answers.
func TestHandedOver(t *testing.T) {
	for _, c := range []struct {
		name   string
		reason fsm.ReasonCode
		fresh  bool
		epoch  fsm.Epoch // of the assignment; 9 is that by which it was open here before
		want   bool
	}{
		{"a planned move", fsm.ReasonRequested, false, 20, true},
		{"a fence", fsm.ReasonFenced, false, 20, true},
		{"its owner cannot do its services any more", fsm.ReasonUnable, false, 20, true},
		{"its owner had no sockets, and has said so", fsm.ReasonUnable, true, 20, false},
		{"placed", fsm.ReasonPlaced, false, 20, false},
		{"out of shadow, on the node where it was requested", fsm.ReasonRequested, true, 20, false},
		{"a foreign owner had it meanwhile", fsm.ReasonFenced, true, 20, false},
		{"given before this process began", fsm.ReasonRequested, false, 3, false},
		{"open here before", fsm.ReasonRequested, false, 9, false},
	} {
		v := fsm.VIP{Name: "web", VRRP: &fsm.VirtualRouter{VRID: 51}}
		s := fsm.New()
		s.Assignments[v.Key()] = fsm.Assignment{Key: v.Key(), Epoch: c.epoch}
		sp := speech{began: 5, opened: map[fsm.AddressKey]fsm.Epoch{v.Key(): 9}, spoken: map[speak.ID]spoken{}}
		r := fsm.LocalRouter{Router: fsm.ResolvedRouter{Name: "web", VIPs: []fsm.VIP{v}}, Reason: c.reason, Fresh: c.fresh}
		if got := sp.handed(speechInput{s: s}, r, speak.View{}); got != c.want {
			t.Errorf("%s: handed over: %v", c.name, got)
		}
	}
}
