package fsm

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// NodeCheck says what a director has to have in order to own VIPs, or to be preferred as their owner. Each director carries it out for itself.
// Since schema 6.
type NodeCheck struct {
	Name   string  `json:"name"`
	Checks []Check `json:"checks"` // all of them must pass
	// Required: a node on which it fails may not own the VIPs.
	Required bool `json:"required,omitempty"`
	// Weight, below 0, is added to the node's score for the VIPs while it fails there. 0 = it has none, and is required.
	Weight int `json:"weight,omitempty"`
	// The VIPs that it is about: these, and those of these groups; with neither, all.
	VIPs   []string `json:"vips,omitempty"`
	Groups []string `json:"groups,omitempty"`
	Nodes  []NodeID `json:"nodes,omitempty"` // that carry it out; none = all directors
}

// Limits of the checks of nodes.
const (
	MaxNodeChecks = 256
	MinNodeWeight = -1000
)

// CheckState is what a node found by one of its checks.
type CheckState struct {
	Verdict Verdict   `json:"verdict"`
	Detail  string    `json:"detail,omitempty"` // why it fails
	Since   time.Time `json:"since"`
}

// Concerns reports whether the check is about the VIP.
func (c NodeCheck) Concerns(v VIP) bool {
	return len(c.VIPs) == 0 && len(c.Groups) == 0 || slices.Contains(c.VIPs, v.Name) || v.Group != "" && slices.Contains(c.Groups, v.Group)
}

// On reports whether the node carries the check out.
func (c NodeCheck) On(n Node) bool {
	return n.Role == Director && (len(c.Nodes) == 0 || slices.Contains(c.Nodes, n.ID))
}

// NodeChecksOf are the checks that the node carries out, by name.
func (c Config) NodeChecksOf(n Node) (out []NodeCheck) {
	for _, name := range slices.Sorted(maps.Keys(c.NodeChecks)) {
		if x := c.NodeChecks[name]; x.On(n) {
			out = append(out, x)
		}
	}
	return out
}

// Found is what the node found by the check of that name.
func (n Node) Found(check string) CheckState {
	if st, ok := n.Checks[check]; ok {
		return st
	}
	return CheckState{Verdict: Unknown}
}

func (c NodeCheck) object() string { return "node_check." + c.Name }

func (c Config) validateNodeChecks(ps *Problems) {
	if len(c.NodeChecks) > MaxNodeChecks {
		ps.add("cluster", "", "", fmt.Sprintf("%d node checks are more than the limit of %d", len(c.NodeChecks), MaxNodeChecks), "use fewer")
	}
	var around surroundings
	if len(c.NodeChecks) > 0 {
		around = c.surroundings()
	}
	for _, name := range slices.Sorted(maps.Keys(c.NodeChecks)) {
		c.NodeChecks[name].validate(ps, name, c, around)
	}
}

// thisMachine is what a check of a node asks over the network, unless it names another address.
var thisMachine = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)

func (c NodeCheck) validate(ps *Problems, name string, all Config, around surroundings) {
	object := "node_check." + name
	validateName(ps, object, name, c.Name)
	switch {
	case c.Required && c.Weight != 0:
		ps.add(object, "weight", strconv.Itoa(c.Weight), "a node on which a required check fails owns nothing, so that no score counts", "leave out one of required and weight")
	case !c.Required && c.Weight == 0:
		ps.add(object, "required", "", "nothing would follow from the check", "add required = true, or a weight like -20")
	case c.Weight != 0 && (c.Weight >= 0 || c.Weight < MinNodeWeight):
		ps.add(object, "weight", strconv.Itoa(c.Weight), "it is what a node loses while the check fails there", fmt.Sprintf("use %d to -1", MinNodeWeight))
	}
	for _, v := range c.VIPs {
		if _, ok := all.VIPs[v]; !ok {
			ps.add(object, "vips", v, "there is no such vip", "correct the name, or add the vip")
		}
	}
	for _, g := range c.Groups {
		if _, ok := all.Groups[g]; !ok {
			ps.add(object, "groups", g, "there is no such group", "correct the name, or add the group")
		}
	}
	for _, n := range c.Nodes {
		if !validNodeID(n) {
			ps.add(object, "nodes", string(n), nodeRule, "use the names that `quorate members` shows")
		}
	}
	if len(c.Checks) == 0 {
		ps.add(object, "", "", "it has no check", `add one, like check "process" { process = "haproxy" }`)
	}
	for i, check := range c.Checks {
		check.validateWay(ps, object+".check."+strconv.Itoa(i), []Server{{Address: thisMachine}}, around)
		check.validateOnNode(ps, object+".check."+strconv.Itoa(i))
	}
}

// validateOnNode checks what a check of a node must be beyond what any check must be.
func (c Check) validateOnNode(ps *Problems, object string) {
	c.validate(ps, object)
	if c.Through != "" {
		ps.add(object, "through", string(c.Through), "a check of a node has no server that packets could be forwarded to", "leave it out")
	}
	if c.Port == 0 && c.asksPort() {
		ps.add(object, "port", "", "it is missing, and there is no server that would have one", "add the port to ask on this machine, like port = 80")
	}
	c.validateNeighbour(ps, object)
	if c.Script != nil && c.Script.DynamicWeight {
		ps.add(object, "dynamic_weight", "true", "a node has no weight that a script could set", "leave it out; the weight of the node_check says what a failure costs")
	}
	if c.File != nil && c.File.Multiplier != 0 {
		ps.add(object, "multiplier", strconv.Itoa(c.File.Multiplier), "a node has no weight that a file could set", "leave it out")
	}
}

// validateOnServer refuses checks that say nothing of a server.
func (c Check) validateOnServer(ps *Problems, object string) {
	if c.Type == CheckProcess || c.Type == CheckInterface {
		ps.add(object, "type", string(c.Type), "this check is about the director that carries it out, not about a server", "put it into a node_check block, or use another type")
	}
}

func (c NodeCheck) fields(f fields) {
	f.flag("required", c.Required)
	f.count("weight", c.Weight)
	f.set("vips", join(c.VIPs, ", "))
	f.set("groups", join(c.Groups, ", "))
	f.set("nodes", join(c.Nodes, ", "))
}

// checkOn says of each check whether its nodes exist.
func (c Config) checkNodeChecks(ps *Problems, nodes map[NodeID]Node) {
	for _, name := range slices.Sorted(maps.Keys(c.NodeChecks)) {
		x := c.NodeChecks[name]
		for _, id := range x.Nodes {
			switch n, ok := nodes[id]; {
			case !ok:
				ps.add(x.object(), "nodes", string(id), fmt.Sprintf("there is no such node (members: %s)", join(slices.Sorted(maps.Keys(nodes)), ", ")),
					"correct the name, or join the node first")
			case n.Role != Director:
				ps.add(x.object(), "nodes", string(id), fmt.Sprintf("the node is a %s, which owns no VIPs and carries out no checks", n.Role), "name directors only")
			}
		}
	}
}
