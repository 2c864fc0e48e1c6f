package api

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quorate/fsm"
)

// ServiceSummary is one virtual service with how many of its servers take traffic.
type ServiceSummary struct {
	Name       string             `json:"name"`
	VIP        string             `json:"vip" doc:"Empty where it has several"`
	VIPs       []string           `json:"vips,omitempty" doc:"Where it has several, in place of vip"`
	Address    netip.Addr         `json:"address,omitzero" doc:"Of the VIP; absent where it has several"`
	Port       uint16             `json:"port"`
	Ports      []fsm.PortRange    `json:"ports,omitempty" doc:"Where it takes several, in place of port: as in 80 or 8000-8099; 0 = all ports"`
	Addresses  []fsm.AddressRange `json:"addresses,omitempty" doc:"That it takes besides those of its VIPs, as the network routes them to one: as in 198.51.100.0/28 or 203.0.113.10-203.0.113.19"`
	Mark       uint32             `json:"fwmark,omitempty" doc:"It takes what carries this firewall mark, in place of what is sent to a port"`
	Given      uint32             `json:"given_fwmark,omitempty" doc:"Firewall mark that quorate gives its packets, as it takes more than one port of one VIP"`
	Protocol   fsm.Protocol       `json:"protocol"`
	Scheduler  string             `json:"scheduler"`
	Forward    fsm.Forward        `json:"forward"`
	Masquerade bool               `json:"masquerade,omitempty"`
	Owner      fsm.NodeID         `json:"owner,omitempty" doc:"Node that owns the VIP, or all of them that anybody owns, and so carries the service"`
	Owners     []fsm.NodeID       `json:"owners,omitempty" doc:"Where it has several VIPs: the nodes that own some, each of which carries the service for its own"`
	Servers    int                `json:"servers"`
	Up         int                `json:"up" doc:"Servers with verdict up"`
	In         int                `json:"in" doc:"Servers that get new connections: up, enabled, weight above 0, and the quorum is met"`
	Draining   int                `json:"draining"`
	Disabled   int                `json:"disabled,omitempty"`
	Quorum     *fsm.ServiceQuorum `json:"quorum,omitempty" doc:"Sums of weights; absent where the cluster does not keep it yet"`
	Sorry      bool               `json:"sorry,omitempty" doc:"The sorry server gets the new connections, as the quorum is lost"`
	Problem    string             `json:"problem,omitempty"`
}

// Service is one virtual service in full.
type Service struct {
	ServiceSummary
	Config      fsm.Service     `json:"config" doc:"As configured"`
	Checks      []fsm.Check     `json:"checks,omitempty"`
	RealServers []RealServer    `json:"real_servers" nullable:"false"`
	Traffic     *ServiceTraffic `json:"traffic,omitempty" doc:"What the kernel of the director that was asked counts; absent with traffic=false"`
	// Elsewhere is of a service with several VIPs.
	Elsewhere []ServiceTraffic `json:"traffic_elsewhere,omitempty" doc:"The same of the other directors, where several own VIPs of it"`
}

// RealServer is one real server: configured weight, admin state and agreed verdict, and what follows.
type RealServer struct {
	Service   string         `json:"service"`
	Address   netip.AddrPort `json:"address"`
	Weight    int            `json:"weight" doc:"As configured"`
	Verdict   fsm.Verdict    `json:"verdict" enum:"unknown,up,down" doc:"Of a sorry server always up: it is not checked"`
	Admin     fsm.Admin      `json:"admin" enum:"enabled,drain,disabled"`
	In        bool           `json:"in" doc:"It gets new connections"`
	Effective int            `json:"effective" doc:"The weight that it has now; 0 = no new connections"`
	Why       string         `json:"why,omitempty" doc:"Why that is not the configured one: ramp 40 %, draining, 2m0s left, quorum lost …"`
	Sorry     bool           `json:"sorry,omitempty" doc:"It is the service's sorry server"`
	Until     time.Time      `json:"until,omitzero" doc:"When its drain ends at the latest"`
	Detail    string         `json:"detail,omitempty" doc:"Last error of a check"`
	Since     time.Time      `json:"since,omitzero" doc:"When the verdict changed"`
	Asked     string         `json:"asked,omitempty" doc:"The weight that it asks for by a check: 75 %, weight 3"`
	Kept      bool           `json:"kept,omitempty" doc:"It is down and in the table: its service is in a panic"`
	Falls     int            `json:"falls,omitempty" doc:"How often in a row it went down soon after it came up"`
	HeldUntil time.Time      `json:"held_until,omitzero" doc:"It is held down until then at least, as it goes down again and again"`
	Disputed  bool           `json:"disputed,omitempty" doc:"An observer sees something else than what is agreed"`
}

// Services is the answer of /v1/services.
type Services struct {
	Index    uint64           `json:"index"`
	Services []ServiceSummary `json:"services" nullable:"false"`
}

