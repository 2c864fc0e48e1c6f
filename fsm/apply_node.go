package fsm

import (
	"cmp"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
)

func (e *entry) init(c Init, schema Schema) error {
	if c.ClusterID == "" || len(c.ClusterID) > 256 || !plainText(c.ClusterID) {
		return fmt.Errorf("cluster id %q: %w", c.ClusterID, ErrInvalid)
	}
	if c.Settings.needs() > max(schemaFirst, schema) {
		return fmt.Errorf("settings: %w", tooNew(c.Settings.needs(), schema))
	}
	cfg := Config{Settings: c.Settings}.withDefaults()
	if ps := cfg.agreed(); len(ps) > 0 {
		return ps
	}
	n, err := newNode(c.Node, e.index, max(schemaFirst, schema))
	if err != nil {
		return err
	}
	e.next.ClusterID = c.ClusterID
	e.next.Schema = max(1, schema)
	e.next.Config = cfg
	e.nodes()[n.ID] = n
	e.next.Grantors = GrantorSet{Index: e.index, Members: []Grantor{{Node: n.ID, Store: n.Store}}}
	e.event(Event{Kind: EventCluster, Node: n.ID, Text: fmt.Sprintf("cluster %s formed by %s at %s", c.ClusterID, n.ID, n.Addr)})
	return nil
}

// newNode is n as it joins with the entry at index, in a cluster at the schema.
func newNode(n Node, index uint64, at Schema) (Node, error) {
	if !validNodeID(n.ID) {
		return n, fmt.Errorf("node name %q: %w: %s", clip(string(n.ID), 80), ErrInvalid, nodeRule)
	}
	if n.Store == "" || len(n.Store) > 256 || !plainText(string(n.Store)) {
		return n, fmt.Errorf("node %s: store id %q: %w", n.ID, clip(string(n.Store), 80), ErrInvalid)
	}
	n, err := n.cleaned(at)
	n.Draining, n.Leaving, n.Epoch, n.Joined, n.Flap, n.Checks, n.Paths = false, false, Epoch(index), index, Flap{}, nil, nil
	return n, err
}

// cleaned checks and normalises what a node says of itself.
func (n Node) cleaned(at Schema) (Node, error) {
	n.Role = cmp.Or(n.Role, Director)
	if n.Role != Director && n.Role != Witness {
		return n, fmt.Errorf("node %s: role %q: %w: use %q or %q", n.ID, clip(string(n.Role), 80), ErrInvalid, Director, Witness)
	}
	if n.Weight < 0 || n.Weight > MaxWeight {
		return n, fmt.Errorf("node %s: weight %d: %w: use 0 to %d", n.ID, n.Weight, ErrInvalid, MaxWeight)
	}
	n.Addr, n.Zone, n.Facts = clip(n.Addr, 256), clip(n.Zone, 256), n.Facts.cleaned(at)
	return n, nil
}

// cleaned is a copy that fits into a snapshot, is in order, and says nothing that older members could not read.
func (f Facts) cleaned(at Schema) Facts {
	const most = 4096 // interfaces, prefixes, names
	f.Version, f.DataPlane = clip(f.Version, 256), clip(f.DataPlane, MaxName)
	f = f.upTo(at)
	f.Fence, f.LeaseThread = clip(f.Fence, MaxName), clip(f.LeaseThread, MaxName)
	f.Features, f.NoVMAC = clipAll(f.Features, most), clip(f.NoVMAC, 256)
	f.NoVRRP = cleanDeaf(f.NoVRRP[:min(len(f.NoVRRP), most)])
	f.Schema = max(1, f.Schema) // 0 would be a build older than the first
	var links []Link
	for _, l := range f.Links[:min(len(f.Links), most)] {
		var prefixes []netip.Prefix
		for _, p := range l.Prefixes[:min(len(l.Prefixes), most)] {
			if p.IsValid() {
				prefixes = append(prefixes, p.Masked())
			}
		}
		slices.SortFunc(prefixes, comparePrefix)
		links = append(links, Link{Name: clip(l.Name, MaxName), Prefixes: slices.Compact(prefixes)})
	}
	slices.SortStableFunc(links, func(a, b Link) int { return strings.Compare(a.Name, b.Name) })
	f.Links = links
	addresses := slices.DeleteFunc(slices.Clone(f.Addresses[:min(len(f.Addresses), most)]), func(a netip.Addr) bool { return !a.IsValid() })
	slices.SortFunc(addresses, netip.Addr.Compare)
	f.Addresses = slices.Compact(addresses)
	var planes []Plane
	for _, p := range f.Planes[:min(len(f.Planes), 16)] {
		planes = append(planes, Plane{clip(p.Name, MaxName), clipAll(p.Forwards, most), clipAll(p.Schedulers, most), clipAll(p.Features, most)})
	}
	slices.SortStableFunc(planes, func(a, b Plane) int { return strings.Compare(a.Name, b.Name) })
	f.Planes = planes
	f.Forwards, f.Schedulers, f.Problems = clipAll(f.Forwards, most), clipAll(f.Schedulers, most), clipAll(f.Problems, most)
	return f
}

