package health

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/miekg/dns"
)

// echoUDP answers each datagram with what answer makes of it; nil = with nothing.
func echoUDP(t *testing.T, answer func(b []byte) []byte) netip.AddrPort {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 2048)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if a := answer(b[:n]); a != nil {
				_, _ = c.WriteTo(a, from)
			}
		}
	}()
	t.Cleanup(func() {
		c.Close()
		<-done
	})
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

func TestUDPProbe(t *testing.T) {
	at := echoUDP(t, func(b []byte) []byte { return append([]byte("got:"), b...) })
	long := echoUDP(t, func([]byte) []byte { return make([]byte, 1472) })
	silent := echoUDP(t, func([]byte) []byte { return nil })
	for _, c := range []struct {
		addr netip.AddrPort
		q    UDPQuery
		want string
	}{
		{at, UDPQuery{}, `ok: reply of 4 bytes in .*`},
		{at, UDPQuery{Payload: "0a 0B"}, `ok: reply of 6 bytes in .*`},
		{at, UDPQuery{Text: "hi", Reply: "676F 743a X8 Xx"}, `ok: reply of 6 bytes in .*`},
		{at, UDPQuery{Text: "hi", Reply: "6748"}, `reply begins with 676f, want 6748`},
		{at, UDPQuery{Text: "hi", Reply: "676f743a686900"}, `reply begins with 676f743a6869, want 676f743a686900`},
		{at, UDPQuery{MinReply: 5}, `reply of 4 bytes, want at least 5`},
		{at, UDPQuery{MaxReply: 3}, `reply of 4 bytes, want at most 3`},
		{long, UDPQuery{MaxReply: 1400}, `reply of 1401 bytes, want at most 1400`},
		{silent, UDPQuery{}, `ok: no reply, and nobody said within 50ms that the port is closed`},
		{silent, UDPQuery{RequireReply: true}, `no reply within 50ms`},
		{silent, UDPQuery{Reply: "00"}, `no reply within 50ms`},
		{at, UDPQuery{Payload: "x"}, `not asked: the payload is not hexadecimal: .*`},
		{at, UDPQuery{Reply: "x"}, `not asked: a reply of 1 digits: .*`},
	} {
		timeout := 10 * time.Second
		if c.addr == silent {
			timeout = 50 * time.Millisecond
		}
		detail, err := ask(t, Target{Type: TypeUDP, Addr: c.addr, Timeout: timeout, Interval: timeout, Protocols: Protocols{UDP: c.q}})
		wantText(t, detail, err, c.want)
	}
}

