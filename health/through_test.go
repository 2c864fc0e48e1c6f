package health

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"
)

const vip = "192.0.2.10:80"

// led is a target whose connection is led through the forwarding path.
func led(id string) Target {
	t := target(id)
	t.Addr = netip.MustParseAddrPort(vip)
	t.Through = Through{Server: netip.MustParseAddrPort(server), Method: "dr"}
	return t
}

// paths is a model of the forwarding path: the VIP at each server is a host of its own.
func paths(b **bed) func(*Options) {
	return func(o *Options) {
		o.Through = func(ctx context.Context, t Target) (net.Conn, error) {
			return (*b).net.dialAddr(ctx, through(t))
		}
	}
}

func through(t Target) string { return fmt.Sprintf("%v at %v", t.Addr, t.Through.Server) }

func TestThrough(t *testing.T) {
	var bed1 *bed
	run(t, func(b *bed) {
		bed1 = b
		at := through(led("web"))
		b.net.set(server, open)
		b.net.set(at, open)
		b.engine.Set([]Target{led("web")})
		b.at(2500 * time.Millisecond)
		b.expect("2s web up: connected in 0s")

		// The server loses the VIP: its own address is asked as well, once, when it goes down.
		b.net.set(at, silent)
		b.at(13 * time.Second)
		b.expect("9s web down: answers on 10.0.0.1:80, but not on the VIP 192.0.2.10:80 by dr (no answer within 1s): run quorate realserver check on it [own only]")
		if n := b.net.dials(server); n != 1 {
			t.Errorf("its own address was asked %d times, want once", n)
		}
		b.net.set(at, open)
		b.at(19 * time.Second)
		b.expect("16s web up: connected in 0s")

		// It dies altogether: that is said as of any server.
		b.net.set(at, silent)
		b.net.set(server, refusing)
		b.at(26 * time.Second)
		b.expect("25s web down: connection refused")
	}, paths(&bed1))
}

// A machine that cannot probe so says nothing of the server.
func TestThroughNotAsked(t *testing.T) {
	local := func(o *Options) {
		o.Through = func(context.Context, Target) (net.Conn, error) {
			return nil, fmt.Errorf("%w: this host has the VIP itself", ErrNotAsked)
		}
	}
	for name, change := range map[string]func(*Options){"no way": func(*Options) {}, "local": local} {
		t.Run(name, func(t *testing.T) {
			run(t, func(b *bed) {
				b.net.set(server, open)
				b.engine.Set([]Target{led("web")})
				b.at(30 * time.Second)
				b.expect()
				if s := b.state("web"); s.Verdict != Unknown || s.LastError == "" {
					t.Errorf("%+v", s)
				}
			}, change)
		})
	}
}

// Another way to the same address is another question.
func TestThroughIsPartOfTheQuestion(t *testing.T) {
	a, b := led("web"), led("web")
	if !a.sameQuestion(b) {
		t.Error("a target asks something else than itself")
	}
	if b.Through.Method = "tun"; a.sameQuestion(b) {
		t.Error("by another method it is the same question")
	}
}
