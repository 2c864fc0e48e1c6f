package cluster

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// gossipTransport is memberlist's way to the network: datagrams on the UDP port, streams on the mux.
type gossipTransport struct {
	mux  *mux
	face *face
	own  netip.AddrPort
	conn net.PacketConn

	packets chan *memberlist.Packet
	streams chan net.Conn
	conns   connSet
	done    chan struct{}
	once    sync.Once
	wg      sync.WaitGroup
}

var _ memberlist.NodeAwareTransport = (*gossipTransport)(nil)

// newGossipTransport takes conn over.
func newGossipTransport(m *mux, f *face, own netip.AddrPort, conn net.PacketConn) *gossipTransport {
	t := &gossipTransport{mux: m, face: f, own: own, conn: conn, done: make(chan struct{}),
		packets: make(chan *memberlist.Packet, 64), streams: make(chan net.Conn)}
	t.wg.Go(t.receive)
	return t
}

func (t *gossipTransport) receive() {
	buf := make([]byte, 65536)
	for {
		n, from, err := t.conn.ReadFrom(buf)
		if err != nil {
			select {
			case <-t.done:
				return
			case <-time.After(10 * time.Millisecond): // for example an ICMP error that came back
				continue
			}
		}
		p := &memberlist.Packet{Buf: append([]byte(nil), buf[:n]...), From: from, Timestamp: time.Now()}
		select {
		case t.packets <- p:
		case <-t.done:
			return
		}
	}
}

// admit hands an accepted stream to memberlist.
func (t *gossipTransport) admit(conn net.Conn) {
	c, ok := t.conns.add(conn)
	if !ok {
		return
	}
	select {
	case t.streams <- c:
	case <-t.done:
		_ = c.Close()
	}
}

// FinalAdvertiseAddr implements memberlist.Transport.
func (t *gossipTransport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return t.own.Addr().AsSlice(), int(t.own.Port()), nil
}

// WriteTo implements memberlist.Transport.
func (t *gossipTransport) WriteTo(b []byte, addr string) (time.Time, error) {
	a, err := netip.ParseAddrPort(addr)
	if err != nil {
		return time.Time{}, err
	}
	_, err = t.conn.WriteTo(b, net.UDPAddrFromAddrPort(a))
	return time.Now(), err
}

// WriteToAddress implements memberlist.NodeAwareTransport.
func (t *gossipTransport) WriteToAddress(b []byte, addr memberlist.Address) (time.Time, error) {
	return t.WriteTo(b, addr.Addr)
}

// PacketCh implements memberlist.Transport.
func (t *gossipTransport) PacketCh() <-chan *memberlist.Packet { return t.packets }

// DialTimeout implements memberlist.Transport.
func (t *gossipTransport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	conn, err := t.mux.dial(ctx, t.face, streamGossip, addr, "")
	if err != nil {
		return nil, err
	}
	c, ok := t.conns.add(conn)
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

// DialAddressTimeout implements memberlist.NodeAwareTransport.
func (t *gossipTransport) DialAddressTimeout(addr memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return t.DialTimeout(addr.Addr, timeout)
}

// StreamCh implements memberlist.Transport.
func (t *gossipTransport) StreamCh() <-chan net.Conn { return t.streams }

// Shutdown implements memberlist.Transport.
func (t *gossipTransport) Shutdown() error {
	t.once.Do(func() {
		close(t.done)
		_ = t.conn.Close()
		t.conns.close()
	})
	t.wg.Wait()
	return nil
}
