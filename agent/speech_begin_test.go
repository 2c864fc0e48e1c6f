package agent

import (
	"fmt"
	"net/netip"
	"testing"

	"quorate/agent/speak"
	"quorate/fsm"
)

// many is an agreed state with virtual routers of four VIPs each, and what this node has to do with them.
func many(routers int) (*fsm.State, []fsm.LocalRouter) {
	s := &fsm.State{Index: 9, Nodes: map[fsm.NodeID]fsm.Node{}}
	for i := range 5 {
		var f fsm.Facts
		for j := range 4 {
			f.Addresses = append(f.Addresses, netip.AddrFrom4([4]byte{192, 0, byte(j), byte(i + 1)}))
		}
		s.Nodes[fsm.NodeID(fmt.Sprintf("n%d", i+1))] = fsm.Node{Role: fsm.Director, Facts: f}
	}
	var local []fsm.LocalRouter
	for i := range routers {
		r := fsm.ResolvedRouter{Name: fmt.Sprintf("VI_%d", i), VirtualRouter: fsm.VirtualRouter{VRID: uint8(i%255 + 1), Peers: addrs(2, false)}.Whole()}
		for j := range 4 {
			a := netip.AddrFrom4([4]byte{10, 0, byte(i), byte(j)})
			r.VIPs = append(r.VIPs, fsm.VIP{Name: fmt.Sprintf("v%d-%d", i, j), Address: netip.PrefixFrom(a, 24), Router: r.Name})
		}
		local = append(local, fsm.LocalRouter{Router: r, Link: "eth0"})
	}
	return s, local
}

// BenchmarkSpeechBegins: what each pass of the actuator says of virtual routers that stay as they are.
func BenchmarkSpeechBegins(b *testing.B) {
	s, local := many(50)
	t := speech{voices: speak.New(speak.Options{})}
	b.ReportAllocs()
	for b.Loop() {
		t.begin(s, "n1", local)
	}
}

// wanting remembers what was wanted last.
type wanting struct {
	noVoices
	last []speak.Router
}

func (w *wanting) Want(r []speak.Router) { w.last = r }

// TestSpeechFollowsTheState: what is compared no more in passes over one state is stated anew with the next.
func TestSpeechFollowsTheState(t *testing.T) {
	var v wanting
	sp := speech{voices: &v}
	for _, n := range []int{2, 2, 3, 1, 0} {
		s, local := many(n)
		for range 2 {
			if sp.begin(s, "n1", local); len(v.last) != n {
				t.Errorf("%d routers are wanted of %d", len(v.last), n)
			}
		}
	}
	s, local := many(1)
	sp.begin(s, "n1", local)
	next := *s
	next.Nodes = map[fsm.NodeID]fsm.Node{"n1": s.Nodes["n1"]} // n2 and the others have gone
	if sp.begin(&next, "n1", local); len(v.last[0].Config.Fellows) != 0 {
		t.Errorf("fellows %v", v.last[0].Config.Fellows)
	}
}
