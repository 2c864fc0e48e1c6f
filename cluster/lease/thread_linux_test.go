package lease

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func threadAt(t *testing.T, addr string) (*threadLink, netip.AddrPort) {
	t.Helper()
	c, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Skipf("no UDP at %s: %v", addr, err)
	}
	at := c.LocalAddr().(*net.UDPAddr).AddrPort()
	l, err := newThreadLink(c.(*net.UDPConn))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	return l, at
}

// next waits for the next datagram until the limit, whatever signals the runtime sends to the thread.
func (l *threadLink) next(limit time.Duration) (b []byte, err error) {
	for end := time.Now().Add(limit); b == nil && err == nil && time.Now().Before(end); {
		b, err = l.wait(time.Until(end))
	}
	return b, err
}

func (l *threadLink) expect(t *testing.T, want string) {
	t.Helper()
	b, err := l.next(5 * time.Second)
	if err != nil || string(b) != want {
		t.Fatalf("%q, %v; want %q", b, err, want)
	}
}

// Datagrams in both directions, over sockets of either family and of both; the bell, and the deadline.
func TestThreadLink(t *testing.T) {
	for _, at := range []struct{ a, b, host string }{
		{"127.0.0.1:0", "127.0.0.1:0", "127.0.0.1"}, {"[::1]:0", "[::1]:0", "::1"}, {":0", "127.0.0.1:0", "127.0.0.1"},
	} {
		t.Run(at.a, func(t *testing.T) {
			a, aAt := threadAt(t, at.a)
			b, bAt := threadAt(t, at.b)
			aAt = netip.AddrPortFrom(netip.MustParseAddr(at.host), aAt.Port())
			for _, s := range []string{"one", "two", ""} {
				if err := a.send([]byte(s), bAt); err != nil {
					t.Fatal(err)
				}
			}
			for _, s := range []string{"one", "two", ""} {
				b.expect(t, s)
			}
			if err := b.send([]byte("back"), aAt); err != nil {
				t.Fatal(err)
			}
			a.expect(t, "back")
			a.ring() // before the wait, which it ends all the same
			began := time.Now()
			if got, err := a.wait(10 * time.Second); got != nil || err != nil || time.Since(began) > 5*time.Second {
				t.Fatalf("%q %v after %v", got, err, time.Since(began))
			}
			began = time.Now()
			if got, err := a.next(20 * time.Millisecond); got != nil || err != nil || time.Since(began) < 20*time.Millisecond {
				t.Fatalf("%q %v after %v", got, err, time.Since(began))
			}
			var sender sync.WaitGroup
			sender.Go(func() { _ = b.send([]byte("late"), aAt) })
			a.expect(t, "late")
			sender.Wait()
		})
	}
}

// A bell that is rung after the end reaches nobody else's descriptor.
func TestRingAfterClose(t *testing.T) {
	l, _ := threadAt(t, "127.0.0.1:0")
	l.close()
	// The numbers that are free again go to a pair of sockets.
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	l.ring()
	for _, fd := range p {
		if n, _ := unix.Read(fd, make([]byte, 8)); n > 0 {
			t.Fatalf("%d bytes at descriptor %d, which is another's", n, fd)
		}
	}
}

func TestThreadLinkAllocatesNothing(t *testing.T) {
	a, aAt := threadAt(t, "127.0.0.1:0")
	b := make([]byte, 100)
	if n := testing.AllocsPerRun(100, func() {
		if err := a.send(b, aAt); err != nil {
			t.Fatal(err)
		}
		if got, err := a.next(5 * time.Second); len(got) != len(b) || err != nil {
			t.Fatal(got, err)
		}
		if _, err := a.wait(time.Microsecond); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a datagram out and in", n)
	}
}

// The class that is reported is the one that the thread has, and nothing that it starts inherits it.
func TestPriority(t *testing.T) {
	type result struct {
		p    Priority
		attr *unix.SchedAttr
		err  error
	}
	done := make(chan result)
	go func() {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			done <- result{err: err}
			return
		}
		l, p, err := newLink(c) // locks this goroutine's thread, which ends with it
		if err != nil {
			done <- result{err: err}
			return
		}
		defer l.close()
		a, err := unix.SchedGetAttr(0, 0)
		done <- result{p, a, err}
	}()
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	t.Logf("%+v", r.p)
	switch r.p.Class {
	case Deadline:
		if r.attr.Policy != unix.SCHED_DEADLINE || r.attr.Runtime != uint64(budget) || r.p.Why != nil {
			t.Errorf("%+v %+v", r.p, r.attr)
		}
	case Nice:
		if r.attr.Policy != unix.SCHED_NORMAL || r.attr.Nice != -20 || r.p.Why == nil {
			t.Errorf("%+v %+v", r.p, r.attr)
		}
	case Ordinary:
		if os.Getuid() == 0 || r.attr.Policy != unix.SCHED_NORMAL || r.p.Why == nil {
			t.Errorf("%+v %+v", r.p, r.attr)
		}
	default:
		t.Errorf("%+v", r.p)
	}
	if r.p.Class != Ordinary && r.attr.Flags&unix.SCHED_FLAG_RESET_ON_FORK == 0 {
		t.Errorf("inherited: %+v", r.attr)
	}
}
