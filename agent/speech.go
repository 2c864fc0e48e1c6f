package agent

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"quorate/agent/speak"
	"quorate/cluster"
	"quorate/cluster/lease"
	"quorate/fsm"
	"quorate/vip"
	"quorate/vip/vrrp"
)

// voices are the virtual routers on this node's links: speak.Speakers. None of them may block.
type voices interface {
	Want([]speak.Router)
	View(speak.ID) speak.View
	Speak(id speak.ID, epoch uint64)
	Mute(speak.ID)
	Silence(speak.ID)
	LastWord(speak.ID)
	Elect(id speak.ID, epoch uint64, priority vrrp.Priority)
	Abstain(speak.ID)
	Carries(id speak.ID, here bool)
}

// speech decides, for each virtual router, whether its addresses may be opened beside the routers outside the cluster, and what those are told. It is pure but for
// voices; time is an input. One goroutine, the actuator's.
type speech struct {
	voices voices
	began  uint64                       // index of the first state: what was given before this process is no hand-over to it
	spoken map[speak.ID]spoken          // that this node speaks for, or has still to say a last word of
	opened map[fsm.AddressKey]fsm.Epoch // the assignment by which each was opened last, or was lost
	asks   map[speak.ID]bool            // before they open, it is asked whether somebody answers
	waits  map[fsm.AddressKey]string    // what is not opened for a router outside the cluster, and why
	deaf   map[speak.ID]time.Time       // since when this node hears nothing of each, for want of sockets; the others are not in it
	away   map[string]time.Time         // since when it has no link for each, by name; the others are not in it
	lost   map[fsm.AddressKey]bool      // what is closed here for so long that others may have it, though no host was heard that does
	timed  bool                         // something changes by time alone
	of     *fsm.State                   // that wanted is of
	wanted []speak.Router
	anew   []netip.Addr      // what was heard of these before it was spoken for them counts no more
	dumb   map[speak.ID]bool // it cannot be asked for them, so they would be spoken for and never open
}

// spoken is a virtual router that this node speaks for, or did.
type spoken struct {
	name string
	keys []fsm.AddressKey
	last bool // it is at its end, and says so once the addresses are gone
	// elects: there is no quorum, and the nodes elect who speaks.
	elects bool
}

// speechInput is what a pass knows.
type speechInput struct {
	s      *fsm.State
	local  fsm.Local
	now    time.Time
	leased bool
	ending bool                // this agent has been asked to end
	heirs  map[fsm.NodeID]bool // that will have a quorum without this node; known while it ends
	open   lease.Opened        // after the pass before
	// elect are the routers that elect who speaks for want of a quorum.
	elect map[string]uint8
	// deaf reports whether it could not be asked for too long who answers for the address; nil: never.
	deaf func(netip.Addr) bool
}

func routerKeys(r fsm.LocalRouter) []fsm.AddressKey {
	var out []fsm.AddressKey
	for _, v := range r.Router.VIPs {
		out = append(out, v.Key())
	}
	return out
}

// begin states which virtual routers there are.
func (t *speech) begin(s *fsm.State, self fsm.NodeID, routers []fsm.LocalRouter) {
	if t.voices == nil {
		t.voices = noVoices{}
	}
	if t.spoken == nil {
		t.began, t.spoken, t.opened, t.asks = s.Index, map[speak.ID]spoken{}, map[fsm.AddressKey]fsm.Epoch{}, map[speak.ID]bool{}
	}
	if t.of != s { // most passes are over the same one
		t.of, t.wanted = s, wantedRouters(s, self, routers)
	}
	t.voices.Want(t.wanted)
	deaf, away := map[speak.ID]time.Time{}, map[string]time.Time{}
	for _, r := range routers {
		id, ok := routerID(r)
		if !ok {
			if away[r.Router.Name] = t.away[r.Router.Name]; away[r.Router.Name].IsZero() {
				away[r.Router.Name] = time.Now()
			}
		}
		if !ok || !t.voices.View(id).Since.IsZero() {
			continue
		}
		if deaf[id] = t.deaf[id]; deaf[id].IsZero() {
			deaf[id] = time.Now()
		}
	}
	t.deaf, t.away = deaf, away
}

// deafSince is since when this node hears nothing of a router: since now, where it still heard when the pass began.
func (t *speech) deafSince(id speak.ID, now time.Time) time.Time {
	if t.deaf[id].IsZero() {
		t.deaf[id] = now
	}
	return t.deaf[id]
}

