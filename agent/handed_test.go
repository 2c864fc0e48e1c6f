package agent

import (
	"net/netip"
	"testing"
	"time"

	"quorate/agent/speak"
	"quorate/cluster/lease"
	"quorate/fsm"
	"quorate/vip/vrrp"
)

// heardVoices are voices of which only the ears matter.
type heardVoices struct {
	noVoices
	view speak.View
}

func (h heardVoices) View(speak.ID) speak.View { return h.view }

// TestHandedWhatIsHeard: which addresses a new owner opens without asking, beside routers outside the cluster, and which it leaves to one of those. A node that has
// not listened for as long as a router may be silent takes nobody's word for it that there is none: when a whole cluster starts, the owner that loses its
// lease has not spoken for a long time, and somebody else may have.
func TestHandedWhatIsHeard(t *testing.T) {
	now := time.Now()
	old := speak.Claim{Source: netip.MustParseAddr("192.0.2.31"), Priority: vrrp.Priority(100)}
	for _, x := range []struct {
		name        string
		reason      fsm.ReasonCode
		fresh, keep bool
		listened    time.Duration
		hears       speak.Claim
		opens, asks bool
	}{
		{"fenced, and nobody is heard", fsm.ReasonFenced, false, false, time.Minute, speak.Claim{}, true, false},
		{"fenced, listens since a moment ago", fsm.ReasonFenced, false, false, 200 * time.Millisecond, speak.Claim{}, true, true},
		{"fenced, and an old router is heard", fsm.ReasonFenced, false, false, time.Minute, old, true, true},
		{"its owner did not have it live", fsm.ReasonFenced, true, false, time.Minute, speak.Claim{}, true, true},
		{"the first owner", fsm.ReasonPlaced, false, false, time.Minute, speak.Claim{}, true, true},
		{"patient: fenced, and nobody is heard", fsm.ReasonFenced, false, true, time.Minute, speak.Claim{}, true, false},
		{"patient: fenced, listens since a moment ago", fsm.ReasonFenced, false, true, 200 * time.Millisecond, speak.Claim{}, false, false},
		{"patient: fenced, and an old router is heard", fsm.ReasonFenced, false, true, time.Minute, old, false, false},
	} {
		vip := fsm.VIP{Name: "web", Address: netip.MustParsePrefix("192.0.2.101/24")}
		k := vip.Key()
		s := fsm.New()
		s.Index = 10
		sp := &speech{voices: heardVoices{view: speak.View{Since: now.Add(-x.listened), Active: x.hears}}}
		r := fsm.LocalRouter{
			Router: fsm.ResolvedRouter{Name: "r", VirtualRouter: fsm.VirtualRouter{VRID: 51, Interval: time.Second, NoPreempt: x.keep}, VIPs: []fsm.VIP{vip}},
			Link:   "eth0", Part: fsm.RouterSpeaks, Owner: "n2", Reason: x.reason, Fresh: x.fresh,
		}
		sp.begin(s, "n2", nil)
		s.Assignments[k] = fsm.Assignment{Key: k, VIP: "web", Owner: "n2", Epoch: 20, Reason: fsm.Reason{Code: x.reason}}
		next := lease.Opened{k: 20}
		sp.hold(speechInput{s: s, local: fsm.Local{Routers: []fsm.LocalRouter{r}}, now: now, leased: true}, next)
		_, opens := next[k]
		id, _ := routerID(r)
		if opens != x.opens || sp.asks[id] != x.asks {
			t.Errorf("%s: opens %t, asks %t; want %t, %t (waits: %v)", x.name, opens, sp.asks[id], x.opens, x.asks, sp.waits)
		}
	}
}
