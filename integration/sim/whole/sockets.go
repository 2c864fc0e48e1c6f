package whole

import (
	"context"
	"fmt"
	"net"

	"quorate/cluster/simnet"
)

// sockets is the network as one process has it: when the process is dead it can open nothing any more, though it may take
// a while to notice and its machine goes on.
type sockets struct {
	host *simnet.Host
	gone <-chan struct{}
}

func (s sockets) dead(what, addr string) error {
	select {
	case <-s.gone:
		return fmt.Errorf("%s %s: the process is dead: %w", what, addr, net.ErrClosed)
	default:
		return nil
	}
}

// Listen implements cluster.Network.
func (s sockets) Listen(addr string) (net.Listener, error) {
	if err := s.dead("listen", addr); err != nil {
		return nil, err
	}
	return s.host.Listen(addr)
}

// ListenPacket implements cluster.Network.
func (s sockets) ListenPacket(addr string) (net.PacketConn, error) {
	if err := s.dead("listen", addr); err != nil {
		return nil, err
	}
	return s.host.ListenPacket(addr)
}

// Dial implements cluster.Network.
func (s sockets) Dial(ctx context.Context, addr string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-s.gone:
			cancel()
		case <-ctx.Done():
		}
	}()
	c, err := s.host.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	if err := s.dead("dial", addr); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}