// hold takes out of next what a router outside the cluster has by right: it is closed at once, whatever the agreed state still says, or it is not opened.
func (t *speech) hold(in speechInput, next lease.Opened) {
	t.waits, t.lost, t.timed = nil, nil, false
	dumb := t.dumb
	t.dumb = nil
	for _, r := range in.local.Routers {
		id, ok := routerID(r)
		keys := routerKeys(r)
		_, elected := in.elect[r.Router.Name] // then its machine knows whom it leaves the addresses
		if !anyIn(next, keys) || elected {
			delete(t.asks, id)
			continue
		}
		open := anyIn(in.open, keys)
		why, lost := "", !ok
		if ok {
			v := t.voices.View(id)
			why = t.against(in, r, id, v, open)
			lost = v.Since.IsZero() && len(r.Router.Peers) > 0 && in.now.Sub(t.deafSince(id, in.now)) >= deafFor(r)
		} else if why = t.linkless(in, r, open); why == "" {
			continue
		}
		if why == "" {
			switch {
			case t.asks[id]:
			case open:
				t.asks[id] = joins(in, next, keys)
			default:
				v := t.voices.View(id)
				t.asks[id] = v.Busy() || !t.handed(in, r, v) || elects(r) && !alone(r, v, in.now)
				if t.asks[id] && elects(r) {
					t.anew = append(t.anew, r.Router.Addrs()...)
				}
			}
			switch {
			case !open && t.asks[id] && in.deaf != nil && slices.ContainsFunc(r.Router.Addrs(), in.deaf):
				if t.dumb == nil {
					t.dumb = map[speak.ID]bool{}
				}
				t.dumb[id] = true
				t.lose(in.s, keys)
			case dumb[id]: // whoever has taken over has to give way first
				t.anew = append(t.anew, r.Router.Addrs()...)
			}
			continue
		}
		delete(t.asks, id)
		if lost {
			t.lose(in.s, keys)
		}
		for _, k := range keys {
			if _, is := next[k]; is {
				delete(next, k)
				if t.waits == nil {
					t.waits = map[fsm.AddressKey]string{}
				}
				t.waits[k] = why
			}
		}
	}
}

// lose notes that this node has not had addresses open for so long that others may.
func (t *speech) lose(s *fsm.State, keys []fsm.AddressKey) {
	if t.lost == nil {
		t.lost = map[fsm.AddressKey]bool{}
	}
	for _, k := range keys {
		t.lost[k] = true
		t.opened[k] = s.Assignments[k].Epoch // by this assignment it is handed to this node no more
	}
}

// linkless is why this node closes in its books what its kernel does not have any more, for want of the link, or never had; "" = nothing, as when the link is away for a moment: it opens
// again without a question.
func (t *speech) linkless(in speechInput, r fsm.LocalRouter, open bool) string {
	if open && (len(r.Router.Peers) == 0 || in.now.Sub(t.away[r.Router.Name]) < deafFor(r)) {
		t.timed = t.timed || len(r.Router.Peers) > 0
		return ""
	}
	return "this node has no interface with its subnet" // as the status has it of other VIPs
}

// joins reports whether an address is to be opened beside others of its router that are open, and nobody is known to have had it open.
func joins(in speechInput, next lease.Opened, keys []fsm.AddressKey) bool {
	return slices.ContainsFunc(keys, func(k fsm.AddressKey) bool {
		_, opens := next[k]
		_, open := in.open[k]
		return opens && !open && in.s.Assignments[k].Fresh != 0
	})
}

// against is why this node leaves a router's addresses to another; "" = nothing.
func (t *speech) against(in speechInput, r fsm.LocalRouter, id speak.ID, v speak.View, open bool) string {
	has := fmt.Sprintf("router %v (priority %d) has it by VRRP", v.Active.Source, v.Active.Priority)
	switch {
	case v.Yielded && !v.Active.Source.IsValid():
		return "a router outside the cluster has it by VRRP"
	case v.Yielded || v.Outranks && !r.Router.NoYield:
		return has
	case r.Foreign != nil && r.Part == fsm.RouterYields:
		return fmt.Sprintf("router %v has it by VRRP", *r.Foreign)
	case v.Since.IsZero() && len(r.Router.Peers) > 0:
		// They will hear nothing of this node, and take the addresses, and it would not know.
		if open && in.now.Sub(t.deafSince(id, in.now)) < deafFor(r) {
			t.timed = true
			return ""
		}
		t.timed = t.timed || in.now.Sub(t.deafSince(id, in.now)) < deafFor(r)
		return fmt.Sprintf("this node neither hears nor speaks VRRP on %s, so a router outside the cluster may have it", r.Link)
	case open || !patient(r) || t.handed(in, r, v) && !v.Busy():
		return ""
	case !v.Since.IsZero() && in.now.Sub(v.Since) < listenFor(r):
		t.timed = true
		return "this node listens whether a router outside the cluster has it by VRRP"
	case v.Active.Source.IsValid() && left(r, v, in.now):
		t.timed = true
		return has + ", and is left it by preempt or preempt_delay"
	}
	return ""
}

