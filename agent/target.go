package agent

import (
	"encoding/json"
	"fmt"
	"net/netip"

	"quorate/fsm"
	"quorate/health"
)

// target is the probe of one check at one server. Its ID names everything that matters, so that equal probes coincide and
// a changed check is a new probe.
func target(c fsm.Check, server netip.AddrPort) health.Target {
	addr := server
	if c.Port != 0 {
		addr = netip.AddrPortFrom(server.Addr(), c.Port)
	}
	t := health.Target{
		Type: health.Type(c.Type), Addr: addr,
		Interval: c.Interval, Timeout: c.Timeout, Rise: c.Rise, Fall: c.Fall,
	}
	if c.HTTP != nil {
		t.HTTP = httpOf(*c.HTTP)
	}
	if c.TLS != nil {
		t.TLS = health.TLS(*c.TLS)
	}
	t.ID = fmt.Sprintf("%s %s %v/%v %d/%d%s", c.Type, addr, c.Interval, c.Timeout, c.Rise, c.Fall, rest(c))
	return t
}

// rest is what a check says besides what stands before it in the ID of its probe; "" = nothing.
func rest(c fsm.Check) string {
	c.Type, c.Port, c.Interval, c.Timeout, c.Rise, c.Fall, c.Through = "", 0, 0, 0, 0, 0, ""
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
	h := health.HTTP{Path: c.Path, Host: c.Host}
	for _, r := range c.Status {
		h.Status = append(h.Status, health.StatusRange{From: r.From, To: r.To})
	}
	return h
}
