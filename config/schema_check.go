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
	doc:    "How the servers are probed. `tcp` connects; `http` and `https` send a GET and look at the status; `bfd` is a session of BFD, with times of its own; the others speak the protocol of their name; `script` and `file` ask the director itself. A server is up when all checks pass, unless the block `health` says otherwise. Without a check all servers are taken to be up.",
	blocks: []*block{urlBlock},
	keys:   slices.Concat(checkKeys, networkCheckKeys, tcpCheckKeys, httpCheckKeys, protocolCheckKeys, bfdCheckKeys, tlsChoiceKeys, tlsCheckKeys, localCheckKeys),
}

// certain are the types of checks whose answers are certain, so that one is enough.
var certain = []string{string(fsm.CheckFile), string(fsm.CheckProcess), string(fsm.CheckInterface), string(fsm.CheckBFD)}

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
		or(cty.NumberIntVal(2)).orWith(cty.NumberIntVal(1), certain...).within("1 to 100"),
	number("fall", func(c *fsm.Check) *int { return &c.Fall }, "Failures in a row until a server is down.").
		or(cty.NumberIntVal(3)).orWith(cty.NumberIntVal(1), certain...).within("1 to 100"),
	text("through", func(c *fsm.Check) *string { return (*string)(&c.Through) }, throughDoc).oneOf(string(fsm.ThroughForwarding)),
}

// networkCheckKeys are those of checks that ask over the network.
var networkCheckKeys = slices.Concat(forTypes(fsm.NetworkChecks(),
	address("address", func(c *fsm.Check) *netip.Addr { return &c.Address },
		"Address to probe in place of the server's, with `port` or the server's port. What is asked there counts for every server of the service."),
	address("source", func(c *fsm.Check) *netip.Addr { return &c.Source },
		"Address that the probes come from. A director that does not have it does not probe. Left out: the kernel chooses."),
	text("interface", func(c *fsm.Check) *string { return &c.Interface },
		"Interface that the probes leave by, or the VRF. A director that does not have it does not probe. Left out: the routes decide."),
), forTypes(slices.DeleteFunc(fsm.NetworkChecks(), func(t fsm.CheckType) bool { return t == fsm.CheckBFD }),
	number("fwmark", func(c *fsm.Check) *uint32 { return &c.FwMark }, "Firewall mark of the probes' packets, for rules of routing. Left out: none.").
		within("1 to 4294967295"),
))

var tcpCheckKeys = forTypes([]fsm.CheckType{fsm.CheckTCP},
	text("send", func(c *fsm.Check) *string { return &c.TCP.Send }, "What to send when the connection stands, like `\"PING\\r\\n\"`."),
	text("send_hex", func(c *fsm.Check) *string { return &c.TCP.SendHex }, "The same in hexadecimal, like `\"0a0b 0c\"`."),
	text("expect", func(c *fsm.Check) *string { return &c.TCP.Expect }, "What the server has to say, then or unasked: its first 16 KiB have to contain it. With none of `expect` and `expect_regex` nothing is waited for."),
	text("expect_regex", func(c *fsm.Check) *string { return &c.TCP.ExpectRegex }, "Regular expression (RE2) that has to match what the server says."),
	boolean("half_open", func(c *fsm.Check) *bool { return &c.TCP.HalfOpen }, "Send a SYN, take SYN+ACK for a success and answer it with RST: the server's program hears of no connection. Sees no more than a check that connects."),
)

var httpCheckKeys = forTypes([]fsm.CheckType{fsm.CheckHTTP, fsm.CheckHTTPS}, slices.Concat([]key{
	text("path", func(c *fsm.Check) *string { return &c.HTTP.Path }, "What to ask for. Left out beside `url` blocks.").
		or(cty.StringVal("/")).silent(),
}, requestKeys(func(c *fsm.Check) *fsm.HTTPRequest { return &c.HTTP.HTTPRequest }), []key{
	policy("version", "1.1", func(c *fsm.Check) *string { return &c.HTTP.Version }, "Version of HTTP. `2`: chosen by ALPN with `https`, by prior knowledge with `http`.").
		or(cty.StringVal("1.1")).oneOf("1.1", "2").silent(),
	list("headers", func(c *fsm.Check) *[]string { return &c.HTTP.Headers }, "Headers of the request besides, like `\"X-Probe: yes\"`."),
	number("redirects", func(c *fsm.Check) *int { return &c.HTTP.Redirects },
		"Number of redirects that are followed, on the server's own host and port: where any other leads is another server's health. Left out: none.").within("1 to 10"),
})...)

// requestKeys are those of one URL.
func requestKeys[T any](of func(*T) *fsm.HTTPRequest) []key {
	return []key{
		text("host", func(c *T) *string { return &of(c).Host }, "Host header, and with `https` the name of the certificate. Left out: the server's address and port."),
		statuses("status", func(c *T) *[]fsm.StatusRange { return &of(c).Status }, "Status codes that count as success.").
			or(cty.TupleVal([]cty.Value{cty.StringVal("200-299")})).within("100 to 599").silent(),
		text("method", func(c *T) *string { return &of(c).Method }, "Method of the request, such as `HEAD`. Left out: GET."),
		text("contains", func(c *T) *string { return &of(c).Contains }, "What the first 256 KiB of the body have to contain."),
		text("regex", func(c *T) *string { return &of(c).Regex }, "Regular expression (RE2) that has to match somewhere in the first 256 KiB of the body."),
		text("not_regex", func(c *T) *string { return &of(c).NotRegex }, "Regular expression that must not match anywhere in the body, which may have 256 KiB."),
		text("md5", func(c *T) *string { return &of(c).MD5 }, "MD5 of the body in hex, as `quorate genhash URL` shows it. The body may have 16 MiB."),
		text("sha256", func(c *T) *string { return &of(c).SHA256 }, "SHA-256 of the body in hex, likewise."),
	}
}

// urlBlock stands in checks of HTTP.
var urlBlock = &block{
	name: "url", label: "PATH", labelKey: "path",
	doc:  "One of several URLs that a check of type `http` or `https` asks, one after another, each on a connection of its own; all have to be well, within the timeout of the check. What the check says of one URL goes here then.",
	keys: requestKeys(func(r *fsm.HTTPRequest) *fsm.HTTPRequest { return r }),
}

// tlsChoiceKeys are those of types that can do with and without TLS.
var tlsChoiceKeys = forTypes(fsm.TLSChecks(true),
	boolean("tls", func(c *fsm.Check) *bool { return &c.TLS.On }, "Speak TLS from the first byte on."),
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
