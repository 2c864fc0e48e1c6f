package health

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// TLS is the part of a Target that speaks TLS. Files are in PEM.
type TLS struct {
	On          bool   `json:"on,omitempty"`          // of the types that can go without; the others pay no heed to it
	ServerName  string `json:"server_name,omitempty"` // asked for (SNI) and verified; "" = as the prober says
	CA          string `json:"ca,omitempty"`          // file of the authorities; "" = those of the system
	Unverified  bool   `json:"unverified,omitempty"`  // any certificate will do
	Certificate string `json:"certificate,omitempty"` // file of the client's certificate
	Key         string `json:"key,omitempty"`         // file of its key
}

// tlsClients speak TLS for all probers of an engine. For each target they remember a session, so that most handshakes are
// resumed, and what its files held when they were last read.
type tlsClients struct {
	files tlsFiles

	mu      sync.Mutex
	clients map[tlsQuestion]*tlsClient
	swept   time.Time
}

// tlsQuestion is what handshakes have in common that may resume each other's session.
type tlsQuestion struct {
	tls       TLS
	addr      netip.AddrPort
	through   Through
	egress    Egress
	name      string
	protocols string
}

// tlsClient is the TLS side of one target.
type tlsClient struct {
	config  *tls.Config
	session *session
	read    tlsRead // what config was made of
	used    time.Time
}

func newTLSClients() *tlsClients {
	return &tlsClients{files: tlsFiles{known: map[string]*tlsFile{}}, clients: map[tlsQuestion]*tlsClient{}}
}

// client speaks TLS on c, a connection to the target that ends with ctx (see bound), and returns when the handshake is done and the
// certificate verified. host is whom that is to be for where the target's TLS does not say, "" = the target's address; protocols are offered
// by ALPN. Errors are sentences; those that tell of this machine wrap ErrNotAsked. Closing the result closes c.
func (x *tlsClients) client(ctx context.Context, c net.Conn, t Target, host string, protocols ...string) (*tls.Conn, error) {
	k, err := x.of(t, host, protocols)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(c, k.config)
	if err := conn.Handshake(); err != nil {
		if timedOut(ctx, err) {
			return nil, fmt.Errorf("connected, but no TLS handshake within %v", t.Timeout)
		}
		return nil, handshakeFault(err, t.TLS, time.Now())
	}
	if !conn.ConnectionState().DidResume {
		k.session.begin(time.Now())
	}
	return conn, nil
}

// of is the TLS side of the target, made anew when its files have changed.
func (x *tlsClients) of(t Target, host string, protocols []string) (*tlsClient, error) {
	read, err := x.files.read(t.TLS)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotAsked, err)
	}
	name := t.TLS.ServerName
	if name == "" {
		name = host
	}
	if name == "" {
		name = t.Addr.Addr().WithZone("").String()
	}
	q := tlsQuestion{tls: t.TLS, addr: t.Addr, through: t.Through, egress: t.Egress, name: name, protocols: strings.Join(protocols, ",")}
	x.mu.Lock()
	defer x.mu.Unlock()
	now := time.Now()
	k, ok := x.clients[q]
	if !ok || k.read != read {
		x.sweep(now)
		k = newTLSClient(q, read, protocols)
		x.clients[q] = k
	}
	k.used = now
	return k, nil
}

func newTLSClient(q tlsQuestion, read tlsRead, protocols []string) *tlsClient {
	s := &session{}
	config := &tls.Config{
		ServerName: q.name, NextProtos: protocols, ClientSessionCache: s, MinVersion: tls.VersionTLS12,
		InsecureSkipVerify: q.tls.Unverified, // as the operator says, who is warned
	}
	if read.ca != nil {
		config.RootCAs = read.ca.pool
	}
	if read.pair != nil {
		config.Certificates = []tls.Certificate{read.pair.pair}
	}
	return &tlsClient{config: config, session: s, read: read}
}

// forgotten is how long a target that is not asked is remembered; it is longer than any interval.
const forgotten = 2 * time.Hour

// sweep forgets the targets of yesterday.
func (x *tlsClients) sweep(now time.Time) {
	if now.Sub(x.swept) < forgotten/4 {
		return
	}
	x.swept = now
	for q, k := range x.clients {
		if now.Sub(k.used) > forgotten {
			delete(x.clients, q)
		}
	}
}

// fullHandshake is how long a session is resumed for: a resumed handshake shows no certificate, and that a server has got another one
// has to be seen.
const fullHandshake = time.Minute

// session is a tls.ClientSessionCache for one target: probes to it are many, and not at once.
type session struct {
	mu    sync.Mutex
	state *tls.ClientSessionState
	full  time.Time // of the last full handshake
}

// begin notes a full handshake.
func (s *session) begin(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = now
}

// Get implements tls.ClientSessionCache.
func (s *session) Get(string) (*tls.ClientSessionState, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == nil || time.Since(s.full) > fullHandshake {
		return nil, false
	}
	return s.state, true
}

// Put implements tls.ClientSessionCache.
func (s *session) Put(_ string, state *tls.ClientSessionState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state
}
