package agent

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"

	"quorate/fsm"
	"quorate/health"
)

// Target is the probe of a check at one server, straight to its address.
func Target(c fsm.Check, server netip.AddrPort) health.Target { return templateOf(c).at(server) }

// template is the probe of a check before it is known at which server.
type template struct {
	target  health.Target // without ID and address
	address netip.Addr    // in place of the server's
	port    uint16        // in place of the server's; 0 = the server's
	text    string        // of its ID, behind the address
}

func templateOf(c fsm.Check) template {
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
	return template{t, c.Address, c.Port, fmt.Sprintf(" %v/%v %d/%d%s", c.Interval, c.Timeout, c.Rise, c.Fall, rest(c))}
}

// at is the probe at one server. Its ID names everything that matters, so that equal probes coincide and a changed check is a new
// probe.
func (p template) at(server netip.AddrPort) health.Target {
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
		panic("agent: a check cannot be written: " + err.Error()) // it came from JSON
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