// upTo are the facts without what a schema newer than at brought.
func (f Facts) upTo(at Schema) Facts {
	if at < schemaStages {
		f.Fence, f.LeaseThread = "", ""
	}
	if at < schemaLVS {
		f.Features, f.Unsynced = nil, false
		f.Planes = slices.Clone(f.Planes)
		for i := range f.Planes {
			f.Planes[i].Features = nil
		}
	}
	if at < schemaVRRP {
		f.NoVMAC, f.NoVRRP = "", nil
	}
	return f
}

func cleanDeaf(in []DeafRouter) (out []DeafRouter) {
	for _, d := range in {
		out = append(out, DeafRouter{clip(d.Router, MaxName), cmp.Or(clip(d.Reason, 256), "it does not say why")})
	}
	slices.SortStableFunc(out, func(a, b DeafRouter) int { return strings.Compare(a.Router, b.Router) })
	return slices.CompactFunc(out, func(a, b DeafRouter) bool { return a.Router == b.Router })
}

func clipAll[T ~string](in []T, most int) (out []T) {
	for _, s := range in[:min(len(in), most)] {
		out = append(out, T(clip(string(s), 256)))
	}
	return out
}

func comparePrefix(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

func (e *entry) putNode(n Node) error {
	known, ok := e.next.Nodes[n.ID]
	if !ok {
		return e.addNode(n)
	}
	if known.Store != n.Store {
		return fmt.Errorf("node %s: %w (%s, not %s); choose another name, or remove the old node first",
			n.ID, ErrNameTaken, known.Store, clip(string(n.Store), 80))
	}
	n, err := n.cleaned(e.next.Schema)
	if err != nil {
		return err
	}
	n.Draining, n.Leaving, n.Epoch, n.Joined, n.Flap, n.Checks, n.Paths = known.Draining, known.Leaving, known.Epoch, known.Joined, known.Flap, known.Checks, known.Paths
	if reflect.DeepEqual(n, known) {
		return nil
	}
	e.nodes()[n.ID] = n
	var changes []string
	note := func(what string, was, is any) {
		if was != is {
			changes = append(changes, fmt.Sprintf("%s %v → %v", what, was, is))
		}
	}
	note("address", known.Addr, n.Addr)
	note("role", known.Role, n.Role)
	note("zone", known.Zone, n.Zone)
	note("weight", known.Weight, n.Weight)
	changes = append(changes, factChanges(known.Facts, n.Facts)...)
	if len(changes) > 0 {
		e.event(Event{Kind: EventNode, Node: n.ID, Text: fmt.Sprintf("%s changed: %s", n.ID, strings.Join(changes, ", "))})
	}
	return nil
}

func (e *entry) addNode(n Node) error {
	n, err := newNode(n, e.index, e.next.Schema)
	if err != nil {
		return err
	}
	for _, other := range e.next.Nodes {
		if other.Store == n.Store {
			return fmt.Errorf("node %s: %w (%s); start it under that name, or with an empty data directory", n.ID, ErrStoreTaken, other.ID)
		}
	}
	if n.Facts.Schema < e.next.Schema {
		return fmt.Errorf("node %s: %w %d is the newest that it understands, and the cluster is at %d; upgrade quorate on %s",
			n.ID, ErrSchema, n.Facts.Schema, e.next.Schema, n.ID)
	}
	e.nodes()[n.ID] = n
	e.event(Event{Kind: EventNode, Node: n.ID, Text: fmt.Sprintf("%s joined at %s as %s, weight %d", n.ID, n.Addr, n.Role, n.Weight)})
	return nil
}

// member finds a node and checks that it is the one with the store.
func (e *entry) member(id NodeID, store StoreID) (Node, error) {
	n, ok := e.next.Nodes[id]
	if !ok {
		return n, fmt.Errorf("node %s: %w", clip(string(id), 80), ErrUnknown)
	}
	if n.Store != store {
		return n, fmt.Errorf("node %s: %w: it is store %s, not %s", id, ErrStale, n.Store, clip(string(store), 80))
	}
	return n, nil
}

// under is a node that has this epoch still.
func (e *entry) under(id NodeID, epoch Epoch) (Node, error) {
	n, ok := e.next.Nodes[id]
	switch {
	case !ok:
		return n, fmt.Errorf("node %s: %w", clip(string(id), 80), ErrUnknown)
	case n.Epoch != epoch:
		return n, fmt.Errorf("node %s: %w: its epoch is %d, not %d", n.ID, ErrStale, n.Epoch, epoch)
	}
	return n, nil
}

func (e *entry) removeNode(c RemoveNode) error {
	n, err := e.member(c.Node, c.Store)
	if err != nil {
		return err
	}
	if owned := e.next.Owned(n.ID); len(owned) > 0 {
		return fmt.Errorf("node %s: %w (%d, first %v); drain it, or wait until it is fenced", n.ID, ErrNodeOwns, len(owned), owned[0])
	}
	if e.next.Grantors.Has(Grantor{Node: n.ID, Store: n.Store}) {
		return fmt.Errorf("node %s: %w; it has to leave the grantors first", n.ID, ErrNodeGrants)
	}
	delete(e.nodes(), n.ID)
	text := fmt.Sprintf("%s was removed", n.ID)
	if names := e.dropHolders(n.ID, e.index); len(names) > 0 {
		text += fmt.Sprintf("; if it still runs, it may hold %s without a quorum: switch it off", strings.Join(names, ", "))
	}
	e.event(Event{Kind: EventNode, Node: n.ID, Text: text})
	return nil
}

func (e *entry) setFacts(c SetFacts) error {
	n, err := e.member(c.Node, c.Store)
	if err != nil {
		return err
	}
	was := n.Facts
	n.Facts = c.Facts.cleaned(e.next.Schema)
	if reflect.DeepEqual(was, n.Facts) {
		return nil
	}
	e.nodes()[n.ID] = n
	if changes := factChanges(was, n.Facts); len(changes) > 0 {
		e.event(Event{Kind: EventNode, Node: n.ID, Text: fmt.Sprintf("%s reports: %s", n.ID, strings.Join(changes, ", "))})
	}
	return nil
}

// factChanges says what a person would want to know of new facts.
func factChanges(was, is Facts) []string {
	var out []string
	note := func(what, was, is string) {
		if was != is {
			out = append(out, fmt.Sprintf("%s %s → %s", what, cmp.Or(was, "none"), cmp.Or(is, "none")))
		}
	}
	note("version", was.Version, is.Version)
	note("data plane", was.DataPlane, is.DataPlane)
	note("fence", was.Fence, is.Fence)
	note("the lease's thread", was.LeaseThread, is.LeaseThread)
	note("connections of the other directors", behind(was), behind(is))
	note("virtual routers that it does not speak for", deafText(was.NoVRRP), deafText(is.NoVRRP))
	note("interfaces", linksText(was.Links), linksText(is.Links))
	note("problems", strings.Join(was.Problems, ", "), strings.Join(is.Problems, ", "))
	return out
}

func behind(f Facts) string {
	if f.Unsynced {
		return "on their way"
	}
	return "here"
}

// deafText is like "VI_1 (on eth0: …) and 2 others".
func deafText(deaf []DeafRouter) string {
	if len(deaf) == 0 {
		return ""
	}
	text := fmt.Sprintf("%s (%s)", deaf[0].Router, deaf[0].Reason)
	if len(deaf) > 1 {
		text += fmt.Sprintf(" and %d more", len(deaf)-1)
	}
	return text
}

// linksText is like "eth0 (192.0.2.0/24), eth1".
func linksText(links []Link) string {
	var out []string
	for _, l := range links {
		text := l.Name
		if len(l.Prefixes) > 0 {
			text += " (" + join(l.Prefixes, " ") + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// join is strings.Join of anything printable.
func join[T any](list []T, sep string) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = fmt.Sprint(v)
	}
	return strings.Join(out, sep)
}

func (e *entry) setDrain(c SetDrain) error {
	n, ok := e.next.Nodes[c.Node]
	if !ok {
		return fmt.Errorf("node %s: %w", clip(string(c.Node), 80), ErrUnknown)
	}
	was := n
	n.Leaving = n.Leaving || c.Leaving
	n.Draining = c.Draining || n.Leaving
	if was.Leaving && !c.Draining && !c.Leaving {
		return fmt.Errorf("node %s is leaving, which cannot be taken back: %w; remove it and join it again", n.ID, ErrConflict)
	}
	var text string
	switch {
	case n.Leaving && !was.Leaving:
		text = "%s leaves: its VIPs go to other nodes, then it is removed"
	case n.Draining && !was.Draining:
		text = "%s is drained: its VIPs go to other nodes"
	case was.Draining && !n.Draining:
		text = "%s is resumed: it may own VIPs again"
	default:
		return nil
	}
	e.nodes()[n.ID] = n
	e.event(Event{Kind: EventNode, Node: n.ID, Text: fmt.Sprintf(text, n.ID)})
	return nil
}
