package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"time"

	"quorate/api"
	"quorate/fsm"
	"quorate/lvs"
	"quorate/lvs/ipvs"
	"quorate/lvs/ipvsadm"
	"quorate/lvs/nft"
)

// question is what one node asks another, mostly about its data plane; one of the fields is set. The kinds of answer are named beside them.
type question struct {
	Traffic     *api.TrafficQuery    `json:"traffic,omitempty"`     // []api.ServiceTraffic
	Connections *api.ConnectionQuery `json:"connections,omitempty"` // api.Connections
	Table       bool                 `json:"table,omitempty"`       // api.IPVSAdm
	Notify      string               `json:"notify,omitempty"`      // name of a notifier to test; api.NotifyTest
	Hint        *hintQuestion        `json:"hint,omitempty"`        // hintAnswer
	View        *fsm.ServerKey       `json:"view,omitempty"`        // api.ServerView
	Disputed    bool                 `json:"disputed,omitempty"`    // []fsm.ServerKey, of the leader
	Sight       *api.SightQuery      `json:"sight,omitempty"`       // api.NodeSight
	Examine     []examined           `json:"examine,omitempty"`     // []fault
}

// answer answers another node's question.
func (a *Agent) answer(ctx context.Context, raw json.RawMessage) (any, error) {
	var q question
	if err := json.Unmarshal(raw, &q); err != nil {
		return nil, fmt.Errorf("malformed question: %w", err)
	}
	switch {
	case q.Traffic != nil:
		return a.traffic(ctx, *q.Traffic), nil
	case q.Connections != nil:
		return a.connections(ctx, *q.Connections)
	case q.Sight != nil:
		return a.sight(ctx, *q.Sight)
	case q.Examine != nil:
		return a.examine(q.Examine), nil
	case q.Table:
		return a.kernelTable(ctx), nil
	case q.Notify != "":
		return a.testNotifier(ctx, q.Notify)
	case q.Hint != nil:
		return a.hinted(*q.Hint)
	case q.View != nil:
		return a.sees(*q.View), nil
	case q.Disputed:
		keys, err := a.node.Disputed()
		return keys[:min(len(keys), maxDisputed)], err
	default:
		return nil, fmt.Errorf("%w: a question that this node does not know; is its quorate older?", errors.ErrUnsupported)
	}
}

// Traffic implements api.Balancer.
func (b backend) Traffic(ctx context.Context, node fsm.NodeID, q api.TrafficQuery) (out []api.ServiceTraffic, err error) {
	err = b.a.node.Query(ctx, node, question{Traffic: &q}, &out)
	return out, translate(err)
}

// Connections implements api.Balancer.
func (b backend) Connections(ctx context.Context, node fsm.NodeID, q api.ConnectionQuery) (out api.Connections, err error) {
	err = b.a.node.Query(ctx, node, question{Connections: &q}, &out)
	return out, translate(err)
}

// IPVSAdm implements api.Balancer.
func (b backend) IPVSAdm(ctx context.Context, node fsm.NodeID) (out api.IPVSAdm, err error) {
	if node == "" {
		out.Text, out.Left = ipvsadm.Format(wantedServices(fsm.Local{Services: b.a.node.State().Table()}))
		return out, nil
	}
	err = b.a.node.Query(ctx, node, question{Table: true}, &out)
	return out, translate(err)
}

func (a *Agent) kernelTable(ctx context.Context) api.IPVSAdm {
	_, table, _ := a.plane.fresh(ctx)
	out := api.IPVSAdm{Node: a.o.Name}
	out.Text, out.Left = ipvsadm.Format(table.Have())
	return out
}

// traffic is what this node's kernel counts.
func (a *Agent) traffic(ctx context.Context, q api.TrafficQuery) []api.ServiceTraffic {
	wanted, table, at := a.plane.fresh(ctx)
	return trafficOf(a.o.Name, a.plane.capabilities().Plane, at, a.node.State().Table(), wanted, table, q)
}

// trafficOf lays what a kernel has and counts beside the services that there are.
func trafficOf(self fsm.NodeID, plane string, at time.Time, all []fsm.LocalService, wanted []lvs.Service, table lvs.Status, q api.TrafficQuery) []api.ServiceTraffic {
	want := make(map[lvs.Key]bool, len(wanted))
	for _, w := range wanted {
		want[w.Key()] = true
	}
	have := make(map[lvs.Key]lvs.ServiceStatus, len(table.Services))
	for _, s := range table.Services {
		have[s.Key] = s
	}
	asked := make(map[string]bool, len(q.Services))
	for _, name := range q.Services {
		asked[name] = true
	}
	out := []api.ServiceTraffic{}
	for _, s := range all {
		if len(asked) > 0 && !asked[s.Service.Name] {
			continue
		}
		st := have[keyOf(s)]
		t := api.ServiceTraffic{Service: s.Service.Name, Node: self, Plane: plane, At: at, Rates: plane == "ipvs",
			Wanted: want[keyOf(s)], Present: st.Have != nil, Note: st.Note, Problem: st.Err}
		if !t.Wanted && !t.Present {
			t.Problem = fmt.Sprintf("%s does not carry it", self)
		}
		setTraffic(&t.Counters, st.Connections, st.Traffic)
		for _, d := range st.Destinations {
			x := api.ServerTraffic{Address: d.Addr, Want: d.Want, Have: d.Have}
			if c := d.Counters; c != nil {
				t.Counted = true
				x.Active, x.Inactive, x.Persistent = c.Active, c.Inactive, c.Persistent
				setTraffic(&x.Counters, c.Connections, c.Traffic)
				t.Active, t.Inactive, t.Persistent = t.Active+c.Active, t.Inactive+c.Inactive, t.Persistent+c.Persistent
			}
			if q.Servers {
				t.Servers = append(t.Servers, x)
			}
		}
		out = append(out, t)
	}
	return out
}

