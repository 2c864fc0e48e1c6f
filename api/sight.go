package api

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quorate/fsm"
)

// Sight is what the nodes see of a VIP, and of all that goes together with it: what a takeover or giveback is judged by. Package crossing judges it.
type Sight struct {
	Version uint64        `json:"config_version" doc:"Version of the configuration that it was seen under"`
	VIP     string        `json:"vip" doc:"Name of the VIP that was asked for"`
	Modes   fsm.Modes     `json:"modes" doc:"The modes as that configuration has them written: what undoes a change of them"`
	VIPs    []SightVIP    `json:"vips" nullable:"false" doc:"The VIP, and those of its virtual router and group, and of theirs"`
	Routers []RouterAside `json:"virtual_routers" nullable:"false" doc:"Their virtual routers"`
	Nodes   []NodeSight   `json:"nodes" nullable:"false" doc:"What each director sees"`
	// Refused is what the change to live would be refused for, as there is more that what is live has to keep to.
	Refused fsm.Problems `json:"refused,omitempty" doc:"Why the configuration would be refused if they were live"`
}

// SightVIP is a VIP as it is agreed.
type SightVIP struct {
	Name    string     `json:"name"`
	Address netip.Addr `json:"address"`
	Mode    string     `json:"mode" enum:"live,shadow"`
	Router  string     `json:"virtual_router,omitempty"`
	Owner   fsm.NodeID `json:"owner,omitempty" doc:"Agreed owner, in shadow who would be"`
	Shadow  bool       `json:"shadow" doc:"The owner has it in shadow alone; it may be on its way out of it"`
	Moving  bool       `json:"moving" doc:"The owner was asked to give it up"`
	Why     string     `json:"why,omitempty" doc:"Why it has no owner"`
}

// RouterAside is what the judge has to know of a virtual router.
type RouterAside struct {
	Name           string       `json:"name"`
	VRID           uint8        `json:"vrid"`
	Priority       uint8        `json:"priority"`
	Preempt        bool         `json:"preempt"`
	PreemptDelayMS int64        `json:"preempt_delay_ms,omitempty" doc:"How long a peer of lower priority is left what it has, from when it was first heard"`
	Yield          bool         `json:"yield" doc:"A peer of higher priority gets the VIPs"`
	Unicast        bool         `json:"unicast" doc:"Its adverts go to its peers alone: the other nodes do not hear them"`
	DownMS         int64        `json:"longest_master_down_ms" doc:"How long the most patient router outside the cluster hears nothing before it takes over"`
	SkewMS         int64        `json:"longest_skew_ms" doc:"How long it waits where it was told that nobody has it any more"`
	Peers          []netip.Addr `json:"peers,omitempty"`
}

// NodeSight is what one director sees.
type NodeSight struct {
	Node      fsm.NodeID     `json:"node"`
	Able      bool           `json:"able" doc:"It is ready and holds its lease"`
	Problem   string         `json:"problem,omitempty" doc:"Why it could not be asked"`
	MACs      []string       `json:"macs,omitempty" doc:"Its own"`
	Addresses []HeardAddress `json:"addresses,omitempty"`
	Routers   []HeardRouter  `json:"virtual_routers,omitempty"`
}

// HeardAddress is who answers for an address, as a node hears it on its link: a VIP, or a router outside the cluster.
type HeardAddress struct {
	Address netip.Addr `json:"address"`
	Router  string     `json:"virtual_router,omitempty" doc:"Of a peer with a link-local address: on whose link it was asked. On another that address is another host's"`
	Link    string     `json:"link,omitempty" doc:"Absent: it has none for it"`
	Asked   bool       `json:"asked" doc:"It could be asked there"`
	MACs    []string   `json:"macs,omitempty" doc:"That answered"`
	Here    bool       `json:"here,omitempty" doc:"Its own kernel has the address"`
	Ours    bool       `json:"ours,omitempty" doc:"Put there by its agent, and not by another program"`
}

