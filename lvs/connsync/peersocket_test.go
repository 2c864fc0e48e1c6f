package connsync

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quorate/lvs/lvstest"
)

// TestSend: datagrams come, whatever the families, and one that cannot go is an error.
func TestSend(t *testing.T) {
	for _, x := range []struct{ from, to string }{
		{"127.0.0.1", "127.0.0.1"}, {"[::1]", "[::1]"}, {"0.0.0.0", "127.0.0.1"}, {"[::]", "127.0.0.1"}, {"[::]", "[::1]"},
	} {
		from, err := listen(netip.MustParseAddrPort(x.from + ":0"))
		if errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EAFNOSUPPORT) {
			t.Logf("%s: %v", x.from, err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer from.Close()
		to, err := listen(netip.MustParseAddrPort(x.to + ":0"))
		if err != nil {
			t.Fatal(err)
		}
		defer to.Close()
		if err := from.send(netip.MustParseAddrPort(to.LocalAddr().String()), []byte("hello")); err != nil {
			t.Fatalf("%v: %v", x, err)
		}
		b := make([]byte, 10)
		to.SetReadDeadline(time.Now().Add(10 * time.Second))
		if n, err := to.Read(b); err != nil || string(b[:n]) != "hello" {
			t.Errorf("%v: %q, %v", x, b[:n], err)
		}
	}
	four, err := listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer four.Close()
	if err := four.send(netip.MustParseAddrPort("[::1]:9"), nil); err == nil {
		t.Error("IPv6 by a socket of IPv4")
	}
}

// TestSendDoesNotWait: datagrams to a host that does not answer ARP fill the send buffer, and then they fail at once.
func TestSendDoesNotWait(t *testing.T) {
	var s *peerSocket
	err := lvstest.NewPair(t).Directors[0].Do(func() (err error) {
		s, err = listen(netip.AddrPortFrom(lvstest.DirectorAddr(0), 0))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.SetWriteBuffer(8 << 10); err != nil {
		t.Fatal(err)
	}
	nobody := netip.MustParseAddrPort("192.0.2.250:7302")
	full := make(chan error, 1)
	go func() {
		for {
			if err := s.send(nobody, make([]byte, 1400)); err != nil {
				full <- err
				return
			}
		}
	}()
	select {
	case err := <-full:
		if !errors.Is(err, unix.EAGAIN) {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits")
	}
}