func setTraffic(c *api.Counters, connections uint64, t lvs.Traffic) {
	c.Connections = connections
	c.InPackets, c.OutPackets, c.InBytes, c.OutBytes = t.InPackets, t.OutPackets, t.InBytes, t.OutBytes
	c.ConnectionRate = t.ConnectionRate
	c.InPacketRate, c.OutPacketRate, c.InByteRate, c.OutByteRate = t.InPacketRate, t.OutPacketRate, t.InByteRate, t.OutByteRate
}

// listConnections reads the connection table that belongs to a plane.
func listConnections(plane string) (iter.Seq2[lvs.Connection, error], error) {
	switch plane {
	case "ipvs":
		return ipvs.Connections(), nil
	case "nft":
		return nft.Connections(), nil
	default:
		return nil, named{errors.New("it has no data plane, and so no connections: `quorate node show` there says why"), errors.ErrUnsupported}
	}
}

// uncounted reads the connections that this node's kernel remembers, where its counters may not have all of them; nil where they do, or there are
// none.
func (a *Agent) uncounted() (iter.Seq2[lvs.Connection, error], error) {
	if a.plane.capabilities().Plane != "ipvs" {
		return nil, nil
	}
	return listConnections("ipvs")
}

// connections lists some connections of one service.
func (a *Agent) connections(ctx context.Context, q api.ConnectionQuery) (api.Connections, error) {
	out := api.Connections{Service: q.Service, Node: a.o.Name, Plane: a.plane.capabilities().Plane, Connections: []api.Connection{}}
	s := a.node.State()
	svc, ok := s.Config.Services[q.Service]
	if !ok {
		return out, named{fmt.Errorf("it knows no service %q yet: ask again", q.Service), errors.ErrUnsupported}
	}
	list, err := listConnections(out.Plane)
	if err != nil {
		return out, err
	}
	ofService, own := connectionsOf(s, svc, listenersOf(s)), lvs.LocalAddrs()
	out.Connections, out.Next, err = pick(ctx, list, func(c lvs.Connection) bool { return ofService(c) && !a.paths.isProbe(own, c) }, q)
	return out, err
}

// listenersOf are all services of the cluster, by what they take.
func listenersOf(s *fsm.State) (table []lvs.Service) {
	for _, x := range s.Table() {
		table = append(table, listener(x))
	}
	return table
}

// connectionsOf tells which connections belong to a service among all of them.
func connectionsOf(s *fsm.State, svc fsm.Service, table []lvs.Service) func(lvs.Connection) bool {
	all, _ := s.Carried(svc.Name)
	mine := listener(all)
	for _, server := range svc.Servers { // also those that are out: they may have some yet
		mine.Destinations = append(mine.Destinations, lvs.Destination{Addr: server.Address})
	}
	if svc.Sorry != nil {
		mine.Destinations = append(mine.Destinations, lvs.Destination{Addr: svc.Sorry.Address})
	}
	return lvs.ConnectionsOf(mine, table)
}

// pick takes some of the connections that are of the service; next is where to go on, 0 = there are no more.
func pick(ctx context.Context, list iter.Seq2[lvs.Connection, error], ofService func(lvs.Connection) bool, q api.ConnectionQuery) (out []api.Connection, next int, err error) {
	out, limit, skip, read := []api.Connection{}, min(max(q.Limit, 1), api.MaxConnections), q.Skip, 0
	for c, err := range list {
		if read++; err == nil && read%1024 == 0 {
			err = ctx.Err()
		}
		switch {
		case err != nil:
			return out, 0, err
		case !ofService(c), q.Server != (netip.AddrPort{}) && c.Server != q.Server:
			continue
		case skip > 0:
			skip--
			continue
		case len(out) == limit:
			return out, q.Skip + limit, nil
		}
		out = append(out, api.Connection{Protocol: c.Protocol, Client: c.Client, Virtual: c.Virtual, Server: c.Server, State: c.State,
			ExpiresIn: int64(c.Expires / time.Second), Origin: c.Origin, Binding: c.Template})
	}
	return out, 0, nil
}
