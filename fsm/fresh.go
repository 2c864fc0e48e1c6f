package fsm

// A VIP of a virtual router may be on a host outside the cluster that says nothing by VRRP, as on one whose router was killed and whose kernel goes on answering. An
// owner that got it from nobody asks on the link before it opens; one that got it from another node need not, if that one had it open. So the log remembers until it is known: see Assignment.Fresh.

// SetFresh says what an owner has found of its VIPs of virtual routers: that it has opened them, or that another host answers for what it was to open. What is no
// longer so is passed over, without a word. Since schema 7.
type SetFresh struct {
	Node NodeID     `json:"node"`
	VIPs []FreshVIP `json:"vips"`
}

// FreshVIP is one of them, of the assignment that the node found it of.
type FreshVIP struct {
	Key   AddressKey `json:"key"`
	Epoch Epoch      `json:"epoch"`
	// Fresh is what the assignment said: open since then. 0: it said nothing, and another host answers.
	Fresh uint64 `json:"fresh,omitempty"`
}

// Changes reports whether f says of the node's assignment what the state does not know.
func (f FreshVIP) Changes(s *State, node NodeID) bool {
	a, ok := s.Assignments[f.Key]
	if !ok || a.Owner == "" || a.Owner != node || a.Epoch != f.Epoch || a.Fresh != f.Fresh || a.Shadow {
		return false
	}
	v, ok := s.VIPByKey(f.Key)
	return f.Fresh != 0 || ok && v.RouterName() != ""
}

func (e *entry) setFresh(c SetFresh) {
	for _, f := range c.VIPs {
		if !f.Changes(e.next, c.Node) {
			continue
		}
		a := e.next.Assignments[f.Key]
		if a.Fresh = 0; f.Fresh == 0 {
			a.Fresh = e.index
		}
		e.assignments()[f.Key] = a
	}
}

// freshAfter is Assignment.Fresh of the next owner of v; rec is the record as it was.
func (e *entry) freshAfter(rec Assignment, v VIP) uint64 {
	switch {
	case v.RouterName() == "":
		return 0
	case rec.Owner == "" || rec.Shadow:
		return e.index
	}
	return rec.Fresh // the owner before never said that it has opened it
}