// HeardRouter is a virtual router on a node.
type HeardRouter struct {
	Name     string     `json:"name"`
	Source   netip.Addr `json:"source,omitzero" doc:"From where it would speak"`
	Speaks   bool       `json:"speaks" doc:"It advertises"`
	Problem  string     `json:"problem,omitempty" doc:"Why it neither speaks nor hears"`
	ActiveMS int64      `json:"active_ms,omitempty" doc:"For how long it has heard a peer be active, without a break: what preempt_delay is counted by"`
	Heard    []Rival    `json:"heard,omitempty"`
}

// Rival is a router that a node hears for a virtual router.
type Rival struct {
	Source   netip.Addr `json:"source"`
	Role     string     `json:"role" enum:"stranger,fellow,listed"`
	Active   bool       `json:"active" doc:"It advertises now"`
	Priority uint8      `json:"priority"`
	DownMS   int64      `json:"down_ms,omitempty" doc:"How long after its last advert it counts as silent: three of its intervals and its skew"`
	Differs  []Differs  `json:"differs,omitempty"`
}

// Differs is something in which a router is not as the configuration has it.
type Differs struct {
	What     string `json:"what" example:"version"`
	Text     string `json:"text" doc:"What it leads to, and the cure"`
	Harmless bool   `json:"harmless,omitempty" doc:"Both hear each other all the same"`
}

// SightQuery asks a node what it sees.
type SightQuery struct {
	VIPs  []netip.Addr `json:"vips"`
	Peers []SightPeer  `json:"peers"`
	// Interfaces are the links on which the VIPs are, where they are named; "" = the one that has the subnet. As long as VIPs.
	Interfaces []string `json:"interfaces"`
	Routers    []string `json:"routers"`
}

// SightPeer is a router outside the cluster. One with a link-local address is where the VIPs of its virtual router are: Router, VIP and Interface, as in SightQuery, say where.
type SightPeer struct {
	Address   netip.Addr `json:"address"`
	Router    string     `json:"router,omitempty"`
	VIP       netip.Addr `json:"vip,omitzero"`
	Interface string     `json:"interface,omitempty"`
}

func (p SightPeer) compare(o SightPeer) int {
	return cmp.Or(p.Address.Compare(o.Address), strings.Compare(p.Router, o.Router))
}

// MaxSight is how many addresses a node is asked about at once.
const MaxSight = 512

// pages are the question in parts that a node takes.
func (q SightQuery) pages() (out []SightQuery) {
	if len(q.VIPs)+len(q.Peers) <= MaxSight {
		return []SightQuery{q}
	}
	for i := 0; i < len(q.VIPs); i += MaxSight {
		end := min(i+MaxSight, len(q.VIPs))
		out = append(out, SightQuery{VIPs: q.VIPs[i:end], Interfaces: q.Interfaces[i:end]})
	}
	for all := range slices.Chunk(q.Peers, MaxSight) {
		out = append(out, SightQuery{Peers: all})
	}
	out[0].Routers = q.Routers
	return out
}

// Lookout asks the nodes what they see.
type Lookout interface {
	// Sight asks one node, about MaxSight addresses at most; it takes some hundred milliseconds. Node, Able and Problem are left to the caller.
	Sight(ctx context.Context, node fsm.NodeID, q SightQuery) (NodeSight, error)
}

