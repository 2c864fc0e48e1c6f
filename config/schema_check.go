package config

import (
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"quorate/fsm"
)

// The table of checks. What only some types have is in lists of their own, one for each part of fsm.Check.

var checkBlock = &block{
	name: "check", label: strings.Join(fsm.CheckTypes(), "|"), labelKey: "type",
	doc:  "How the servers are probed. `tcp` connects; `http` sends a GET, follows no redirect and looks at the status. A server is up when all checks pass. Without a check all servers are taken to be up.",
	keys: slices.Concat(checkKeys, httpCheckKeys),
}

// checkKeys are those of all types.
var checkKeys = []key{
	number("port", func(c *fsm.Check) *uint16 { return &c.Port }, "Port to probe. Left out: the server's.").within("1 to 65535"),
	duration("interval", func(c *fsm.Check) *time.Duration { return &c.Interval }, "Time from one probe to the next.").
		or(cty.StringVal("2s")).within("50ms to 1h"),
	duration("timeout", func(c *fsm.Check) *time.Duration { return &c.Timeout }, "Time for one whole probe; at most the interval.").
		or(cty.StringVal("1s")).within("1ms to 1h"),
	number("rise", func(c *fsm.Check) *int { return &c.Rise }, "Successes in a row until a server is up.").
		or(cty.NumberIntVal(2)).within("1 to 100"),
	number("fall", func(c *fsm.Check) *int { return &c.Fall }, "Failures in a row until a server is down.").
		or(cty.NumberIntVal(3)).within("1 to 100"),
	text("through", func(c *fsm.Check) *string { return (*string)(&c.Through) }, throughDoc).oneOf(string(fsm.ThroughForwarding)),
}

var httpCheckKeys = forTypes([]fsm.CheckType{fsm.CheckHTTP},
	text("path", func(c *fsm.Check) *string { return &c.HTTP.Path }, "What to GET.").
		or(cty.StringVal("/")),
	text("host", func(c *fsm.Check) *string { return &c.HTTP.Host }, "Host header. Left out: the server's address and port."),
	statuses("status", func(c *fsm.Check) *[]fsm.StatusRange { return &c.HTTP.Status }, "Status codes that count as success.").
		or(cty.TupleVal([]cty.Value{cty.StringVal("200-299")})).within("100 to 599"),
)

// forTypes are keys that exist in checks of these types alone.
func forTypes(types []fsm.CheckType, keys ...key) []key {
	for i := range keys {
		for _, t := range types {
			keys[i].only = append(keys[i].only, string(t))
		}
	}
	return keys
}

const throughDoc = "With `forwarding` the probe is a connection to the VIP that reaches this one server by its own forwarding method, so that a server which lacks the VIP or the tunnel is seen. " +
	"For servers by `dr` and `tun`. Directors that have IPVS and do not own the VIP probe so. Left out: the probe goes to the server's own address."
