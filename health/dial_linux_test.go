package health

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestEgressOfTheSource(t *testing.T) {
	from := make(chan string, 1)
	at := listen(t, func(c net.Conn) { from <- c.RemoteAddr().(*net.TCPAddr).IP.String() })
	detail, err := ask(t, Target{Type: TypeTCP, Addr: at, Egress: Egress{Source: netip.MustParseAddr("127.0.0.77"), Interface: "lo"}})
	wantText(t, detail, err, "ok: connected in .*")
	if got := <-from; got != "127.0.0.77" {
		t.Errorf("the probe came from %s", got)
	}
}

// Every socket that a prober may want has what the target's Egress says.
func TestEgressOfEachNetwork(t *testing.T) {
	at := listen(t, func(net.Conn) {})
	for _, network := range []string{"tcp", "udp", "ip4:icmp"} {
		e := Egress{Source: netip.MustParseAddr("127.0.0.77"), Interface: "lo", Mark: 7}
		c, err := dialTarget(t.Context(), network, Target{Addr: at, Egress: e})
		if errors.Is(err, syscall.EPERM) {
			t.Skip("a mark takes NET_ADMIN")
		}
		if err != nil {
			t.Errorf("%s: %v", network, err)
			continue
		}
		defer c.Close()
		if !strings.HasPrefix(c.LocalAddr().String(), "127.0.0.77") {
			t.Errorf("%s comes from %v", network, c.LocalAddr())
		}
		raw, err := c.(syscall.Conn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		_ = raw.Control(func(fd uintptr) {
			mark, _ := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK)
			device, _ := unix.GetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE)
			if mark != 7 || strings.TrimRight(device, "\x00") != "lo" {
				t.Errorf("%s: mark %d, device %q", network, mark, device)
			}
		})
	}
}

// What this machine cannot do says nothing of the target.
func TestEgressThatThisMachineLacks(t *testing.T) {
	at := listen(t, func(net.Conn) {})
	for _, c := range []struct {
		egress Egress
		want   string
	}{
		{Egress{Source: netip.MustParseAddr("192.0.2.77")}, `not asked: bind: cannot assign requested address`},
		{Egress{Interface: "no-such-link"}, `not asked: interface no-such-link: no such device`},
	} {
		detail, err := ask(t, Target{Type: TypeTCP, Addr: at, Egress: c.egress})
		if wantText(t, detail, err, c.want); !errors.Is(err, ErrNotAsked) {
			t.Errorf("%v counts against the target", err)
		}
	}
}
