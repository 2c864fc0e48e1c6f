package speak

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"quorate/vip/vrrp"
)

// Status is one virtual router as it is on this node.
type Status struct {
	ID     ID
	Name   string
	Config vrrp.Config // Source is from where adverts go; no keys
	// Problem is why nothing is spoken or heard, or not by all peers; "" = nothing speaks against it.
	Problem string
	// Speaks says that it is to advertise now.
	Speaks bool
	View   View
	// Unread is how many adverts of its link and family were never read, as there came too many.
	Unread uint64
	vrrp.RouterStatus
	// Heard is when each of the neighbours was heard last.
	Heard []time.Time
	keyed bool // it has keys
	// Explained are the differences of each of them, with what they lead to and the cure.
	Explained [][]string
}

// Status lists the virtual routers, sorted by name.
func (s *Speakers) Status() []Status {
	s.mu.Lock()
	var out []Status
	lines := map[lineID]*line{}
	for id, r := range s.want {
		if s.stated[id] {
			out = append(out, Status{ID: id, Name: r.Name, Config: r.Config, keyed: len(r.Keys) > 0, Speaks: s.voices[id].may(s.options.Live)})
			lines[id.line()] = s.lines[id.line()]
		}
	}
	s.mu.Unlock()
	for i := range out {
		x := &out[i]
		x.View = s.View(x.ID)
		x.fill(lines[x.ID.line()])
	}
	slices.SortFunc(out, func(a, b Status) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), compareLines(a.ID.line(), b.ID.line()), cmp.Compare(a.ID.VRID, b.ID.VRID))
	})
	return out
}

// Heard says of a virtual router whether this node has sockets for it.
type Heard struct {
	ID     ID
	Name   string
	Config vrrp.Config // Source is not of it
	// Problem is why it neither hears nor speaks for it; "" = it does.
	Problem string
	// Speaks says that it is to advertise now.
	Speaks bool
}

// Heard lists the virtual routers that there are, in no order. Unlike Status it costs next to nothing.
func (s *Speakers) Heard() []Heard {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Heard
	for id := range s.stated {
		h := Heard{ID: id, Name: s.want[id].Name, Config: s.want[id].Config, Speaks: s.voices[id].may(s.options.Live)}
		if s.voices[id].view.Load() == nil {
			h.Problem = s.lines[id.line()].why(id.VRID)
		}
		out = append(out, h)
	}
	return out
}

const opening = "it is being opened"

// why is for what reason a router has no sockets. A nil line is none yet.
func (l *line) why(v vrrp.VRID) string {
	if l == nil {
		return opening
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.speaker != nil && l.bad[v] != nil:
		return l.bad[v].Error()
	case l.speaker == nil && l.problem != nil:
		return l.problem.Error()
	}
	return opening
}

// fill adds what the line knows.
func (x *Status) fill(l *line) {
	x.RouterStatus.VRID = x.ID.VRID
	x.Unread = l.dropped()
	if l == nil {
		x.Problem = opening
		return
	}
	l.mu.Lock()
	speaker, at, problem, bad := l.speaker, l.place, l.problem, l.bad[x.ID.VRID]
	l.mu.Unlock()
	r := Router{Config: x.Config}
	x.Config = x.Config.From(r.source(at))
	switch {
	case speaker == nil && problem != nil:
		x.Problem = problem.Error()
		return
	case speaker == nil:
		x.Problem = opening
		return
	case bad != nil:
		x.Problem = bad.Error()
		return
	}
	st, ok := speaker.Status(x.ID.VRID)
	if !ok {
		x.Problem = opening
		return
	}
	x.RouterStatus = st
	if x.Config.Alone {
		x.Problem = "its only peer is this node itself, so that it speaks to nobody"
	} else if err := speaker.Failing(x.ID.VRID); err != nil {
		x.Problem = err.Error()
	}
	now, ours := time.Now(), x.Config
	if x.keyed { // what is explained asks no more than whether there are any
		ours.Keys = new(vrrp.Keyring)
	}
	for _, n := range st.Neighbours {
		x.Heard = append(x.Heard, now.Add(n.LastHeard-st.Now))
		var why []string
		for _, d := range n.Differs.All() {
			why = append(why, ours.Explain(d, n))
		}
		x.Explained = append(x.Explained, why)
	}
}