// Servers is the answer of /v1/servers.
type Servers struct {
	Index   uint64       `json:"index"`
	Servers []RealServer `json:"servers" nullable:"false"`
}

// AdminRequest sets a server's admin state.
type AdminRequest struct {
	Admin   fsm.Admin `json:"admin" enum:"enabled,drain,disabled" doc:"drain: no new connections, established ones go on until they end; disabled: none at all, at once"`
	Timeout string    `json:"timeout,omitempty" doc:"Of a drain: how long it may last, 1s to 24h, or 0s for as long as there are connections. Left out: the service's drain_timeout" example:"5m"`
}

type (
	servicesOutput struct{ Body Services }
	serviceOutput  struct{ Body Service }
	serversOutput  struct{ Body Servers }
	serverOutput   struct{ Body RealServer }
	serversInput   struct {
		Service string `query:"service" maxLength:"200" doc:"Only those of this service"`
	}
	nameInput struct {
		Name string `path:"name" maxLength:"200"`
	}
	serviceInput struct {
		Name    string     `path:"name" maxLength:"200"`
		Traffic bool       `query:"traffic" default:"true" doc:"With what the kernel of the owner counts, for which it is asked"`
		Node    fsm.NodeID `query:"node" maxLength:"200" doc:"Ask this director, not the owner of the VIP"`
	}
	adminInput struct {
		Service string `path:"service" maxLength:"200"`
		Address string `path:"address" maxLength:"200" example:"10.0.0.11:8080"`
		Body    AdminRequest
	}
)

func (s *Server) registerServices(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "services", Method: "GET", Path: "/v1/services", Tags: []string{"services"},
		Summary: "The virtual services",
	}, func(context.Context, *struct{}) (*servicesOutput, error) {
		st, err := s.agreed()
		if err != nil {
			return nil, err
		}
		return &servicesOutput{Body: Services{Index: st.Index, Services: servicesOf(st)}}, nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "service", Method: "GET", Path: "/v1/services/{name}", Tags: []string{"services"},
		Summary: "One virtual service with its real servers",
	}, func(ctx context.Context, in *serviceInput) (*serviceOutput, error) {
		st, err := s.agreed()
		if err != nil {
			return nil, err
		}
		svc, ok := st.Config.Services[in.Name]
		if !ok {
			return nil, notFound("no service %.80q: %s", in.Name, have("services", st.Config.Services))
		}
		if _, ok := st.Nodes[in.Node]; in.Node != "" && !ok {
			return nil, noSuchNode(st, in.Node)
		}
		out := Service{ServiceSummary: summaryOf(st, svc), Config: svc, Checks: svc.Checks, RealServers: serversOf(st, svc)}
		if in.Traffic {
			for i, t := range s.traffic(ctx, st, in.Node, TrafficQuery{Services: []string{in.Name}, Servers: true}) {
				if i == 0 {
					out.Traffic = &t
					continue
				}
				out.Elsewhere = append(out.Elsewhere, t)
			}
		}
		s.disputed(ctx, out.RealServers)
		return &serviceOutput{Body: out}, nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "servers", Method: "GET", Path: "/v1/servers", Tags: []string{"services"},
		Summary: "The real servers",
	}, func(ctx context.Context, in *serversInput) (*serversOutput, error) {
		st, err := s.agreed()
		if err != nil {
			return nil, err
		}
		if _, ok := st.Config.Services[in.Service]; !ok && in.Service != "" {
			return nil, notFound("no service %.80q: %s", in.Service, have("services", st.Config.Services))
		}
		out := Servers{Index: st.Index, Servers: []RealServer{}}
		for _, sum := range servicesOf(st) {
			if in.Service != "" && in.Service != sum.Name {
				continue
			}
			out.Servers = append(out.Servers, serversOf(st, st.Config.Services[sum.Name])...)
		}
		s.disputed(ctx, out.Servers)
		return &serversOutput{Body: out}, nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "server-admin", Method: "POST", Path: "/v1/servers/{service}/{address}/admin", Tags: []string{"services"}, MaxBodyBytes: maxBody,
		Summary:     "Drain, disable or enable a real server",
		Description: "A drain ends, and the server is disabled then, when its last connection is gone, or when it has lasted as long as it may.",
	}, s.setAdmin)
}

func (s *Server) setAdmin(ctx context.Context, in *adminInput) (*serverOutput, error) {
	addr, err := netip.ParseAddrPort(in.Address)
	if err != nil {
		return nil, invalidRequest("path.address", "%.80q is not ADDRESS:PORT, e.g. 10.0.0.11:8080 or [2001:db8::1]:80", in.Address)
	}
	timeout, err := drainTimeout(in.Body)
	if err != nil {
		return nil, err
	}
	st, err := s.fresh(ctx)
	if err != nil {
		return nil, err
	}
	key := fsm.ServerKey{Service: in.Service, Address: addr}
	if _, err := findServer(st, key); err != nil {
		return nil, err
	}
	_, st, err = s.propose(ctx, fsm.Command{SetAdmin: &fsm.SetAdmin{Server: key, Admin: in.Body.Admin, Timeout: timeout}})
	if err != nil {
		return nil, err
	}
	srv, err := findServer(st, key)
	if err != nil {
		return nil, err
	}
	return &serverOutput{Body: srv}, nil
}

