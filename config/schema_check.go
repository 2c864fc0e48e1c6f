package config

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"quorate/fsm"
)

// The table of checks. What only some types have is in lists of their own, one for each part of fsm.Check.

var checkBlock = &block{
	name: "check", label: strings.Join(fsm.CheckTypes(), "|"), labelKey: "type",
	doc:  "How the servers are probed. `tcp` connects; `http` and `https` send a GET and look at the status. A server is up when all checks pass, unless the block `health` says otherwise. Without a check all servers are taken to be up.",
	keys: slices.Concat(checkKeys, networkCheckKeys, httpCheckKeys, tlsChoiceKeys, tlsCheckKeys),
}

// checkKeys are those of all types.
var checkKeys = []key{
	number("port", func(c *fsm.Check) *uint16 { return &c.Port }, "Port to probe. Left out: the server's.").within("1 to 65535"),
	duration("interval", func(c *fsm.Check) *time.Duration { return &c.Interval }, "Time from one probe to the next.").
		or(cty.StringVal("2s")).within("50ms to 1h"),
	duration("fast_interval", func(c *fsm.Check) *time.Duration { return &c.FastInterval },
		"Time from one probe to the next while the results are not those of the verdict, and until there is one; at least the timeout. Left out: the interval.").
		within("50ms to 1h"),
	duration("timeout", func(c *fsm.Check) *time.Duration { return &c.Timeout }, "Time for one whole probe; at most the interval.").
		or(cty.StringVal("1s")).within("1ms to 1h"),
	number("rise", func(c *fsm.Check) *int { return &c.Rise }, "Successes in a row until a server is up.").
		or(cty.NumberIntVal(2)).within("1 to 100"),
	number("fall", func(c *fsm.Check) *int { return &c.Fall }, "Failures in a row until a server is down.").
		or(cty.NumberIntVal(3)).within("1 to 100"),
	text("through", func(c *fsm.Check) *string { return (*string)(&c.Through) }, throughDoc).oneOf(string(fsm.ThroughForwarding)),
}

// networkCheckKeys are those of checks that ask over the network.
var networkCheckKeys = forTypes(fsm.NetworkChecks(),
	address("address", func(c *fsm.Check) *netip.Addr { return &c.Address },
		"Address to probe in place of the server's, with `port` or the server's port. What is asked there counts for every server of the service."),
	address("source", func(c *fsm.Check) *netip.Addr { return &c.Source },
		"Address that the probes come from. A director that does not have it does not probe. Left out: the kernel chooses."),
	text("interface", func(c *fsm.Check) *string { return &c.Interface },
		"Interface that the probes leave by, or the VRF. A director that does not have it does not probe. Left out: the routes decide."),
	number("fwmark", func(c *fsm.Check) *uint32 { return &c.FwMark }, "Firewall mark of the probes' packets, for rules of routing. Left out: none.").
		within("1 to 4294967295"),
)

var httpCheckKeys = forTypes([]fsm.CheckType{fsm.CheckHTTP, fsm.CheckHTTPS},
	text("path", func(c *fsm.Check) *string { return &c.HTTP.Path }, "What to GET.").
		or(cty.StringVal("/")),
	text("host", func(c *fsm.Check) *string { return &c.HTTP.Host }, "Host header. Left out: the server's address and port."),
	statuses("status", func(c *fsm.Check) *[]fsm.StatusRange { return &c.HTTP.Status }, "Status codes that count as success.").
		or(cty.TupleVal([]cty.Value{cty.StringVal("200-299")})).within("100 to 599"),
)

// tlsChoiceKeys are those of types that can do with and without TLS.
var tlsChoiceKeys = forTypes(fsm.TLSChecks(true),
	boolean("tls", func(c *fsm.Check) *bool { return &c.TLS.On }, "Speak TLS: after STARTTLS, where the protocol has that."),
)

var tlsCheckKeys = forTypes(slices.Concat(fsm.TLSChecks(false), fsm.TLSChecks(true)),
	text("server_name", func(c *fsm.Check) *string { return &c.TLS.ServerName }, "Name that is asked for (SNI) and that the certificate has to be for. Left out: the host, or the server's address."),
	text("ca", func(c *fsm.Check) *string { return &c.TLS.CA }, "File with the certificates (PEM) of the authorities that may have signed the server's. It is read on each node that probes, and again when it changes. Left out: those of the node's system."),
	unless("verify", func(c *fsm.Check) *bool { return &c.TLS.Unverified }, "With `false` any certificate will do. `quorate plan` warns of it."),
	text("certificate", func(c *fsm.Check) *string { return &c.TLS.Certificate }, "File with the client's certificate (PEM) on each node that probes, with what signed it, if anything."),
	text("key", func(c *fsm.Check) *string { return &c.TLS.Key }, "File with the private key of `certificate`."),
)

// forTypes are keys that exist in checks of these types alone.
func forTypes(types []fsm.CheckType, keys ...key) []key {
	if len(types) == 0 {
		return nil
	}
	for i := range keys {
		for _, t := range types {
			keys[i].only = append(keys[i].only, string(t))
		}
	}
	return keys
}

const throughDoc = "With `forwarding` the probe is a connection to the VIP that reaches this one server by its own forwarding method, so that a server which lacks the VIP or the tunnel is seen. " +
	"For servers by `dr` and `tun`. Directors that have IPVS and do not own the VIP probe so. Left out: the probe goes to the server's own address."
