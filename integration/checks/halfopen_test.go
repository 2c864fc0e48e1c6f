package checks

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// inNamespace runs f on a network of its own, with loopback and the rules of nftables. What f opens is there; programs that it starts, too.
func inNamespace(t *testing.T, rules string, f func()) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("a network namespace takes root")
	}
	nft := needs(t, "nft", "nftables")
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine, and the namespace with it
		defer close(done)      // also when the test has failed
		done <- func() error {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				return err
			}
			load := exec.Command(nft, "-f", "-")
			load.Stdin = strings.NewReader(rules)
			for _, c := range []*exec.Cmd{exec.Command("ip", "link", "set", "lo", "up"), load} {
				if out, err := c.CombinedOutput(); err != nil {
					return fmt.Errorf("%v: %w: %s", c.Args, err, out)
				}
			}
			f()
			return nil
		}()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestHalfOpenPath is about what stands between: half-open checks hear all that checks that connect do.
func TestHalfOpenPath(t *testing.T) {
	inNamespace(t, `table inet gate {
	chain in {
		type filter hook input priority 0
		tcp dport 81 drop
		tcp dport 82 reject with icmpx host-unreachable
		tcp dport 83 reject with tcp reset
		tcp dport 84 tcp flags syn mark != 17 drop
	}
}`, func() {
		for _, x := range []struct {
			name, host string
			halves     []bool
		}{{"Linux", "127.0.0.1", []bool{false, true}}, {"Linux, by IPv6", "::1", []bool{true}}} {
			at := func(port uint16) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr(x.host), port) }
			for _, port := range []uint16{80, 81, 82, 83, 84} {
				l, err := net.Listen("tcp", at(port).String())
				if err != nil {
					t.Error(err)
					return
				}
				defer l.Close()
			}
			defer unix.Close(crowded(t, at(85)))
			for _, half := range x.halves {
				keys, more := []string(nil), ""
				if half {
					keys, more = []string{"half_open = true"}, ", half_open"
				}
				name := func(condition string) string { return condition + more }
				with := func(others ...string) string { return strings.Join(append(others, keys...), "; ") }
				const silent = `timeout = "200ms"` // where no answer comes; one that comes has time
				ask(t, "tcp", with(), at(80), x.name, name("somebody listens"), true)
				ask(t, "tcp", with(), at(90), x.name, name("nobody listens"), false)
				ask(t, "tcp", with(silent), at(81), x.name, name("a firewall drops the SYN"), false)
				if at(82).Addr().Is4() { // with IPv6 it depends on the kernel whether it ends a connection that is being opened
					ask(t, "tcp", with(), at(82), x.name, name("a firewall says by ICMP that the host is unreachable"), false)
				}
				ask(t, "tcp", with(), at(83), x.name, name("a firewall resets the connection"), false)
				ask(t, "tcp", with("fwmark = 17", `interface = "lo"`, fmt.Sprintf("source = %q", x.host)), at(84), x.name, name("a firewall lets only marked packets through, and they are"), true)
				ask(t, "tcp", with(silent), at(85), x.name, name("nobody accepts, and the queue is full"), false)
			}
		}
	})
}

// crowded listens, with a queue that is full.
func crowded(t *testing.T, at netip.AddrPort) (fd int) {
	t.Helper()
	family, addr := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Port: int(at.Port()), Addr: [4]byte{127, 0, 0, 1}})
	if at.Addr().Is6() {
		family, addr = unix.AF_INET6, &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Bind(fd, addr), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", at.String()) // it takes one more than it says
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return fd
}
