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
	TCP Protocol = "tcp"
	UDP Protocol = "udp"
)

// Forward is a forwarding method (ipvsadm's -m, -g, -i).
type Forward string

// The forwarding methods.
const (
	NAT           Forward = "nat"
	DirectRouting Forward = "dr"
	Tunnel        Forward = "tun"
)

// Service is one virtual service: traffic to a port of a VIP, spread over real servers.
type Service struct {
	Name      string   `json:"name"`
	VIP       string   `json:"vip"` // name of the VIP
	Port      uint16   `json:"port"`
	Protocol  Protocol `json:"protocol"`
	Scheduler string   `json:"scheduler"` // rr, wrr, lc, wlc, sh …
	Forward   Forward  `json:"forward"`
	// Masquerade rewrites the source to the director's address, for servers whose way back does not lead through the
	// director. nat only.
	Masquerade bool `json:"masquerade,omitempty"`
	// NoSync keeps the connections from the other directors. Since schema 5.
	NoSync  bool     `json:"no_sync,omitempty"`
	Checks  []Check  `json:"checks,omitempty"` // all must pass; none = servers are taken to be up
	Servers []Server `json:"servers,omitempty"`
}

// Server is one real server of a service.
type Server struct {
	Address netip.AddrPort `json:"address"`
	Weight  int            `json:"weight"` // 0–65535; 0 = no new connections
}

// CheckType names a kind of probe.
type CheckType string

// The kinds of probe.
const (
	CheckTCP  CheckType = "tcp"  // connect
	CheckHTTP CheckType = "http" // GET, status in range
)

// Check says how the servers of a service are probed.
type Check struct {
	Type     CheckType     `json:"type"`
	Port     uint16        `json:"port,omitempty"` // 0 = the server's
	Interval time.Duration `json:"interval"`
	Timeout  time.Duration `json:"timeout"`
	Rise     int           `json:"rise"` // successes in a row until up
	Fall     int           `json:"fall"` // failures in a row until down
	HTTP     *HTTPCheck    `json:"http,omitempty"`
}

// HTTPCheck is the part of a Check that only HTTP has.
type HTTPCheck struct {
	Path   string        `json:"path"`
	Host   string        `json:"host,omitempty"`
	Status []StatusRange `json:"status"`
}

// StatusRange is an inclusive range of HTTP status codes.
type StatusRange struct {
	From int `json:"from"`
	To   int `json:"to"`
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
	Drain   Admin = "drain" // weight 0: established connections go on, no new ones
)

// ServerState is the agreed, changing part of a server. It lives apart from the configuration, so that applying a file
// does not reset it.
type ServerState struct {
	Verdict Verdict   `json:"verdict"`
	Admin   Admin     `json:"admin"`
	Detail  string    `json:"detail,omitempty"` // last error of an observer that saw it down
	Since   time.Time `json:"since"`            // of the verdict, leader's clock
}