func TestDNSProbe(t *testing.T) {
	answer := func(b []byte, change func(q, r *dns.Msg)) []byte {
		q, r := new(dns.Msg), new(dns.Msg)
		if err := q.Unpack(b); err != nil {
			t.Error(err)
		}
		r.SetReply(q)
		change(q, r)
		out, err := r.Pack()
		if err != nil {
			t.Error(err)
		}
		return out
	}
	zone := func(q, r *dns.Msg) {
		for _, text := range map[string][]string{
			"a.example.": {"a.example. 60 IN CNAME b.example.", "b.example. 60 IN A 192.0.2.7"},
			"t.example.": {`t.example. 60 IN TXT "v=1 fine"`},
		}[q.Question[0].Name] {
			rr, err := dns.NewRR(text)
			if err != nil {
				t.Error(err)
			}
			r.Answer = append(r.Answer, rr)
		}
		if len(r.Answer) == 0 {
			r.Rcode = dns.RcodeNameError
		}
	}
	at := echoUDP(t, func(b []byte) []byte { return answer(b, zone) })
	stray := echoUDP(t, func(b []byte) []byte { return answer(b, func(_, r *dns.Msg) { r.Id++ }) })
	other := echoUDP(t, func(b []byte) []byte { return answer(b, func(_, r *dns.Msg) { r.Question[0].Name = "x." }) })
	mirror := echoUDP(t, func(b []byte) []byte { return b })
	garbage := echoUDP(t, func(b []byte) []byte { return append(b[:2:2], "\x80\x00\xff\xff\xff\xff\xff\xff\xff\xffgarbage"...) })
	cut := echoUDP(t, func(b []byte) []byte { return answer(b, func(_, r *dns.Msg) { r.Truncated = true }) })
	silent := echoUDP(t, func([]byte) []byte { return nil })
	for _, c := range []struct {
		addr netip.AddrPort
		q    DNSQuery
		want string
	}{
		{at, DNSQuery{Name: "a.example", Record: "A"}, `ok: NOERROR, 2 records in .*`},
		{at, DNSQuery{Name: "a.example", Record: "A", Answer: "192.0.2.7"}, `ok: NOERROR, 2 records in .*`},
		{at, DNSQuery{Name: "a.example", Record: "A", Answer: "192.0.2.70"}, `no record with "192.0.2.70" among 2 records`},
		{at, DNSQuery{Name: "a.example", Record: "A", Answer: "b.example"}, `ok: NOERROR, 2 records in .*`},
		{at, DNSQuery{Name: "t.example", Record: "TXT", Answer: "fine"}, `ok: NOERROR, 1 record in .*`},
		{at, DNSQuery{}, `NXDOMAIN, want NOERROR`},
		{at, DNSQuery{Rcode: "NXDOMAIN"}, `ok: NXDOMAIN, 0 records in .*`},
		{stray, DNSQuery{}, `no answer within 50ms`},
		{other, DNSQuery{}, `not an answer to the question`},
		{mirror, DNSQuery{}, `not an answer to the question`},
		{garbage, DNSQuery{}, `not a DNS answer: .*`},
		{cut, DNSQuery{Answer: "x"}, `no record with "x" among 0 records \(cut off: use transport = "tcp"\)`},
		{silent, DNSQuery{}, `no answer within 50ms`},
		{at, DNSQuery{Record: "x"}, `not asked: there is no record type "x"`},
	} {
		timeout := 10 * time.Second
		if c.addr == silent || c.addr == stray {
			timeout = 50 * time.Millisecond
		}
		detail, err := ask(t, Target{Type: TypeDNS, Addr: c.addr, Timeout: timeout, Interval: timeout, Protocols: Protocols{DNS: c.q}})
		wantText(t, detail, err, c.want)
	}
}

// inNamespace runs f on a network of its own, with loopback and nothing else.
func inNamespace(t *testing.T, pingRange string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Logf("a namespace takes root: %v", err)
			return
		}
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer unix.Close(fd)
		ifr, _ := unix.NewIfreq("lo")
		ifr.SetUint16(unix.IFF_UP)
		if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr); err != nil {
			t.Error(err)
			return
		}
		if err := os.WriteFile("/proc/sys/net/ipv4/ping_group_range", []byte(pingRange), 0); err != nil {
			t.Logf("ping_group_range: %v", err)
		}
		f()
	}()
	<-done
}

// TestPingProbe is on both kinds of sockets, in a namespace of its own.
func TestPingProbe(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("it takes root, for a namespace and a raw socket")
	}
	for name, pingRange := range map[string]string{"datagram": "0 0", "raw": "1 0"} {
		t.Run(name, func(t *testing.T) {
			inNamespace(t, pingRange, func() {
				for _, c := range []struct{ addr, source, want string }{
					{"127.0.0.1", "", `ok: echo in .*`},
					{"127.0.0.9", "127.0.0.77", `ok: echo in .*`},
					{"::1", "", `ok: echo in .*`},
					{"::1", "::1", `ok: echo in .*`},
					{"192.0.2.1", "", `connect: network is unreachable`},
					{"127.0.0.1", "192.0.2.9", `not asked: bind: cannot assign requested address`},
				} {
					target := Target{Type: TypePing, Addr: netip.AddrPortFrom(netip.MustParseAddr(c.addr), 0)}
					if c.source != "" {
						target.Egress = Egress{Source: netip.MustParseAddr(c.source), Interface: "lo"}
					}
					socket, err := pingSocket(target)
					if err == nil {
						socket.Close()
					}
					if refused := errors.Is(err, syscall.EACCES); refused != (name == "raw") {
						t.Errorf("the datagram socket: %v", err)
					}
					target = target.withDefaults()
					ctx, cancel := context.WithTimeout(t.Context(), target.Timeout)
					a, err := probers(dialTarget, nil)[TypePing].Probe(ctx, target)
					cancel()
					wantText(t, a.Detail, err, c.want)
				}
			})
		})
	}
}
