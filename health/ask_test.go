package health

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"
)

// TestAskIsGivenUp: whoever asks and gives up does not wait for a server that has taken the question and says nothing, whatever the question.
func TestAskIsGivenUp(t *testing.T) {
	for _, typ := range []Type{TypeTCP, TypeHTTP, TypeHTTPS, TypeGRPC, TypeSMTP, TypeDNS, TypeUDP, TypeAgent, TypeMySQL, TypePostgres, TypeRedis} {
		t.Run(string(typ), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			target := Target{Type: typ, Timeout: time.Minute, Interval: time.Minute}
			if typ == TypeDNS || typ == TypeUDP {
				target.UDP.RequireReply = true
				target.Addr = mute(t, cancel)
			} else {
				target.TCP.Expect = "a word"
				target.Addr = speechless(t, cancel)
			}
			began := time.Now()
			_, err := Ask(ctx, target)
			if took := time.Since(began); err == nil || took > 20*time.Second {
				t.Errorf("after %v: %v", took, err)
			}
			if ctx.Err() == nil {
				t.Errorf("the server was not asked: %v", err)
			}
		})
	}
}

// speechless accepts connections, tells of the first, and says nothing.
func speechless(t *testing.T, asked func()) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			asked()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return netip.MustParseAddrPort(l.Addr().String())
}

// mute takes datagrams, tells of the first, and says nothing.
func mute(t *testing.T, asked func()) netip.AddrPort {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, _, err := c.ReadFrom(make([]byte, 1500)); err == nil {
			asked()
		}
	}()
	t.Cleanup(func() {
		_ = c.Close()
		<-done
	})
	return netip.MustParseAddrPort(c.LocalAddr().String())
}