type (
	sightOutput struct{ Body Sight }
	// ModeRequest asks for another mode.
	ModeRequest struct {
		Mode string    `json:"mode" enum:"live,shadow"`
		Base uint64    `json:"base" doc:"Version of the configuration that it was decided on; refused with conflict when it is not the current one"`
		Undo *ModeUndo `json:"undo,omitempty" doc:"It undoes a change: only what that changed gets the mode"`
	}
	// ModeUndo says what is undone.
	ModeUndo struct {
		VIPs []string  `json:"vips" nullable:"false" doc:"VIPs that the change gave another mode"`
		Was  fsm.Modes `json:"was" doc:"The modes as they were written before: modes of vip-sight. They are written so again, unless something else is live by now"`
	}
	// ModeSet is the answer.
	ModeSet struct {
		Version uint64   `json:"version" doc:"Of the configuration now"`
		Changed []string `json:"changed" nullable:"false" doc:"VIPs that have another mode now"`
		// Write is what the files have to say.
		Write []string `json:"write" nullable:"false" doc:"What to write into the configuration files, so that the next plan does not undo it. Of an undo: what is not written as it was"`
	}
	modeInput struct {
		Name string `path:"name" maxLength:"200"`
		Body ModeRequest
	}
	modeOutput struct{ Body ModeSet }
)

const (
	// sightLimit bounds what is asked of the nodes at once, and sightMore is for each further page of it.
	sightLimit = 3 * time.Second
	sightMore  = time.Second
)

func (s *Server) registerCrossing(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "vip-sight", Method: "GET", Path: "/v1/vips/{name}/sight", Tags: []string{"vips"},
		Summary:     "What the nodes see of a VIP on the wire",
		Description: "Who answers for it and for the routers outside the cluster, who speaks VRRP for it, and what does not fit: for the VIP and for all that goes together with it. Every director asks on its link, which takes some hundred milliseconds.",
	}, func(ctx context.Context, in *nameInput) (*sightOutput, error) {
		st, v, err := s.freshVIP(ctx, in.Name)
		if err != nil {
			return nil, err
		}
		if s.lookout == nil {
			return nil, newError(CodeNotPossible, "this agent cannot ask the others what they see")
		}
		return &sightOutput{Body: s.sight(ctx, st, v.Name)}, nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "vip-mode", Method: "PUT", Path: "/v1/vips/{name}/mode", Tags: []string{"vips"}, MaxBodyBytes: maxBody,
		Summary: "Change the mode of a VIP: live or shadow",
		Description: "Of the VIP and of all that goes together with it: the VIPs of its virtual router and of its group, and of theirs; or, with undo, of those that a change gave another mode. One " +
			"transaction; refused with conflict when base is not the current version of the configuration. It judges nothing: see vip-sight.",
	}, s.mode)
}

