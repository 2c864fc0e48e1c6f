package fsm

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Protocol of a virtual service.
type Protocol string

// The protocols.
const (
	TCP  Protocol = "tcp"
	UDP  Protocol = "udp"
	SCTP Protocol = "sctp" // since schema 5
)

// Forward is a forwarding method (ipvsadm's -m, -g, -i).
type Forward string

// The forwarding methods.
const (
	NAT           Forward = "nat"
	DirectRouting Forward = "dr"
	Tunnel        Forward = "tun"
)

// Service is one virtual service: traffic to a port of a VIP, spread over real servers. What is marked so exists since schema 5.
//
// With VIPs, Ports or Addresses it is compound: it takes more than one port of one address. The kernels have such a service by a firewall mark
// that the cluster hands out (State.Marks).
type Service struct {
	Name string `json:"name"`
	VIP  string `json:"vip,omitempty"` // name of the VIP; "" with VIPs. With a Mark it only says which node balances: the one that owns it
	// VIPs in place of VIP, of one address family. They need not have one owner: each director balances what comes to those that it owns. Since schema 5.
	VIPs []string `json:"vips,omitempty"`
	// Port 0 = all ports, since schema 5: the connections of a client go to one server (Persistence).
	Port uint16 `json:"port,omitempty"`
	// Ports in place of Port, disjoint; a single PortRange{} is all ports. Since schema 5.
	Ports []PortRange `json:"ports,omitempty"`
	// Addresses besides those of the VIPs, disjoint: the network routes them to a VIP, and who owns that takes them in as its own. Since schema 5.
	Addresses []AddressRange `json:"addresses,omitempty"`
	// Mark takes the packets that carry this firewall mark, which rules of the operator's give them, in place of those to a port. Since schema 5.
	Mark      uint32   `json:"fwmark,omitempty"`
	Protocol  Protocol `json:"protocol"`  // "" with a Mark
	Scheduler string   `json:"scheduler"` // rr, wrr, lc, wlc, sh …
	// Flags are those of the scheduler: sh-port, sh-fallback, mh-port, mh-fallback. Since schema 5.
	Flags []string `json:"scheduler_flags,omitempty"`
	// OnePacket schedules each datagram for itself. udp only. Since schema 5.
	OnePacket bool `json:"one_packet,omitempty"`
	// Persistence sends the connections of a client to one server. Since schema 5.
	Persistence Persistence `json:"persistence,omitzero"`
	Forward     Forward     `json:"forward"` // of the servers that do not say otherwise
	Encap       Encap       `json:"tunnel,omitzero"`
	// Masquerade rewrites the source to the director's address, for servers whose way back does not lead through the
	// director. nat only.
	Masquerade bool `json:"masquerade,omitempty"`

	// Quorum is the sum of weights of the servers that are up from which on the service is served by them; 0 = any of them. It is reached at
	// Quorum + Hysteresis, and lost below Quorum - Hysteresis or when none is up. Since schema 5.
	Quorum     int `json:"quorum,omitempty"`
	Hysteresis int `json:"hysteresis,omitempty"`
	// Sorry is the server that gets the connections while the quorum is lost; nil = nobody does. Since schema 5.
	Sorry *Server `json:"sorry_server,omitempty"`
	// Inhibit leaves a server that is down in the table with weight 0, so that its established connections go on. Since schema 5.
	Inhibit bool `json:"inhibit_on_failure,omitempty"`
	// SlowStart is how long a server that has recovered takes to come to its weight; 0 = at once. Since schema 5.
	SlowStart time.Duration `json:"slow_start,omitempty"`
	// DrainTimeout is how long a drained server keeps its connections; 0 = as long as they last. Since schema 5.
	DrainTimeout time.Duration `json:"drain_timeout,omitempty"`

	// NoSync keeps the connections from the other directors. Since schema 5.
	NoSync bool `json:"no_sync,omitempty"`

	Health  Health   `json:"health,omitzero"`  // since schema 6
	Checks  []Check  `json:"checks,omitempty"` // see Health; none = servers are taken to be up
	Servers []Server `json:"servers,omitempty"`
}

// On are the names of the service's VIPs.
func (s Service) On() []string {
	if len(s.VIPs) == 0 {
		return []string{s.VIP}
	}
	return s.VIPs
}

// Compound reports whether the service takes more than one port of one VIP, which the kernels have by a firewall mark.
func (s Service) Compound() bool {
	return s.Mark == 0 && (len(s.VIPs) > 0 || len(s.Ports) > 0 || len(s.Addresses) > 0)
}

// PortRanges are the ports that the service takes of each of its addresses; none when it goes by a firewall mark of the operator's.
func (s Service) PortRanges() []PortRange {
	switch {
	case s.Mark != 0:
		return nil
	case len(s.Ports) > 0:
		return s.Ports
	default:
		return []PortRange{{s.Port, s.Port}}
	}
}

// OnlyPort is the one port that the service takes, or 0 when it takes more.
func (s Service) OnlyPort() uint16 {
	if r := s.PortRanges(); len(r) == 1 && r[0].From == r[0].To {
		return r[0].From
	}
	return 0
}

// Persistence says how long, and by what, the connections of a client belong together. The zero value is none.
type Persistence struct {
	Timeout time.Duration `json:"timeout,omitempty"` // since the last connection of the client; whole seconds
	Prefix  int           `json:"prefix,omitempty"`  // bits of the client's address that count; 0 = all
	Engine  string        `json:"engine,omitempty"`  // "sip": by Call-ID; "" = by address
}