// patient reports whether the cluster leaves a router of lower priority what it has, for ever or for a time.
func patient(r fsm.LocalRouter) bool { return r.Router.NoPreempt || r.Router.PreemptDelay > 0 }

// left reports whether an active router of lower priority is to be left what it has.
func left(r fsm.LocalRouter, v speak.View, now time.Time) bool {
	return r.Router.NoPreempt || now.Sub(v.ActiveSince) < r.Router.PreemptDelay
}

// deafFor is how long an owner goes on without sockets: they are opened again after a second, and its neighbours wait for three intervals from its last advert.
func deafFor(r fsm.LocalRouter) time.Duration { return deafAfter(r.Router.Interval) }

func deafAfter(interval time.Duration) time.Duration { return 2*interval - interval/4 }

// listenFor is how long is listened before an address is opened that another may be left: an active router speaks once in an interval, and its timers may be late.
func listenFor(r fsm.LocalRouter) time.Duration { return r.Router.Interval*5/4 + 50*time.Millisecond }

// handed reports whether the router's addresses come from another node of the cluster, which spoke for them until a moment ago: what it gave up, or what ended
// with its lease. Once only for each assignment: what was open here and then closed may have been taken meanwhile. A node that has not listened for long cannot know: the owner
// that lost its lease may have been silent for hours, as when a whole cluster starts.
func (t *speech) handed(in speechInput, r fsm.LocalRouter, v speak.View) bool {
	if r.Fresh { // whatever the reason says: what was in shadow stays where it was requested
		return false
	}
	if !v.Since.IsZero() && in.now.Sub(v.Since) < listenFor(r) {
		return false
	}
	switch r.Reason {
	case fsm.ReasonFenced, fsm.ReasonDrained, fsm.ReasonPreempted, fsm.ReasonRequested, fsm.ReasonRebalanced, fsm.ReasonGrouped,
		fsm.ReasonUnable, fsm.ReasonUnhealthy, fsm.ReasonPath, fsm.ReasonUnheard:
	default: // who was without a link or sockets for long enough that another router takes over has said so (lose)
		return false
	}
	for _, k := range routerKeys(r) {
		e := in.s.Assignments[k].Epoch
		if uint64(e) <= t.began || t.opened[k] == e {
			return false
		}
	}
	return true
}

// speak tells the voices of all routers whose addresses are open or about to be, before any is opened: a router of lower priority gives way first.
func (t *speech) speak(in speechInput, next lease.Opened) {
	for _, r := range in.local.Routers {
		id, ok := routerID(r)
		keys := routerKeys(r)
		if _, elects := in.elect[r.Router.Name]; !ok || elects || t.dumb[id] || !speaksFor(r, next) {
			continue
		}
		var epoch fsm.Epoch
		for _, k := range keys { // the least: all must be live
			if e, is := next[k]; is && (epoch == 0 || e < epoch) {
				epoch = e
			}
		}
		t.voices.Speak(id, uint64(epoch))
		t.spoken[id] = spoken{name: r.Router.Name, keys: keys}
	}
}

// speaksFor reports whether this node is to speak for the router by what is open or about to be. Where it alone has them, one address is enough, while another has only just
// been configured: in silence the others would take what is open here.
func speaksFor(r fsm.LocalRouter, next lease.Opened) bool {
	keys := routerKeys(r)
	return allIn(next, keys) || r.Part == fsm.RouterSpeaks && anyIn(next, keys)
}

// beside is why it is asked before an address opens: its virtual router speaks, and others may still have it.
type beside struct {
	router string
	elects bool // also a node that was elected without a quorum
}

// silent is how long nobody may have answered. A router outside the cluster is not silent in between; a node of it may be, for T.
func (b beside) silent(t fsm.Timing) time.Duration {
	if b.elects {
		return askedFor(t)
	}
	return 0
}

// asked are the addresses for which it is asked whether somebody answers before they open, with their virtual routers.
func (t *speech) asked(local fsm.Local) map[fsm.AddressKey]beside {
	var out map[fsm.AddressKey]beside
	for _, r := range local.Routers {
		id, ok := routerID(r)
		if !ok || !t.asks[id] {
			continue
		}
		if out == nil {
			out = map[fsm.AddressKey]beside{}
		}
		for _, k := range routerKeys(r) {
			out[k] = beside{r.Router.Name, elects(r)}
		}
	}
	return out
}

