package client

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"quorate/api"
	"quorate/fsm"
)

func call[T any](ctx context.Context, c *Client, method, path string, query url.Values, in any) (T, error) {
	var out T
	err := c.do(ctx, method, path, query, in, &out)
	return out, err
}

// waiting makes the wait parameter; 0 = do not wait.
func waiting(d time.Duration) url.Values {
	if d <= 0 {
		return nil
	}
	return url.Values{"wait": {d.String()}}
}

// Version is the agent's build.
func (c *Client) Version(ctx context.Context) (api.Version, error) {
	return call[api.Version](ctx, c, http.MethodGet, "/v1/version", nil, nil)
}

// Status is the whole cluster at a glance.
func (c *Client) Status(ctx context.Context) (api.Status, error) {
	return call[api.Status](ctx, c, http.MethodGet, "/v1/status", nil, nil)
}

// Node is the agent's report about its own node.
func (c *Client) Node(ctx context.Context) (api.NodeStatus, error) {
	return call[api.NodeStatus](ctx, c, http.MethodGet, "/v1/node", nil, nil)
}

// Bootstrap makes the agent's node the first of a new cluster. profile is its timing profile until a configuration names
// another; "" = lan.
func (c *Client) Bootstrap(ctx context.Context, profile fsm.Profile) (api.Bootstrapped, error) {
	var q url.Values
	if profile != "" {
		q = url.Values{"profile": {string(profile)}}
	}
	return call[api.Bootstrapped](ctx, c, http.MethodPost, "/v1/bootstrap", q, nil)
}

// Join adds the agent's node to the cluster of the member at addr.
func (c *Client) Join(ctx context.Context, addr, token string) (api.Joined, error) {
	return call[api.Joined](ctx, c, http.MethodPost, "/v1/join", nil, api.JoinRequest{Addr: addr, Token: token})
}

// Leave takes the agent's node out of its cluster; it returns when that is done, or after wait with what keeps it.
func (c *Client) Leave(ctx context.Context, wait time.Duration) (api.Joined, error) {
	return call[api.Joined](ctx, c, http.MethodPost, "/v1/leave", waiting(wait), nil)
}

// RemoveNode takes a node out of the cluster, whether it answers or not; it returns when that is done.
func (c *Client) RemoveNode(ctx context.Context, id fsm.NodeID) (api.Joined, error) {
	return call[api.Joined](ctx, c, http.MethodPost, "/v1/nodes/"+segment(string(id))+"/remove", nil, nil)
}

// Token is the join token; only over the unix socket.
func (c *Client) Token(ctx context.Context) (api.Token, error) {
	return call[api.Token](ctx, c, http.MethodGet, "/v1/token", nil, nil)
}

// Members are the nodes of the cluster.
func (c *Client) Members(ctx context.Context) (api.Members, error) {
	return call[api.Members](ctx, c, http.MethodGet, "/v1/members", nil, nil)
}

// Config is the configuration with its version.
func (c *Client) Config(ctx context.Context) (api.Config, error) {
	return call[api.Config](ctx, c, http.MethodGet, "/v1/config", nil, nil)
}

// Plan says what a configuration would change; problems of it are part of the answer.
func (c *Client) Plan(ctx context.Context, cfg fsm.Config) (api.Plan, error) {
	return call[api.Plan](ctx, c, http.MethodPost, "/v1/plan", nil, api.PlanRequest{Config: cfg})
}

// Apply replaces the configuration, as one transaction. base is the version that it was made for.
func (c *Client) Apply(ctx context.Context, cfg fsm.Config, base uint64, force bool) (api.Applied, error) {
	return call[api.Applied](ctx, c, http.MethodPut, "/v1/config", nil, api.ApplyRequest{Base: base, Force: force, Config: cfg})
}

// VIPs are all VIPs.
func (c *Client) VIPs(ctx context.Context) (api.VIPs, error) {
	return call[api.VIPs](ctx, c, http.MethodGet, "/v1/vips", nil, nil)
}

// VIP is one VIP, by name or address.
func (c *Client) VIP(ctx context.Context, name string) (api.VIPDetail, error) {
	return call[api.VIPDetail](ctx, c, http.MethodGet, "/v1/vips/"+segment(name), nil, nil)
}

