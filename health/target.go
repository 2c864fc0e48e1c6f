package health

import (
	"net/netip"
	"slices"
	"time"
)

// Type names a kind of probe.
type Type string

// The kinds of probe.
const (
	TypeTCP   Type = "tcp"   // connect, then close
	TypeHTTP  Type = "http"  // GET, status in range
	TypeHTTPS Type = "https" // the same over TLS

	TypeGRPC     Type = "grpc"     // gRPC's health protocol
	TypeSMTP     Type = "smtp"     // greeting, EHLO, QUIT
	TypeDNS      Type = "dns"      // a question, its rcode and answer
	TypeUDP      Type = "udp"      // a datagram, and its reply
	TypePing     Type = "ping"     // ICMP echo
	TypeAgent    Type = "agent"    // HAProxy's agent-check protocol
	TypeMySQL    Type = "mysql"    // handshake
	TypePostgres Type = "postgres" // begin of a login
	TypeRedis    Type = "redis"    // PING
)

// Target is one thing to probe and how. A field left zero has the default that is named with it.
type Target struct {
	// ID is the identity under which results are reported. Two checks that ask the same question share one probe by
	// sharing an ID; that is for the caller to arrange.
	ID       string         `json:"id"`
	Type     Type           `json:"type"`
	Addr     netip.AddrPort `json:"addr"`
	Interval time.Duration  `json:"interval"` // from the start of one probe to the start of the next; 2 s
	Timeout  time.Duration  `json:"timeout"`  // for a whole probe, connecting included; 1 s
	// FastInterval takes the place of Interval while the results are not those of the verdict, and until there is one; Interval.
	FastInterval time.Duration `json:"fast_interval"`
	Rise         int           `json:"rise"` // successes in a row until up; 2
	Fall         int           `json:"fall"` // failures in a row until down; 3
	HTTP         HTTP          `json:"http,omitzero"`
	TLS          TLS           `json:"tls,omitzero"`
	Protocols
	Egress  Egress  `json:"egress,omitzero"`
	Machine Machine `json:"machine,omitzero"`
	// Through, if it is set, has the connection to Addr led to one server: see Options.Through.
	Through Through `json:"through,omitzero"`
}

// Through is a way to one of the servers that have the address of a Target.
type Through struct {
	Server netip.AddrPort `json:"server"` // its own address, where it is asked, too, when it goes down: that tells what is wrong
	Method string         `json:"method"` // of forwarding, as people know it: "dr", "tun gre"
}

// withDefaults returns the target with the zero fields filled in, and without what its type does not use.
func (t Target) withDefaults() Target {
	if t.Type == TypeBFD {
		t.Interval, t.FastInterval, t.Timeout, t.Rise, t.Fall = bfdInterval, bfdInterval, bfdTimeout, 1, 1
	}
	if t.Interval <= 0 {
		t.Interval = 2 * time.Second
	}
	if t.FastInterval <= 0 || t.FastInterval > t.Interval {
		t.FastInterval = t.Interval
	}
	if t.Timeout <= 0 {
		t.Timeout = min(time.Second, t.FastInterval)
	}
	if t.Rise < 1 {
		t.Rise = 2
	}
	if t.Fall < 1 {
		t.Fall = 3
	}
	t.Protocols = t.Protocols.of(t.Type)
	if t.Type != TypeHTTP && t.Type != TypeHTTPS {
		t.HTTP = HTTP{}
		return t
	}
	t.HTTP = t.HTTP.withDefaults()
	return t
}

// sameQuestion reports whether both targets ask the same thing of the same address, so that an answer to one is an answer
// to the other. How often and how patiently they ask does not matter.
func (t Target) sameQuestion(o Target) bool {
	return t.Type == o.Type && t.Machine.same(o.Machine) && t.Addr == o.Addr && t.Egress == o.Egress && t.Through == o.Through && t.TLS == o.TLS && t.Protocols == o.Protocols && t.HTTP.equal(o.HTTP)
}

// loops reports whether the loop can ask the question: a connection by TCP and nothing else, or HTTP/1.1 without TLS and without expressions, which may take their time.
func (t Target) loops() bool {
	if t.Type != TypeTCP && t.Type != TypeHTTP {
		return false
	}
	expressions := slices.ContainsFunc(t.HTTP.URLs, func(u URL) bool { return u.Body.Regex != "" || u.Body.NotRegex != "" })
	return t.Protocols == Protocols{TCP: TCPQuery{HalfOpen: t.TCP.HalfOpen}} && t.TLS == TLS{} && t.Through == Through{} && t.Machine.IsZero() &&
		t.HTTP.Version == "" && !expressions && t.Addr.Addr().Zone() == ""
}

// halfOpen reports whether the connection is to be given up before it stands.
func (t Target) halfOpen() bool {
	return t.TCP == TCPQuery{HalfOpen: true} && !t.TLS.On && t.Through == Through{}
}