// quiet ends what is spoken for addresses that are to be open no more, in front of their closing: nothing is said any more, last words come by end.
func (t *speech) quiet(in speechInput, next lease.Opened) {
	speaks, routers := map[speak.ID]bool{}, map[string]fsm.LocalRouter{}
	for _, r := range in.local.Routers {
		routers[r.Router.Name] = r
		_, elects := in.elect[r.Router.Name]
		if id, ok := routerID(r); ok && (elects || !t.dumb[id] && speaksFor(r, next)) {
			speaks[id] = true
		}
	}
	for id, x := range t.spoken {
		r, there := routers[x.name]
		switch {
		case speaks[id] || x.last:
			continue
		case !t.voices.View(id).Yielded && t.resigns(in, r, there, x, next):
			x.last = true
			t.spoken[id] = x
			t.voices.Mute(id)
		default:
			delete(t.spoken, id)
			t.voices.Silence(id)
		}
	}
}

// resigns reports whether nobody of the cluster gets what this node gives up, so that the others should not wait to find out.
func (t *speech) resigns(in speechInput, r fsm.LocalRouter, there bool, x spoken, next lease.Opened) bool {
	switch {
	case anyIn(next, x.keys):
		return false // an address stays, and nothing is said of it any more
	case !there:
		return !slices.ContainsFunc(x.keys, func(k fsm.AddressKey) bool {
			return in.s.Assignments[k].Release != nil && in.s.Assignments[k].Release.To != ""
		})
	case r.Part == fsm.RouterResigns:
		// Another prefix length or link: this cluster has it again in a moment, but not in shadow.
		return !slices.ContainsFunc(x.keys, func(k fsm.AddressKey) bool {
			a := in.s.Assignments[k]
			v, _ := in.s.VIPByKey(k)
			return a.Release != nil && a.Release.Reason.Code == fsm.ReasonChanged && !in.s.Config.Shadows(v)
		})
	case r.Part == fsm.RouterSpeaks:
		return !in.leased && in.ending && !in.inherited(r)
	}
	return false
}

// inherited reports whether another node gets a router's addresses once this agent has ended, though nobody has said so yet, as when its hand-over was stuck. The peers
// need not take them in between, to give them back a moment later.
func (in speechInput) inherited(r fsm.LocalRouter) bool {
	return slices.ContainsFunc(in.s.Fit(r.Router), func(n fsm.NodeID) bool { return in.heirs[n] })
}

// end says the last words that are due: of routers all of whose addresses the kernel's list has no more.
func (t *speech) end(st vip.Status) {
	for id, x := range t.spoken {
		if x.last && !slices.ContainsFunc(x.keys, func(k fsm.AddressKey) bool { return !st.Absent(k.Addr) }) {
			delete(t.spoken, id)
			t.voices.LastWord(id)
		}
	}
}

// carry says of which routers with a virtual MAC the addresses are in the kernel now. Of what has a last word to say it was said before.
func (t *speech) carry(in speechInput, next lease.Opened, st vip.Status) {
	for _, r := range in.local.Routers {
		id, ok := routerID(r)
		if x, speaks := t.spoken[id]; !ok || !r.Router.VMAC || !speaks || x.last {
			continue
		}
		here := false
		for _, k := range routerKeys(r) {
			_, opened := next[k]
			here = here || opened && slices.ContainsFunc(st.Addresses, func(x vip.AddressStatus) bool { return x.Prefix.Addr() == k.Addr && x.Parent != "" && x.Actual })
		}
		t.voices.Carries(id, here)
	}
}

// stop is for an agent that ends, with what its kernel has after all addresses were taken off: last words where nobody of the cluster is there to take over, and the addresses
// are gone.
func (t *speech) stop(in speechInput, st vip.Status) {
	if t.voices == nil {
		return
	}
	routers := map[string]fsm.LocalRouter{}
	for _, r := range in.local.Routers {
		routers[r.Router.Name] = r
	}
	for id, x := range t.spoken {
		r := routers[x.name]
		x.last = x.last || in.ending && (r.Part == fsm.RouterSpeaks || x.elects) && !in.inherited(r)
		t.spoken[id] = x
	}
	t.end(st)
	for id := range t.spoken {
		delete(t.spoken, id)
		t.voices.Silence(id)
	}
	t.voices.Want(nil)
}