// ExplainVIP says why a VIP, by name or address, is where it is, and what would move it.
func (c *Client) ExplainVIP(ctx context.Context, name string) (api.Explanation, error) {
	return call[api.Explanation](ctx, c, http.MethodGet, "/v1/vips/"+segment(name)+"/explain", nil, nil)
}

// MoveVIP moves a VIP and its group to another node, and waits up to wait until that node has it.
func (c *Client) MoveVIP(ctx context.Context, name string, to fsm.NodeID, wait time.Duration) (api.Moved, error) {
	return call[api.Moved](ctx, c, http.MethodPost, "/v1/vips/"+segment(name)+"/move", waiting(wait), api.MoveRequest{To: to})
}

// ForceOwner makes the agent's node claim a VIP for d without a quorum. The caller accepts that another node may claim it too.
func (c *Client) ForceOwner(ctx context.Context, name string, d time.Duration) (api.Forced, error) {
	return call[api.Forced](ctx, c, http.MethodPost, "/v1/vips/"+segment(name)+"/force-owner", nil, api.ForceRequest{For: d.String(), Accept: true})
}

// Sight is what the nodes see of a VIP on the wire, and of all that can only go with it.
func (c *Client) Sight(ctx context.Context, vip string) (api.Sight, error) {
	return call[api.Sight](ctx, c, http.MethodGet, "/v1/vips/"+segment(vip)+"/sight", nil, nil)
}

// SetMode changes the mode of a VIP, and of all that can only have the same.
func (c *Client) SetMode(ctx context.Context, vip string, m api.ModeRequest) (api.ModeSet, error) {
	return call[api.ModeSet](ctx, c, http.MethodPut, "/v1/vips/"+segment(vip)+"/mode", nil, m)
}

// Services are all virtual services.
func (c *Client) Services(ctx context.Context) (api.Services, error) {
	return call[api.Services](ctx, c, http.MethodGet, "/v1/services", nil, nil)
}

// Service is one virtual service with its servers, and what the kernel of its owner, or of node, counts.
func (c *Client) Service(ctx context.Context, name string, node fsm.NodeID) (api.Service, error) {
	return call[api.Service](ctx, c, http.MethodGet, "/v1/services/"+segment(name), asking(node), nil)
}

// Traffic is what the kernels of the owners, or of node, count of the services; none = all.
func (c *Client) Traffic(ctx context.Context, node fsm.NodeID, servers bool, services ...string) (api.Traffic, error) {
	q := asking(node)
	for _, s := range services {
		q.Add("service", s)
	}
	if servers {
		q.Set("servers", "true")
	}
	return call[api.Traffic](ctx, c, http.MethodGet, "/v1/traffic", q, nil)
}

// Connections are up to q.Limit connections of a service, from the kernel of its owner, or of node.
func (c *Client) Connections(ctx context.Context, node fsm.NodeID, q api.ConnectionQuery) (api.Connections, error) {
	v := asking(node)
	v.Set("service", q.Service)
	v.Set("limit", strconv.Itoa(q.Limit))
	v.Set("skip", strconv.Itoa(q.Skip))
	if q.Server.IsValid() {
		v.Set("server", q.Server.String())
	}
	return call[api.Connections](ctx, c, http.MethodGet, "/v1/connections", v, nil)
}

// IPVSAdm is the table of services in the words of ipvsadm: as agreed, or with a node what its kernel has.
func (c *Client) IPVSAdm(ctx context.Context, node fsm.NodeID) (api.IPVSAdm, error) {
	return call[api.IPVSAdm](ctx, c, http.MethodGet, "/v1/ipvsadm", asking(node), nil)
}

func asking(node fsm.NodeID) url.Values {
	q := url.Values{}
	if node != "" {
		q.Set("node", string(node))
	}
	return q
}

// Servers are the real servers of one service, or of all ("").
func (c *Client) Servers(ctx context.Context, service string) (api.Servers, error) {
	var q url.Values
	if service != "" {
		q = url.Values{"service": {service}}
	}
	return call[api.Servers](ctx, c, http.MethodGet, "/v1/servers", q, nil)
}

