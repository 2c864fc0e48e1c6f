package nft

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quorate/lvs"
	"quorate/lvs/conntrack"
	"quorate/lvs/lvstest"
	"quorate/lvs/suspect"
)

// TestUnanswered: of three servers one answers, one refuses and one is not there. The kernel tells the three apart, for both families.
func TestUnanswered(t *testing.T) {
	b := lvstest.NewBed(t)
	p := b.Plane(t, open)
	var refusals *Refusals
	err := b.Director.Do(func() (err error) {
		refusals, err = OpenRefusals()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { refusals.Close() })
	look := func() (l suspect.Look) {
		t.Helper()
		err := b.Director.Do(func() (err error) {
			l, err = Unanswered()
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	var services []lvs.Service
	for _, vip := range []netip.Addr{lvstest.VIP4, lvstest.VIP6} {
		well := b.Servers[0].Addr(vip)
		refuses := netip.AddrPortFrom(well.Addr(), 1)
		absent := netip.MustParseAddrPort(map[bool]string{true: "10.9.0.99:80", false: "[fd00:9::99]:80"}[vip.Is4()])
		for i, server := range []netip.AddrPort{well, refuses, absent} {
			services = append(services, lvs.Service{Addr: vip, Port: uint16(80 + i), Protocol: lvs.TCP, Scheduler: "rr", Forward: lvs.NAT,
				Destinations: []lvs.Destination{{Addr: server, Weight: 1}}})
			if i == 2 { // a datagram need not be answered
				s := services[len(services)-1]
				s.Protocol = lvs.UDP
				s.Destinations = []lvs.Destination{{Addr: netip.AddrPortFrom(server.Addr(), 53), Weight: 1}}
				services = append(services, s)
			}
		}
	}
	if st, err := p.Reconcile(lvs.Scope{}, services); err != nil {
		t.Fatal(err, st)
	}
	for _, s := range services {
		t.Run(fmt.Sprint(s.Key()), func(t *testing.T) {
			server := s.Destinations[0].Addr
			to := netip.AddrPortFrom(s.Addr, s.Port).String()
			waits := func() (yes bool) {
				for c, left := range look().Left {
					if c.Server == server {
						yes = true
						if c.Virtual.String() != to || left <= 0 || left > time.Hour {
							t.Errorf("%v waits, for %s more", c, left)
						}
					}
				}
				return yes
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			dialled := make(chan error, 1)
			go func() {
				dialled <- b.Client.Do(func() error {
					c, err := new(net.Dialer).DialContext(ctx, s.Protocol, to)
					if err != nil {
						return nil // which of them answer is not asked here
					}
					defer c.Close()
					_, err = c.Write([]byte("x\n"))
					return err
				})
			}()
			waiting := false
			if s.Protocol == lvs.TCP && s.Port == 82 { // nothing ends the attempt
				for ; !waiting && ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
					waiting = waits()
				}
				cancel()
				if !waiting {
					t.Error("without an answer, and nothing waits for it")
				}
			}
			if err := <-dialled; err != nil {
				t.Fatal(err)
			}
			refused := map[netip.AddrPort]bool{}
			if err := refusals.Next(func(server netip.AddrPort) { refused[server] = true }); err != nil {
				t.Fatal(err)
			}
			if want := s.Protocol == lvs.TCP && s.Port == 81; refused[server] != want || len(refused) > 1 {
				t.Errorf("refused: %v, want %t", refused, want)
			}
			if !waiting && waits() {
				t.Error("an answer is waited for")
			}
		})
	}
}

// FuzzRefusals: whatever the kernel would send, nothing panics.
func FuzzRefusals(f *testing.F) {
	flow := conntrack.Flow{Status: conntrack.Confirmed | conntrack.DstNAT, Timeout: 120, State: tcpSynSent,
		Orig:  conntrack.Tuple{Protocol: unix.IPPROTO_TCP, Src: netip.MustParseAddrPort("192.0.2.1:1000"), Dst: netip.MustParseAddrPort("192.0.2.10:80")},
		Reply: conntrack.Tuple{Protocol: unix.IPPROTO_TCP, Src: netip.MustParseAddrPort("10.9.0.11:81"), Dst: netip.MustParseAddrPort("192.0.2.1:1000")}}
	message := flow.AppendNew(make([]byte, unix.NLMSG_HDRLEN), flow.Reply.Src)
	message[0], message[1] = byte(len(message)), byte(len(message)>>8)
	message[4], message[5] = conntrack.Delete&0xff, conntrack.Delete>>8
	seen := 0
	if err := refusalsIn(message, func(a netip.AddrPort) {
		if seen++; a != flow.Reply.Src {
			f.Errorf("%v is said to have refused", a)
		}
	}); err != nil || seen != 1 {
		f.Errorf("%d refusals, %v", seen, err)
	}
	f.Add(message)
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = refusalsIn(b, func(a netip.AddrPort) {})
	})
}

// BenchmarkUnanswered: a look at a table of so many connections, of which ten have no answer, and what a list of all of them costs.
func BenchmarkUnanswered(b *testing.B) {
	bed := lvstest.NewBed(b)
	for _, n := range []int{1000, 100_000} {
		if err := bed.Director.Do(func() error { return fill(n) }); err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			err := bed.Director.Do(func() error {
				for b.Loop() {
					l, err := Unanswered()
					if err != nil {
						return err
					}
					if len(l.Left) < 10 || len(l.Left) > n/50 {
						return fmt.Errorf("%d connections without an answer", len(l.Left))
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		})
		b.Run(fmt.Sprint(n, "/all"), func(b *testing.B) {
			err := bed.Director.Do(func() error {
				for b.Loop() {
					for _, err := range Connections() {
						if err != nil {
							return err
						}
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}

// fill puts n connections into the kernel's table, ten of them without an answer.
func fill(n int) error {
	for i := range n {
		client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, byte(i >> 14), byte(n % 251)}), uint16(1024+i&0x3fff))
		f := conntrack.Flow{Status: conntrack.Confirmed | conntrack.SeenReply, Timeout: 600, State: tcpEstablished,
			Orig:  conntrack.Tuple{Protocol: unix.IPPROTO_TCP, Src: client, Dst: netip.MustParseAddrPort("192.0.2.10:80")},
			Reply: conntrack.Tuple{Protocol: unix.IPPROTO_TCP, Src: netip.MustParseAddrPort("192.0.2.10:80"), Dst: client}}
		if i < 10 {
			f.Status, f.State = conntrack.Confirmed, tcpSynSent
		}
		if err := put(f, netip.MustParseAddrPort("10.9.0.11:8080")); err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
	}
	return nil
}

// put puts a connection to a server into the kernel's table, if it is not there.
func put(f conntrack.Flow, server netip.AddrPort) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	m := f.AppendNew(make([]byte, unix.NLMSG_HDRLEN), server)
	nativeHeader(m, conntrack.New, unix.NLM_F_REQUEST|unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
	if err := unix.Sendto(fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	k, _, err := unix.Recvfrom(fd, answer, 0)
	if err == nil {
		err = failure(answer[:k])
	}
	if errors.Is(err, unix.EEXIST) {
		err = nil
	}
	return err
}

func nativeHeader(m []byte, kind, flags uint16) {
	for i, b := range []byte{byte(len(m)), byte(len(m) >> 8), 0, 0, byte(kind), byte(kind >> 8), byte(flags), byte(flags >> 8)} {
		m[i] = b
	}
}
