// Package target turns agreed checks into probes: what the cluster says of a check becomes what package health asks. It is apart from the agent so that
// a command can ask the same without one, on any system.
package target

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"

	"quorate/fsm"
	"quorate/health"
)

// Of is the probe of a check at one server, straight to its address.
func Of(c fsm.Check, server netip.AddrPort) health.Target { return New(c).At(server) }

// OfNode is the probe of a node's own check, by its number in the node check of that name.
func OfNode(name string, number int, c fsm.Check) health.Target {
	t := Of(c, netip.AddrPortFrom(loopback, 0))
	if !t.Machine.IsZero() && t.Addr.Port() == 0 { // it asks at no address
		t.ID = string(t.Type) + New(c).text
	}
	t.ID = fmt.Sprintf("node_check %s %d: %s", name, number, t.ID)
	t.Machine.File.Switch = t.Type == health.TypeFile
	if t.Addr.Port() == 0 && t.Type == health.TypeScript {
		t.Addr = netip.AddrPort{} // there is no server that it could be told of
	}
	return t
}

// loopback is where a node asks itself.
var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// Template is the probe of a check before it is known at which server.
type Template struct {
	target  health.Target // without ID and address
	address netip.Addr    // in place of the server's
	port    uint16        // in place of the server's; 0 = the server's
	text    string        // of its ID, behind the address
}

// New is the template of a check: it is made once for all servers, of which there may be thousands.
func New(c fsm.Check) Template {
	t := health.Target{
		Type:     health.Type(c.Type),
		Interval: c.Interval, FastInterval: c.FastInterval, Timeout: c.Timeout, Rise: c.Rise, Fall: c.Fall,
		Egress: health.Egress{Source: c.Source, Interface: c.Interface, Mark: c.FwMark},
	}
	t.Machine = machineOf(c)
	if c.HTTP != nil {
		t.HTTP = httpOf(*c.HTTP)
	}
	t.Protocols = protocolsOf(c)
	if c.TLS != nil {
		t.TLS = health.TLS(*c.TLS)
	}
	return Template{t, c.Address, c.Port, fmt.Sprintf(" %v/%v %d/%d%s", c.Interval, c.Timeout, c.Rise, c.Fall, rest(c))}
}

// At is the probe at one server. Its ID names everything that matters, so that equal probes coincide and a changed check is a new
// probe.
func (p Template) At(server netip.AddrPort) health.Target {
	t, a := p.target, p.address
	if !a.IsValid() {
		a = server.Addr()
	}
	t.Addr = netip.AddrPortFrom(a, cmp.Or(p.port, server.Port()))
	t.ID = string(t.Type) + " " + t.Addr.String() + p.text
	return t
}

// rest is what a check says besides what stands before it in the ID of its probe; "" = nothing.
func rest(c fsm.Check) string {
	c.Type, c.Address, c.Port, c.Interval, c.Timeout, c.Rise, c.Fall, c.Through = "", netip.Addr{}, 0, 0, 0, 0, 0, ""
	text, err := json.Marshal(struct {
		fsm.Check
		// These are always there.
		Type     any `json:"type,omitempty"`
		Interval any `json:"interval,omitempty"`
		Timeout  any `json:"timeout,omitempty"`
		Rise     any `json:"rise,omitempty"`
		Fall     any `json:"fall,omitempty"`
	}{Check: c})
	if err != nil {
		panic("target: a check cannot be written: " + err.Error()) // it came from JSON
	}
	if string(text) == "{}" {
		return ""
	}
	return " " + string(text)
}

func httpOf(c fsm.HTTPCheck) health.HTTP {
	h := health.HTTP{Version: c.Version, Headers: c.Headers, Redirects: c.Redirects}
	for _, r := range c.Requests() {
		u := health.URL{Path: r.Path, Host: r.Host, Method: r.Method, Body: health.Body{Contains: r.Contains, Regex: r.Regex, NotRegex: r.NotRegex, MD5: r.MD5, SHA256: r.SHA256}}
		for _, s := range r.Status {
			u.Status = append(u.Status, health.StatusRange(s))
		}
		h.URLs = append(h.URLs, u)
	}
	return h
}