// Server is one real server with what each node sees of it.
func (c *Client) Server(ctx context.Context, service string, address netip.AddrPort) (api.ServerDetail, error) {
	return call[api.ServerDetail](ctx, c, http.MethodGet, "/v1/servers/"+segment(service)+"/"+segment(address.String()), nil, nil)
}

// SetAdmin drains, disables or enables a real server; a drain lasts as long as its service says.
func (c *Client) SetAdmin(ctx context.Context, service string, address netip.AddrPort, admin fsm.Admin) (api.RealServer, error) {
	return call[api.RealServer](ctx, c, http.MethodPost, "/v1/servers/"+segment(service)+"/"+segment(address.String())+"/admin",
		nil, api.AdminRequest{Admin: admin})
}

// DrainServer drains a real server for limit at the most; 0 = as long as it has connections.
func (c *Client) DrainServer(ctx context.Context, service string, address netip.AddrPort, limit time.Duration) (api.RealServer, error) {
	return call[api.RealServer](ctx, c, http.MethodPost, "/v1/servers/"+segment(service)+"/"+segment(address.String())+"/admin",
		nil, api.AdminRequest{Admin: fsm.Drain, Timeout: limit.String()})
}

// DrainNode moves all VIPs away from a node, and waits up to wait until it owns none.
func (c *Client) DrainNode(ctx context.Context, node fsm.NodeID, wait time.Duration) (api.Drained, error) {
	return call[api.Drained](ctx, c, http.MethodPost, "/v1/nodes/"+segment(string(node))+"/drain", waiting(wait), nil)
}

// ResumeNode ends a drain.
func (c *Client) ResumeNode(ctx context.Context, node fsm.NodeID) (api.Drained, error) {
	return call[api.Drained](ctx, c, http.MethodPost, "/v1/nodes/"+segment(string(node))+"/resume", nil, nil)
}

// Events are events after a place in the timeline ("" = the oldest kept), at most limit (0 = 1000).
func (c *Client) Events(ctx context.Context, after string, limit int) (api.Events, error) {
	q := url.Values{}
	if after != "" {
		q.Set("after", after)
	}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return call[api.Events](ctx, c, http.MethodGet, "/v1/events", q, nil)
}

// LastEvents are the latest n events, oldest first.
func (c *Client) LastEvents(ctx context.Context, n int) (api.Events, error) {
	return call[api.Events](ctx, c, http.MethodGet, "/v1/events", url.Values{"last": {strconv.Itoa(n)}}, nil)
}

// VirtualRouters are the virtual routers.
func (c *Client) VirtualRouters(ctx context.Context) (api.VirtualRouters, error) {
	return call[api.VirtualRouters](ctx, c, http.MethodGet, "/v1/virtual-routers", nil, nil)
}

// VirtualRouter is one virtual router, as each node speaks and hears it.
func (c *Client) VirtualRouter(ctx context.Context, name string) (api.Router, error) {
	return call[api.Router](ctx, c, http.MethodGet, "/v1/virtual-routers/"+segment(name), nil, nil)
}

// Notifiers are all notifiers and how they do.
func (c *Client) Notifiers(ctx context.Context) (api.Notifiers, error) {
	return call[api.Notifiers](ctx, c, http.MethodGet, "/v1/notifiers", nil, nil)
}

// Notifier is one notifier.
func (c *Client) Notifier(ctx context.Context, name string) (api.NotifierStatus, error) {
	return call[api.NotifierStatus](ctx, c, http.MethodGet, "/v1/notifiers/"+segment(name), nil, nil)
}

// TestNotifier sends a test by a notifier, from node or ("") from where it is carried out.
func (c *Client) TestNotifier(ctx context.Context, name string, node fsm.NodeID) (api.NotifyTest, error) {
	return call[api.NotifyTest](ctx, c, http.MethodPost, "/v1/notifiers/"+segment(name)+"/test", asking(node), nil)
}

// segment is s as one segment of a path. The names "." and ".." are what PathEscape lets through and a server takes for a way elsewhere.
func segment(s string) string {
	if s == "." || s == ".." {
		return strings.ReplaceAll(s, ".", "%2E")
	}
	return url.PathEscape(s)
}
