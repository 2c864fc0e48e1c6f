package notify

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"

	"quorate/fsm"
)

// State is what keepalived's scripts and pipes call the state of something.
type State string

// The states. Master to Deleted are those of VIPs (keepalived's instances) and groups, Up and Down those of services and servers.
const (
	Master  State = "MASTER"  // this node has opened the address
	Backup  State = "BACKUP"  // it could, and another node has it, or none
	Fault   State = "FAULT"   // it could not
	Stop    State = "STOP"    // its agent ends, or it has left the cluster
	Deleted State = "DELETED" // the configuration has it no more
	Up      State = "UP"
	Down    State = "DOWN"
)

// Kind says what has a state.
type Kind string

// The kinds, in keepalived's words.
const (
	Instance Kind = "INSTANCE" // a VIP
	Group    Kind = "GROUP"
	Virtual  Kind = "VS" // a service at one address and port
	Real     Kind = "RS" // a server of one
)

// Subject is what has a state: an instance or group by its name, a VS or RS as keepalived writes it into its pipe.
type Subject struct {
	Kind Kind
	Name string
	// Service that it is or belongs to, of a VS and RS.
	Service string `json:",omitempty"`
}

// Transition is a state that something has now.
type Transition struct {
	Subject
	State State
}

// priority stands where keepalived's scripts expect one. There are none here: the cluster agrees on an owner.
const priority = 100

// Line is the transition as keepalived writes it into its pipe.
func (t Transition) Line() string {
	switch t.Kind {
	case Instance, Group:
		return fmt.Sprintf("%s %q %s %d\n", t.Kind, t.Name, t.State, priority)
	default:
		return fmt.Sprintf("%s %s %s\n", t.Kind, t.Name, t.State)
	}
}

// Scene is the state of everything, as one node sees it.
type Scene map[Subject]State

// Found is what a node knows of itself, besides what is agreed.
type Found struct {
	// Open reports whether the node claims the address at this moment.
	Open func(netip.Addr) bool
	// Unable says why the node could not own the VIP; "" = it could.
	Unable func(fsm.VIP) string
}

// Look is the scene on the director self by an agreed state, as far as a notifier wants to be told of it: there may be thousands of servers, and nobody who asks.
func Look(s *fsm.State, self fsm.NodeID, f Found) Scene {
	listeners := slices.DeleteFunc(slices.Collect(maps.Values(s.Config.Notifiers)), func(n fsm.Notifier) bool { return !mine(n, self) })
	if len(listeners) == 0 {
		return Scene{}
	}
	wanted := func(x Subject) bool {
		return slices.ContainsFunc(listeners, func(n fsm.Notifier) bool { return wants(s, n, self, x) })
	}
	var services, servers []fsm.Service
	size := 2 * len(s.Config.VIPs)
	for name, svc := range s.Config.Services {
		if wanted(Subject{Kind: Virtual, Service: name}) {
			services = append(services, svc)
			size++
		}
		if wanted(Subject{Kind: Real, Service: name}) {
			servers = append(servers, svc)
			size += len(svc.Servers)
		}
	}
	out := make(Scene, size)
	groups := map[string][]State{}
	for name, v := range s.Config.VIPs {
		if s.Config.Shadows(v) && !f.Open(v.Address.Addr()) {
			continue // a script would act on what does not happen
		}
		state := Backup
		switch {
		case f.Open(v.Address.Addr()):
			state = Master
		case f.Unable(v) != "":
			state = Fault
		}
		out[Subject{Kind: Instance, Name: name}] = state
		if v.Group != "" {
			groups[v.Group] = append(groups[v.Group], state)
		}
	}
	for name, states := range groups {
		state := Backup
		switch {
		case slices.Contains(states, Fault):
			state = Fault
		case !slices.Contains(states, Backup):
			state = Master
		}
		out[Subject{Kind: Group, Name: name}] = state
	}
	for _, svc := range services {
		lookAtService(out, s, svc)
	}
	for _, svc := range servers {
		lookAtServers(out, s, svc)
	}
	return out
}

func lookAtService(out Scene, s *fsm.State, svc fsm.Service) {
	if st, ok := s.Services[svc.Name]; ok {
		for _, end := range ends(s, svc) {
			out[Subject{Virtual, end, svc.Name}] = upOrDown(st.Quorum)
		}
	}
}

func lookAtServers(out Scene, s *fsm.State, svc fsm.Service) {
	at := ends(s, svc)
	for _, server := range svc.Servers {
		st := s.Servers[fsm.ServerKey{Service: svc.Name, Address: server.Address}]
		if st.Verdict != fsm.Up && st.Verdict != fsm.Down {
			continue // nobody knows yet
		}
		for _, end := range at {
			out[Subject{Real, endpoint(server.Address.Addr(), svc.Protocol, strconv.Itoa(int(server.Address.Port()))) + " " + end, svc.Name}] = upOrDown(st.Verdict == fsm.Up)
		}
	}
}

func upOrDown(up bool) State {
	if up {
		return Up
	}
	return Down
}

// ends are the virtual servers of a service as keepalived names them: one for each address and port, or the firewall mark.
func ends(s *fsm.State, svc fsm.Service) (out []string) {
	if svc.Mark != 0 {
		return []string{fmt.Sprintf("FWM %d", svc.Mark)}
	}
	ports := []string{strconv.Itoa(int(svc.Port))}
	if len(svc.Ports) > 0 {
		ports = nil
		for _, p := range svc.Ports {
			ports = append(ports, p.String())
		}
	}
	for _, name := range svc.On() {
		v, ok := s.Config.VIPs[name]
		if !ok {
			continue
		}
		for _, p := range ports {
			out = append(out, endpoint(v.Address.Addr(), svc.Protocol, p))
		}
	}
	return out
}

func endpoint(a netip.Addr, protocol fsm.Protocol, port string) string {
	return "[" + a.String() + "]:" + string(protocol) + ":" + port
}

// wants reports whether a notifier of the node self is to be told of a subject. It is also asked of subjects that are gone.
func wants(s *fsm.State, n fsm.Notifier, self fsm.NodeID, x Subject) bool {
	kind := map[Kind]fsm.EventKind{Instance: fsm.EventAssign, Group: fsm.EventAssign, Virtual: fsm.EventService, Real: fsm.EventHealth}[x.Kind]
	switch {
	case n.Where() != fsm.ByNode, len(n.Nodes) > 0 && !slices.Contains(n.Nodes, self):
		return false
	case len(n.Events) > 0 && !slices.Contains(n.Events, kind):
		return false
	case n.Script != nil && kind != fsm.EventAssign:
		return false
	case len(n.VIPs)+len(n.Services) == 0:
		return true
	}
	switch x.Kind {
	case Instance:
		return slices.Contains(n.VIPs, x.Name)
	case Group:
		return slices.ContainsFunc(n.VIPs, func(v string) bool { return s.Config.VIPs[v].Group == x.Name })
	default:
		return slices.Contains(n.Services, x.Service)
	}
}