// Encap is how packets are wrapped on their way through a tunnel. The zero value is IPIP.
type Encap struct {
	Type     string `json:"type,omitempty"`     // "ipip" or "", "gue", "gre"
	Port     uint16 `json:"port,omitempty"`     // of GUE
	Checksum string `json:"checksum,omitempty"` // "none" or "", "csum", "remcsum"
}

// Server is one real server of a service.
type Server struct {
	Address netip.AddrPort `json:"address"` // port 0 = the one that the client asked for: of services for all ports or by firewall mark
	Weight  int            `json:"weight"`  // 0–65535; 0 = no new connections
	// Forward is the server's own forwarding method; "" = the service's, and its tunnel. Since schema 5.
	Forward Forward `json:"forward,omitempty"`
	Encap   Encap   `json:"tunnel,omitzero"`
	// Upper is the number of connections at which the server gets no new ones, until it has fewer than Lower; Lower 0 = three quarters of
	// Upper. 0 = no limit. Since schema 5.
	Upper uint32 `json:"upper_threshold,omitempty"`
	Lower uint32 `json:"lower_threshold,omitempty"`
}

// Method is how packets go to a server of the service.
func (s Service) Method(server Server) (Forward, Encap) {
	if server.Forward == "" {
		return s.Forward, s.Encap
	}
	return server.Forward, server.Encap
}

// ServerKey identifies a real server within the cluster. Its text form is "service/10.0.0.11:8080".
type ServerKey struct {
	Service string
	Address netip.AddrPort
}

// String is the text form.
func (k ServerKey) String() string { return k.Service + "/" + k.Address.String() }

// MarshalText implements encoding.TextMarshaler. The zero key is empty.
func (k ServerKey) MarshalText() ([]byte, error) {
	if k == (ServerKey{}) {
		return nil, nil
	}
	return []byte(k.String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *ServerKey) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*k = ServerKey{}
		return nil
	}
	i := strings.LastIndexByte(string(b), '/')
	if i < 0 {
		return fmt.Errorf("server key %q: want SERVICE/ADDRESS:PORT", b)
	}
	a, err := netip.ParseAddrPort(string(b[i+1:]))
	if err != nil {
		return fmt.Errorf("server key %q: %w", b, err)
	}
	k.Service, k.Address = string(b[:i]), a
	return nil
}

// Compare orders keys by service, then address.
func (k ServerKey) Compare(o ServerKey) int {
	if c := strings.Compare(k.Service, o.Service); c != 0 {
		return c
	}
	return k.Address.Compare(o.Address)
}

// Verdict is what the cluster has agreed about a server's health.
type Verdict string

// The verdicts. A server starts unknown, which is out, unless its service has no checks (design §4).
const (
	Unknown Verdict = "unknown"
	Up      Verdict = "up"
	Down    Verdict = "down"
)

// Admin is what an operator wants of a server.
type Admin string

// The admin states.
const (
	Enabled Admin = "enabled"
	// Drain is weight 0: established connections go on, no new ones. Since schema 5 it ends, and the server is disabled then, when the last
	// connection is gone, or its limit has passed.
	Drain Admin = "drain"
	// Disabled takes the server out of the table at once, and its connections with it. Since schema 5.
	Disabled Admin = "disabled"
)

// ServerState is the agreed, changing part of a server. It lives apart from the configuration, so that applying a file
// does not reset it.
type ServerState struct {
	Verdict Verdict   `json:"verdict"`
	Admin   Admin     `json:"admin"`
	Detail  string    `json:"detail,omitempty"` // last error of an observer that saw it down
	Since   time.Time `json:"since"`            // of the verdict, leader's clock

	// What follows exists since schema 5.

	// Recovered is when the server came back, after others of its service served already: its weight grows from then on (Service.SlowStart).
	Recovered time.Time `json:"recovered,omitzero"`
	// Drain is the index of the SetAdmin that drained it, Deadline when that ends at the latest, by the leader's clock; zero = no limit.
	Drain    uint64     `json:"drain,omitempty"`
	Deadline time.Time  `json:"deadline,omitzero"`
	Why      ReasonCode `json:"why,omitempty"` // it is disabled: drained or timeout; "" = an operator said so
	// Quiet says of which of the service's VIPs the last connection to the drained server is gone, while others still have some. Sorted by VIP.
	Quiet []QuietVIP `json:"quiet,omitempty"`

	// What follows exists since schema 6.

	// Falls is how often in a row it went down soon after it came up, Fell when it last did: see Health. Fell is zero of one that never was up.
	Falls int       `json:"falls,omitempty"`
	Fell  time.Time `json:"fell,omitzero"`
	// Kept says that it is down and in the table, as its service is in a panic.
	Kept bool `json:"kept,omitempty"`
	// Asked is the weight that it asks for, as its observers agree, and AskedAt since when.
	Asked   Asked     `json:"asked,omitzero"`
	AskedAt time.Time `json:"asked_at,omitzero"`
}

// QuietVIP is a VIP whose owner has seen the last connection go. What moves to another director counts anew.
type QuietVIP struct {
	VIP   string `json:"vip"`
	Epoch Epoch  `json:"epoch"` // of the assignment
}