func (s *Server) mode(ctx context.Context, in *modeInput) (*modeOutput, error) {
	st, v, err := s.freshVIP(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	if in.Body.Base != st.ConfigVersion {
		return nil, newError(CodeConflict, "the configuration is at version %d and the mode was to be changed at %d: somebody applied another in between; try again", st.ConfigVersion, in.Body.Base)
	}
	m := fsm.Mode(in.Body.Mode)
	if in.Body.Mode == fsm.LiveMode.String() {
		m = fsm.LiveMode
	}
	c, changed := st.Config.WithMode(v.Name, m)
	write := st.Config.ModeLines(c)
	if u := in.Body.Undo; u != nil {
		c, changed = st.Config.UndoMode(u.VIPs, m, u.Was)
		write = c.Written(u.Was).ModeLines(c)
	}
	out := ModeSet{Version: st.ConfigVersion, Changed: list(changed), Write: list(write)}
	if len(changed) == 0 && in.Body.Undo == nil || c.Modes().Equal(st.Config.Modes()) {
		return &modeOutput{Body: out}, nil
	}
	if ps := modeProblems(st, c, m); len(ps) > 0 {
		return nil, invalidConfig(ps)
	}
	_, st, err = s.propose(ctx, fsm.Command{Configure: &fsm.Configure{Base: in.Body.Base, Config: c}})
	if err != nil {
		return nil, err
	}
	out.Version = st.ConfigVersion
	return &modeOutput{Body: out}, nil
}

// modeProblems are why a change of the mode to m is refused, after which the configuration is c.
func modeProblems(st *fsm.State, c fsm.Config, m fsm.Mode) fsm.Problems {
	ps := c.Validate()
	if len(ps) == 0 && m == fsm.LiveMode { // what may not be live may still be a rehearsal
		ps = newProblems(st.Config.CheckNodes(st.Nodes), c.CheckNodes(st.Nodes))
	}
	return ps
}

// newProblems are those that were not there before.
func newProblems(before, after fsm.Problems) fsm.Problems {
	return slices.DeleteFunc(slices.Clone(after), func(p fsm.Problem) bool { return slices.Contains(before, p) })
}

// sight asks all directors at once.
func (s *Server) sight(ctx context.Context, st *fsm.State, name string) Sight {
	out := Sight{Version: st.ConfigVersion, VIP: name, Modes: st.Config.Modes(), VIPs: []SightVIP{}, Routers: []RouterAside{}, Nodes: []NodeSight{}}
	if c, changed := st.Config.WithMode(name, fsm.LiveMode); len(changed) > 0 {
		out.Refused = modeProblems(st, c, fsm.LiveMode)
	}
	q := SightQuery{}
	for _, n := range st.Config.Bound(name) {
		v := st.Config.VIPs[n]
		a := st.Assignments[v.Key()]
		x := SightVIP{Name: n, Address: v.Address.Addr(), Mode: st.Config.ModeOf(v).String(), Router: v.RouterName(), Owner: a.Owner, Shadow: a.Shadow, Moving: a.Release != nil}
		if x.Owner == "" {
			x.Why = a.Reason.Text
		}
		out.VIPs = append(out.VIPs, x)
		q.VIPs, q.Interfaces = append(q.VIPs, v.Address.Addr()), append(q.Interfaces, v.Interface)
	}
	for _, r := range st.Config.VirtualRouters() {
		if !slices.ContainsFunc(out.VIPs, func(v SightVIP) bool { return v.Router == r.Name }) {
			continue
		}
		out.Routers = append(out.Routers, RouterAside{Name: r.Name, VRID: r.VRID, Priority: r.Priority, Preempt: !r.NoPreempt, PreemptDelayMS: r.PreemptDelay.Milliseconds(), Yield: !r.NoYield,
			Unicast: r.Unicast, DownMS: r.LongestMasterDown().Milliseconds(), SkewMS: r.LongestSkew().Milliseconds(), Peers: r.Peers})
		q.Routers = append(q.Routers, r.Name)
		for _, p := range r.Peers {
			x := SightPeer{Address: p}
			if p.IsLinkLocalUnicast() {
				x.Router, x.VIP, x.Interface = r.Name, r.VIPs[0].Address.Addr(), r.VIPs[0].Interface
			}
			q.Peers = append(q.Peers, x)
		}
	}
	slices.SortFunc(q.Peers, SightPeer.compare)
	q.Peers = slices.Compact(q.Peers)
	pages := q.pages()
	ctx, cancel := context.WithTimeout(ctx, sightLimit+time.Duration(len(pages)-1)*sightMore)
	defer cancel()
	hints := s.hints(ctx, st)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, id := range slices.Sorted(maps.Keys(st.Nodes)) {
		if n := st.Nodes[id]; n.Role != fsm.Director {
			continue
		}
		wg.Go(func() {
			x, err := s.look(ctx, id, pages)
			x.Node, x.Able = id, hints.Able[id]
			if err != nil {
				x = NodeSight{Node: id, Problem: err.Error()}
			}
			mu.Lock()
			defer mu.Unlock()
			out.Nodes = append(out.Nodes, x)
		})
	}
	wg.Wait()
	slices.SortFunc(out.Nodes, func(a, b NodeSight) int { return cmp.Compare(a.Node, b.Node) })
	return out
}

// look asks one node, page by page.
func (s *Server) look(ctx context.Context, id fsm.NodeID, pages []SightQuery) (out NodeSight, err error) {
	for i, q := range pages {
		x, err := s.lookout.Sight(ctx, id, q)
		switch {
		case err != nil:
			return out, err
		case i == 0:
			out = x
			continue
		}
		out.Addresses = append(out.Addresses, x.Addresses...)
	}
	return out, nil
}
