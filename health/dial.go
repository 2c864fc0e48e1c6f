package health

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// DialFunc opens a connection to the address of a target, or a socket that is connected to it, as the target's Egress says. The network is one
// of net.Dial; of an "ip" network the address has no port. An error that tells of this machine wraps ErrNotAsked. It must give up when ctx ends:
// Engine.Run waits for it.
type DialFunc func(ctx context.Context, network string, t Target) (net.Conn, error)

// ThroughFunc opens a TCP connection to the address of a target that reaches the server of its Through, and no other. An error that tells of this
// machine wraps ErrNotAsked. It must give up when ctx ends.
type ThroughFunc func(ctx context.Context, t Target) (net.Conn, error)

// Egress says how the packets of a probe leave this machine. The zero value leaves it to the kernel.
type Egress struct {
	Source    netip.Addr `json:"source,omitzero"`     // address that they come from
	Interface string     `json:"interface,omitempty"` // by which they leave, or a VRF (SO_BINDTODEVICE)
	Mark      uint32     `json:"mark,omitempty"`      // firewall mark that they bear (SO_MARK); takes NET_ADMIN
}

// dialTarget is the DialFunc of the host's network.
func dialTarget(ctx context.Context, network string, t Target) (net.Conn, error) {
	// Keep-alive is off: no connection lives longer than one probe.
	d := net.Dialer{KeepAlive: -1}
	if (t.Egress != Egress{}) || t.halfOpen() {
		d.Control = t.control
		d.LocalAddr = t.Egress.local(network)
	}
	if strings.HasPrefix(network, "ip") {
		return d.DialContext(ctx, network, t.Addr.Addr().String())
	}
	return d.DialContext(ctx, network, t.Addr.String())
}

// local is the source address as the net package wants it for the network; nil = any.
func (e Egress) local(network string) net.Addr {
	if !e.Source.IsValid() {
		return nil
	}
	ip := net.IP(e.Source.AsSlice())
	switch {
	case strings.HasPrefix(network, "udp"):
		return &net.UDPAddr{IP: ip, Zone: e.Source.Zone()}
	case strings.HasPrefix(network, "ip"):
		return &net.IPAddr{IP: ip, Zone: e.Source.Zone()}
	default:
		return &net.TCPAddr{IP: ip, Zone: e.Source.Zone()}
	}
}

// notAsked says which setting of the check this machine could not obey.
func (e Egress) notAsked(key string, value any, err error) error {
	return fmt.Errorf("%w: %s %v: %w", ErrNotAsked, key, value, err)
}

// way is the dial function of the probers: straight to the address, or through the forwarding path.
func way(plain DialFunc, through ThroughFunc) DialFunc {
	return func(ctx context.Context, network string, t Target) (net.Conn, error) {
		switch {
		case t.Through == Through{}:
			return plain(ctx, network, t)
		case through == nil:
			return nil, fmt.Errorf("%w: this machine has no way through the forwarding path", ErrNotAsked)
		case !strings.HasPrefix(network, "tcp"):
			return nil, fmt.Errorf("%w: only connections by TCP go through the forwarding path", ErrNotAsked)
		}
		return through(ctx, t)
	}
}