// note remembers what is open.
func (t *speech) note(s *fsm.State, open lease.Opened) {
	for k := range open {
		t.opened[k] = s.Assignments[k].Epoch
	}
	maps.DeleteFunc(t.opened, func(k fsm.AddressKey, e fsm.Epoch) bool { return s.Assignments[k].Epoch != e })
}

// report is what this node hears of routers outside the cluster, and has found of its own VIPs. asking are those that are not open yet, st is what the kernel has.
func (t *speech) report(s *fsm.State, local fsm.Local, open lease.Opened, asking map[fsm.AddressKey]asked, st vip.Status, now time.Time) (out cluster.ForeignReport) {
	out.Fresh = found(s, local, open, asking, t.lost, st)
	for _, r := range local.Routers {
		id, ok := routerID(r)
		if !ok || len(r.Router.Peers) == 0 {
			continue
		}
		v := t.voices.View(id)
		c := v.Active
		switch {
		case v.Since.IsZero():
			if now.Sub(t.deafSince(id, now)) < max(unsureFor(r), unsureLeast) {
				t.timed = true
				out.Unsure = append(out.Unsure, r.Router.Name)
			} // later it says nothing of what it does not know, or the VIPs would wait for one node's sockets for ever
		case c.Source.IsValid() && v.Outranks && !r.Router.NoYield:
			out.Seen = append(out.Seen, cluster.ForeignSight{Router: r.Router.Name, Source: c.Source, Priority: uint8(c.Priority), Better: true})
		case c.Source.IsValid() && patient(r) && !v.Fellow && !anyIn(open, routerKeys(r)) && left(r, v, now):
			t.timed = t.timed || !r.Router.NoPreempt
			out.Seen = append(out.Seen, cluster.ForeignSight{Router: r.Router.Name, Source: c.Source, Priority: uint8(c.Priority)})
		case now.Sub(v.Since) < unsureFor(r):
			t.timed = true
			out.Unsure = append(out.Unsure, r.Router.Name)
		}
	}
	return out
}

// found is what the agreed state has to know of this node's VIPs of virtual routers, since their next owner asks on the link only for what was never open: that they are open here
// by now, or that another host answers for them, or may since they are lost. What is only wanted open is not: where the kernel refused it, or its link lost carrier, others never learned of it, and another host
// may answer still.
func found(s *fsm.State, local fsm.Local, open lease.Opened, asking map[fsm.AddressKey]asked, lost map[fsm.AddressKey]bool, st vip.Status) (out []fsm.FreshVIP) {
	for _, v := range local.VIPs {
		a := s.Assignments[v.Key]
		_, is := open[v.Key]
		x := asking[v.Key]
		if v.VIP.RouterName() != "" && (is && a.Fresh != 0 && answers(st, v.Key.Addr) || (lost[v.Key] || x.router != "" && x.heard.by != "") && a.Fresh == 0) {
			out = append(out, fsm.FreshVIP{Key: v.Key, Epoch: a.Epoch, Fresh: a.Fresh})
		}
	}
	return out
}

// answers reports whether this host answers for an address, by what the kernel has.
func answers(st vip.Status, addr netip.Addr) bool {
	return slices.ContainsFunc(st.Addresses, func(x vip.AddressStatus) bool {
		return x.Prefix.Addr() == addr && x.Wanted && x.Actual && x.Err == nil
	})
}

// unsureFor is how long a node listens before it says that there is nobody: as long as a router may be silent that is active all the same.
func unsureFor(r fsm.LocalRouter) time.Duration { return 4 * r.Router.Interval }

// unsureLeast is for how long a node without sockets is unsure in any case: until it has said that it has none, so that nothing is placed on it in between.
const unsureLeast = deafLeast + 2*deafLook

func anyIn(o lease.Opened, keys []fsm.AddressKey) bool {
	return slices.ContainsFunc(keys, func(k fsm.AddressKey) bool { _, is := o[k]; return is })
}

func allIn(o lease.Opened, keys []fsm.AddressKey) bool {
	return len(keys) > 0 && !slices.ContainsFunc(keys, func(k fsm.AddressKey) bool { _, is := o[k]; return !is })
}

// noVoices are those of a node without virtual routers.
type noVoices struct{}

func (noVoices) Want([]speak.Router)      {}
func (noVoices) View(speak.ID) speak.View { return speak.View{} }
func (noVoices) Speak(speak.ID, uint64)   {}
func (noVoices) Mute(speak.ID)            {}
func (noVoices) Silence(speak.ID)         {}
func (noVoices) LastWord(speak.ID)        {}

func (noVoices) Elect(speak.ID, uint64, vrrp.Priority) {}
func (noVoices) Abstain(speak.ID)                      {}
func (noVoices) Carries(speak.ID, bool)                {}