// drainTimeout is that of the request; nil = none is said.
func drainTimeout(r AdminRequest) (*time.Duration, error) {
	if r.Timeout == "" {
		return nil, nil
	}
	d, err := time.ParseDuration(r.Timeout)
	if err != nil || d != 0 && d < time.Second || d > fsm.MaxDrainTimeout {
		return nil, invalidRequest("body.timeout", "%.80q is no limit for a drain: write 1s to %v, e.g. 5m, or 0s for none", r.Timeout, fsm.MaxDrainTimeout)
	}
	if r.Admin != fsm.Drain {
		return nil, invalidRequest("body.timeout", "%s has no time limit: leave timeout out, or use admin drain", r.Admin)
	}
	return &d, nil
}

func findServer(st *fsm.State, key fsm.ServerKey) (RealServer, error) {
	svc, ok := st.Config.Services[key.Service]
	if !ok {
		return RealServer{}, notFound("no service %.80q: %s", key.Service, have("services", st.Config.Services))
	}
	all := serversOf(st, svc)
	all = slices.DeleteFunc(all, func(r RealServer) bool { return r.Sorry }) // it has no state of its own
	for _, r := range all {
		if r.Address == key.Address {
			return r, nil
		}
	}
	names := map[string]bool{}
	for _, r := range all {
		names[r.Address.String()] = true
	}
	return RealServer{}, notFound("service %s has no server %s: %s", key.Service, key.Address, have("servers", names))
}

func summaryOf(st *fsm.State, svc fsm.Service) ServiceSummary {
	sum := ServiceSummary{
		Name: svc.Name, VIP: svc.VIP, VIPs: svc.VIPs, Port: svc.Port, Ports: svc.Ports, Addresses: svc.Addresses, Mark: svc.Mark, Given: st.Marks[svc.Name],
		Protocol: svc.Protocol, Scheduler: svc.Scheduler, Forward: svc.Forward, Masquerade: svc.Masquerade, Servers: len(svc.Servers),
	}
	owners := ownersOf(st, svc)
	if len(owners) == 1 {
		sum.Owner = owners[0]
	}
	if v, ok := st.Config.VIPs[svc.VIP]; ok {
		sum.Address = v.Address.Addr()
	} else {
		sum.Owners = owners
	}
	if q := st.QuorumOf(svc.Name); !q.Since.IsZero() {
		sum.Quorum = &q
	}
	for _, r := range serversOf(st, svc) {
		switch {
		case r.Sorry:
			sum.Sorry = r.In
			continue
		case r.Verdict == fsm.Up:
			sum.Up++
		}
		if r.In {
			sum.In++
		}
		switch r.Admin {
		case fsm.Drain:
			sum.Draining++
		case fsm.Disabled:
			sum.Disabled++
		}
	}
	switch q := sum.Quorum; {
	case sum.Servers == 0:
		sum.Problem = "it has no servers: add `server \"ADDRESS:PORT\" {}` blocks"
	case q != nil && !q.Met && q.Have > 0:
		sum.Problem = fmt.Sprintf("its quorum is lost: servers of weight %d are in, and it takes %d; %s", q.Have, q.Reach, insteadOf(sum))
	case sum.In == 0 && sum.Up > 0:
		sum.Problem = "no server takes new connections: those that are up are drained, disabled or have weight 0; `quorate server enable` puts one back"
	case sum.In == 0:
		sum.Problem = "no server is up: `quorate service show " + svc.Name + "` says why"
	}
	return sum
}

// ownersOf are the nodes that own VIPs of the service, in the order of its VIPs.
func ownersOf(st *fsm.State, svc fsm.Service) (out []fsm.NodeID) {
	for _, name := range svc.On() {
		v, ok := st.Config.VIPs[name]
		if owner := st.Assignments[v.Key()].Owner; ok && owner != "" && !slices.Contains(out, owner) {
			out = append(out, owner)
		}
	}
	return out
}

// insteadOf says who serves while the quorum is lost.
func insteadOf(s ServiceSummary) string {
	if s.Sorry {
		return "the sorry server gets the new connections"
	}
	return "nobody gets new connections"
}

// servicesOf lists all services by name.
func servicesOf(st *fsm.State) []ServiceSummary {
	out := make([]ServiceSummary, 0, len(st.Config.Services))
	for _, svc := range st.Config.Services {
		out = append(out, summaryOf(st, svc))
	}
	slices.SortFunc(out, func(a, b ServiceSummary) int { return cmp.Compare(a.Name, b.Name) })
	return out
}
