package health

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"syscall"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// pingProber asks a host for an ICMP echo: on a datagram socket, for which the kernel keeps replies apart, where net.ipv4.ping_group_range lets this
// process have one, else on a raw one, which takes CAP_NET_RAW.
//
// The socket is connected, so that a router's word that the host is unreachable ends the probe: a library that pings on a socket for all hosts does not hear that.
type pingProber struct{ dial DialFunc }

func (p pingProber) Probe(ctx context.Context, t Target) (Answer, error) {
	start := time.Now()
	c, err := connect(ctx, p.open, "", t)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = c.Close() }()
	defer bound(ctx, c)()
	e := newEcho(t.Addr.Addr().Unmap().Is4())
	request, err := e.request()
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrNotAsked, err)
	}
	if _, err = c.Write(request); err == nil {
		err = e.await(c)
	}
	switch {
	case err == nil:
		return Answer{Detail: passed("echo", start)}, nil
	case timedOut(ctx, err):
		return Answer{}, fmt.Errorf("no echo within %v", t.Timeout)
	default:
		return Answer{}, bare(err)
	}
}

// open is a DialFunc of the socket that this process may have.
func (p pingProber) open(ctx context.Context, _ string, t Target) (net.Conn, error) {
	if t.Through == (Through{}) {
		c, err := pingSocket(t)
		if !errors.Is(err, syscall.EACCES) && !errors.Is(err, errors.ErrUnsupported) {
			return c, err
		}
	}
	network := "ip4:icmp"
	if t.Addr.Addr().Unmap().Is6() {
		network = "ip6:ipv6-icmp"
	}
	c, err := p.dial(ctx, network, t)
	if errors.Is(err, syscall.EPERM) && !errors.Is(err, ErrNotAsked) {
		return nil, fmt.Errorf("%w: this process may not ping; give it CAP_NET_RAW, or its group to net.ipv4.ping_group_range (sysctl)", ErrNotAsked)
	}
	return c, err
}

// echo is one request and what its reply is known by.
type echo struct {
	v4    bool
	id    int // of a raw socket; the kernel puts its own in on others
	token []byte
}

func newEcho(v4 bool) echo {
	token := make([]byte, 0, 16)
	for range 2 {
		n := rand.Uint64()
		for range 8 {
			token, n = append(token, byte(n)), n>>8
		}
	}
	return echo{v4: v4, id: rand.IntN(1 << 16), token: token}
}

func (e echo) request() ([]byte, error) {
	m := icmp.Message{Type: ipv6.ICMPTypeEchoRequest, Body: &icmp.Echo{ID: e.id, Seq: 1, Data: e.token}}
	if e.v4 {
		m.Type = ipv4.ICMPTypeEcho
	}
	return m.Marshal(nil) // of IPv6 the kernel makes the checksum
}

// await reads until the reply comes. A raw socket shows it everything that the host sends by ICMP.
func (e echo) await(c net.Conn) error {
	b := make([]byte, 512)
	for {
		n, err := c.Read(b)
		if err != nil {
			return err
		}
		if done, err := e.hears(b[:n]); done || err != nil {
			return err
		}
	}
}

// hears reports whether a packet is the reply, or says as an error that there will be none.
func (e echo) hears(b []byte) (bool, error) {
	proto, reply := 58, icmp.Type(ipv6.ICMPTypeEchoReply)
	if e.v4 {
		proto, reply = 1, ipv4.ICMPTypeEchoReply
		b = withoutIPv4Header(b)
	}
	m, err := icmp.ParseMessage(proto, b)
	if err != nil || m.Type != reply {
		return false, nil
	}
	body, ok := m.Body.(*icmp.Echo)
	return ok && bytes.Equal(body.Data, e.token), nil
}

// withoutIPv4Header strips the header that a raw socket puts before the message. No message that is waited for begins as one.
func withoutIPv4Header(b []byte) []byte {
	if len(b) < 20 || b[0]>>4 != 4 {
		return b
	}
	if n := int(b[0]&0xf) * 4; 20 <= n && n <= len(b) {
		return b[n:]
	}
	return nil
}
