package gate

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/packet"
	vnl "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"quorate/lvs"
	"quorate/lvs/lvstest"
	"quorate/lvs/nft"
)

// nftBed is a director that has the cluster addresses, gated, and a client that asks for them.
type nftBed struct {
	*lvstest.Bed
	gate *nftGate
}

func newNFTBed(t testing.TB) nftBed {
	t.Helper()
	b := nftBed{Bed: lvstest.NewBed(t)}
	b.gate = b.open(t)
	return b
}

func (b nftBed) open(t testing.TB) *nftGate {
	t.Helper()
	g, err := openNFT(Options{In: b.Director.Do})
	nftMust(t, err)
	t.Cleanup(func() { g.Close() })
	return g.(*nftGate)
}

func nftMust(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// both are the entries of both cluster addresses.
func both(e Entry) []Entry {
	a, b := e, e
	a.Addr, b.Addr = lvstest.VIP4, lvstest.VIP6
	return []Entry{a, b}
}

func (b nftBed) set(t testing.TB, e Entry) {
	t.Helper()
	nftMust(t, b.gate.Set(both(e)))
}

// echo answers datagrams to a's port 7, from a.
func (b nftBed) echo(t testing.TB, a netip.Addr) {
	t.Helper()
	var c net.PacketConn
	nftMust(t, b.Director.Do(func() (err error) {
		c, err = net.ListenPacket("udp", netip.AddrPortFrom(a, 7).String())
		return err
	}))
	t.Cleanup(func() { c.Close() })
	go func() {
		buf := make([]byte, 64)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			c.WriteTo(buf[:n], from)
		}
	}()
}

// forget empties the client's neighbour table: it has to ask again for who has the address.
func (b nftBed) forget(t testing.TB) {
	t.Helper()
	nftMust(t, b.Client.Do(func() error {
		l, err := vnl.LinkByName("front")
		if err != nil {
			return err
		}
		for _, f := range []int{vnl.FAMILY_V4, vnl.FAMILY_V6} {
			list, err := vnl.NeighList(l.Attrs().Index, f)
			if err != nil {
				return err
			}
			for _, n := range list {
				vnl.NeighDel(&n)
			}
		}
		return nil
	}))
}

// dial is a client's socket to the echo of a.
func (b nftBed) dial(t testing.TB, a netip.Addr) net.Conn {
	t.Helper()
	var c net.Conn
	nftMust(t, b.Client.Do(func() (err error) {
		c, err = net.Dial("udp", netip.AddrPortFrom(a, 7).String())
		return err
	}))
	t.Cleanup(func() { c.Close() })
	return c
}

// ask sends datagrams until one is answered, for so long.
func ask(c net.Conn, patience time.Duration) bool {
	buf := make([]byte, 8)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		c.Write([]byte("?"))
		c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		if _, err := c.Read(buf); err == nil {
			return true
		}
	}
	return false
}

// probe is how long silence is listened to; an answer takes less than a millisecond.
const probe = 200 * time.Millisecond

// listens is for how long to listen for an answer that is to come, or for one that is not.
func listens(want bool) time.Duration {
	if want {
		return patience
	}
	return probe
}

// answers demands that a is found from an empty neighbour table and answers, or that it does not.
func (b nftBed) answers(t testing.TB, a netip.Addr, want bool, what string) {
	t.Helper()
	b.forget(t)
	if got := ask(b.dial(t, a), listens(want)); got != want {
		drops, _ := b.gate.Drops()
		t.Errorf("%s: %s answers: %t; drops: %v", what, a, got, drops)
	}
}

func (b nftBed) drops(t testing.TB, d Direction, p Protocol, r Reason) (n uint64) {
	t.Helper()
	all, err := b.gate.Drops()
	nftMust(t, err)
	for _, c := range all {
		if c.Direction == d && c.Protocol == p && c.Reason == r {
			n = c.Frames
		}
	}
	return n
}

// TestNFTOnTheWire: closed, no ARP, neighbour discovery or packet is answered; open, all are.
func TestNFTOnTheWire(t *testing.T) {
	b := newNFTBed(t)
	for _, a := range []netip.Addr{lvstest.VIP4, lvstest.VIP6} {
		b.echo(t, a)
		b.answers(t, a, true, "not a cluster address")
	}
	open := Entry{Epoch: 1<<40 + 7, ARP: true, IP: true}
	for _, c := range []struct {
		what  string
		entry Entry
		lease uint64 // epoch that is renewed
		reach bool   // by who knows the MAC
		found bool   // by who does not
	}{
		{"closed", Entry{}, 7, false, false},
		{"open", open, 1<<40 + 7, true, true},
		{"open under another epoch, of the same low bits", open, 7, false, false},
		{"claims only", Entry{Epoch: 7, ARP: true}, 7, false, false},
		{"packets only", Entry{Epoch: 7, IP: true}, 7, true, false},
		{"linger", Entry{Epoch: 7, IP: true, IPUntil: bootNow() + time.Hour}, 7, true, false},
		{"linger that is over", Entry{Epoch: 7, IP: true, IPUntil: 1}, 7, false, false},
		{"linger without a lease", Entry{Epoch: 8, IP: true, IPUntil: bootNow() + time.Hour}, 7, false, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			for _, a := range []netip.Addr{lvstest.VIP4, lvstest.VIP6} {
				// The client learns the MAC while nothing gates it.
				nftMust(t, b.gate.Set(nil))
				b.answers(t, a, true, "no longer a cluster address")
				b.set(t, c.entry)
				for _, e := range []uint64{7, 1<<40 + 7} {
					nftMust(t, b.gate.Renew(e, 0))
				}
				nftMust(t, b.gate.Renew(c.lease, bootNow()+time.Hour))
				if got := ask(b.dial(t, a), listens(c.reach)); got != c.reach {
					t.Errorf("%s answers who knows its MAC: %t", a, got)
				}
				b.answers(t, a, c.found, "asked for its MAC")
			}
		})
	}
	for _, d := range []Drops{{In, ARP, Closed, 0}, {In, ARP, Expired, 0}, {In, NDP, Closed, 0}, {In, NDP, Expired, 0}, {In, IP, Closed, 0}, {In, IP, Expired, 0}} {
		if b.drops(t, d.Direction, d.Protocol, d.Reason) == 0 {
			t.Errorf("nothing was counted as %v", d)
		}
	}
}

// neighbours empties the director's neighbour table.
func (b nftBed) neighbours(t testing.TB) {
	t.Helper()
	nftMust(t, b.Director.Do(func() error {
		l, err := vnl.LinkByName("front")
		if err != nil {
			return err
		}
		list, err := vnl.NeighList(l.Attrs().Index, 0)
		for _, n := range list {
			vnl.NeighDel(&n)
		}
		return err
	}))
}

// TestNFTOut: what this host's kernel says in the name of a closed address is dropped: asking for a neighbour with it as the source,
// and packets.
func TestNFTOut(t *testing.T) {
	b := newNFTBed(t)
	nftMust(t, b.gate.Renew(7, bootNow()+time.Hour))
	for _, c := range []struct {
		vip      netip.Addr
		protocol Protocol
	}{{lvstest.VIP4, ARP}, {lvstest.VIP6, NDP}} {
		say := func() {
			nftMust(t, b.Director.Do(func() error {
				d := net.Dialer{LocalAddr: net.UDPAddrFromAddrPort(netip.AddrPortFrom(c.vip, 0))}
				conn, err := d.Dial("udp", netip.AddrPortFrom(lvstest.Clients(c.vip)[0], 9).String())
				if err != nil {
					return err
				}
				conn.Write([]byte("!")) // EPERM is the hook's
				return conn.Close()
			}))
		}
		b.set(t, Entry{})
		before := b.drops(t, Out, IP, Closed)
		say()
		if b.drops(t, Out, IP, Closed) == before {
			t.Errorf("%s: a packet from a closed address was not dropped", c.vip)
		}
		b.set(t, Entry{Epoch: 7, IP: true})
		b.neighbours(t)
		before = b.drops(t, Out, c.protocol, Closed)
		say()
		if b.drops(t, Out, c.protocol, Closed) == before {
			t.Errorf("%s: a question in its name was not dropped while only packets pass", c.vip)
		}
		b.set(t, Entry{Epoch: 8, ARP: true, IP: true})
		before = b.drops(t, Out, IP, Expired)
		say()
		if b.drops(t, Out, IP, Expired) == before {
			t.Errorf("%s: a packet from an address without a lease was not dropped", c.vip)
		}
	}
}

// ip6Packet is a packet of an IPv6 header and what follows it.
func ip6Packet(source, destination netip.Addr, next byte, payload []byte) []byte {
	p := append([]byte{0x60, 0, 0, 0, 0, byte(len(payload)), next, 255}, source.AsSlice()...)
	return append(append(p, destination.AsSlice()...), payload...)
}

// TestNFTNeighbourDiscoveryOut: of neighbour discovery, what claims a closed address is dropped, and nothing else.
func TestNFTNeighbourDiscoveryOut(t *testing.T) {
	b := newNFTBed(t)
	nftMust(t, b.gate.Renew(7, bootNow()+time.Hour))
	own, client, other := netip.MustParseAddr("2001:db8:2::2"), lvstest.Clients(lvstest.VIP6)[0], netip.MustParseAddr("2001:db8:2::99")
	vip, none := lvstest.VIP6, netip.IPv6Unspecified()
	nd := func(typ byte, target netip.Addr) []byte {
		return append([]byte{typ, 0, 0, 0, 0, 0, 0, 0}, target.AsSlice()...)
	}
	send := func(p []byte) {
		nftMust(t, b.Director.Do(func() error {
			fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW, unix.IPPROTO_RAW)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			if err = unix.Sendto(fd, p, 0, &unix.SockaddrInet6{Addr: client.As16()}); errors.Is(err, unix.EPERM) {
				err = nil // the hook's
			}
			return err
		}))
	}
	for _, c := range []struct {
		what   string
		packet []byte
		drops  Protocol // when claims are closed; "" = passes
	}{
		{"advertising it", ip6Packet(own, client, 58, nd(136, vip)), NDP},
		{"advertising it behind a destination option", ip6Packet(own, client, 60, append([]byte{58, 0, 1, 4, 0, 0, 0, 0}, nd(136, vip)...)), NDP},
		{"advertising another address", ip6Packet(own, client, 58, nd(136, other)), ""},
		{"asking for it", ip6Packet(own, client, 58, nd(135, vip)), ""},
		{"probing for it", ip6Packet(none, client, 58, nd(135, vip)), NDP},
		{"probing for another", ip6Packet(none, client, 58, nd(135, other)), ""},
		{"asking with it as the source", ip6Packet(vip, client, 58, nd(135, other)), NDP},
		{"asking for a router with it as the source", ip6Packet(vip, client, 58, nd(133, none)), NDP},
		{"an echo from it", ip6Packet(vip, client, 58, nd(128, none)), IP},
		{"a packet from another", ip6Packet(own, client, 59, nil), ""},
	} {
		for _, e := range []Entry{{}, {Epoch: 7, IP: true}, {Epoch: 7, ARP: true, IP: true}} {
			want := c.drops
			if e.ARP || e.IP && want == IP {
				want = ""
			}
			b.set(t, e)
			ndp, ip := b.drops(t, Out, NDP, Closed), b.drops(t, Out, IP, Closed)
			send(c.packet)
			ndp, ip = b.drops(t, Out, NDP, Closed)-ndp, b.drops(t, Out, IP, Closed)-ip
			if (ndp > 0) != (want == NDP) || (ip > 0) != (want == IP) {
				t.Errorf("%s with claims %t, packets %t: %d dropped as NDP, %d as IP, want %q", c.what, e.ARP, e.IP, ndp, ip, want)
			}
		}
	}
}

// TestNFTHearsTheOwner: the announcement of an address's owner reaches the neighbour table of a host where it is closed, and the host
// can ask for it.
func TestNFTHearsTheOwner(t *testing.T) {
	b := newNFTBed(t)
	owned := netip.MustParseAddr("192.0.2.77")
	nftMust(t, b.Client.Do(func() error {
		l, err := vnl.LinkByName("front")
		if err != nil {
			return err
		}
		a, _ := vnl.ParseAddr(owned.String() + "/24")
		return vnl.AddrAdd(l, a)
	}), b.gate.Set([]Entry{{Addr: owned}}))
	// The bed's client owns it, and answers the director.
	var c net.PacketConn
	nftMust(t, b.Client.Do(func() (err error) {
		c, err = net.ListenPacket("udp", netip.AddrPortFrom(owned, 7).String())
		return err
	}))
	defer c.Close()
	go func() {
		buf := make([]byte, 8)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			c.WriteTo(buf[:n], from)
		}
	}()
	nftMust(t, b.Director.Do(func() error {
		conn, err := net.Dial("udp", netip.AddrPortFrom(owned, 7).String())
		if err != nil {
			return err
		}
		defer conn.Close()
		if !ask(conn, 3*time.Second) {
			return errors.New("the owner of an address that is closed here cannot be reached")
		}
		return nil
	}))
	// It moves, and its new owner announces it (gratuitous ARP).
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 0x77}
	nftMust(t, b.Client.Do(func() error {
		l, err := net.InterfaceByName("front")
		if err != nil {
			return err
		}
		c, err := packet.Listen(l, packet.Raw, 0, nil)
		if err != nil {
			return err
		}
		defer c.Close()
		f := slices.Concat([]byte{255, 255, 255, 255, 255, 255}, mac, []byte{8, 6, 0, 1, 8, 0, 6, 4, 0, 1}, mac, owned.AsSlice(), make([]byte, 6), owned.AsSlice())
		_, err = c.WriteTo(f, &packet.Addr{HardwareAddr: net.HardwareAddr{255, 255, 255, 255, 255, 255}})
		return err
	}))
	learnt := false
	for end := time.Now().Add(3 * time.Second); !learnt && time.Now().Before(end); time.Sleep(time.Millisecond) {
		nftMust(t, b.Director.Do(func() error {
			l, err := vnl.LinkByName("front")
			if err != nil {
				return err
			}
			list, err := vnl.NeighList(l.Attrs().Index, vnl.FAMILY_V4)
			learnt = slices.ContainsFunc(list, func(n vnl.Neigh) bool {
				return n.IP.String() == owned.String() && n.HardwareAddr.String() == mac.String()
			})
			return err
		}))
	}
	if !learnt {
		t.Error("the announcement of an address that is closed here was not learnt")
	}
}

// TestNFTNATReply: the reply of a server behind NAT, whose source becomes the cluster address on the way, is dropped when that is
// closed, also for a connection from before.
func TestNFTNATReply(t *testing.T) {
	b := newNFTBed(t)
	p := b.Plane(t, func() (lvs.Plane, error) { return nft.New() })
	for _, vip := range []netip.Addr{lvstest.VIP4, lvstest.VIP6} {
		t.Run(vip.String(), func(t *testing.T) {
			server := netip.MustParseAddr("10.9.0.11")
			if vip.Is6() {
				server = netip.MustParseAddr("fd00:9::11")
			}
			pc, err := listenIn(b.Servers[0].Host, server)
			nftMust(t, err)
			defer pc.Close()
			svc := lvs.Service{Addr: vip, Port: 7, Protocol: lvs.UDP, Scheduler: "rr", Forward: lvs.NAT,
				Destinations: []lvs.Destination{{Addr: netip.AddrPortFrom(server, 7777), Weight: 1}}}
			_, err = p.Reconcile(lvs.Scope{}, []lvs.Service{svc})
			nftMust(t, err)
			b.set(t, Entry{Epoch: 7, ARP: true, IP: true})
			nftMust(t, b.gate.Renew(7, bootNow()+time.Hour))
			c := b.dial(t, vip)
			c.Write([]byte("?"))
			buf := make([]byte, 8)
			nftMust(t, c.SetReadDeadline(time.Now().Add(3*time.Second)))
			_, client, err := pc.ReadFrom(buf)
			nftMust(t, err)
			answer := func() error {
				_, err := pc.WriteTo([]byte("!"), client)
				return err
			}
			nftMust(t, answer())
			if _, err := c.Read(buf); err != nil {
				t.Fatalf("the reply did not come while the address was open: %v", err)
			}
			before := b.drops(t, Out, IP, Closed)
			b.set(t, Entry{})
			nftMust(t, answer(), c.SetReadDeadline(time.Now().Add(probe)))
			if _, err := c.Read(buf); err == nil {
				t.Error("the reply came from a closed address")
			}
			if b.drops(t, Out, IP, Closed) == before {
				t.Error("the reply was not counted")
			}
			before = b.drops(t, In, IP, Closed)
			c.Write([]byte("?"))
			nftMust(t, pc.SetReadDeadline(time.Now().Add(probe)))
			if _, _, err := pc.ReadFrom(buf); err == nil {
				t.Error("a packet to a closed address reached the server")
			}
			if b.drops(t, In, IP, Closed) == before {
				t.Error("the packet was not counted")
			}
		})
	}
}

func listenIn(h *lvstest.Host, a netip.Addr) (c net.PacketConn, err error) {
	err = h.Do(func() error {
		c, err = net.ListenPacket("udp", netip.AddrPortFrom(a, 7777).String())
		return err
	})
	return c, err
}

// falls asks every millisecond until there was no answer for 300 ms. last is when the last question that was answered was about to
// be sent: so no wait for a processor makes the gate look late.
func falls(t testing.TB, c net.Conn) (last time.Duration) {
	t.Helper()
	type question struct {
		before   time.Duration
		answered bool
	}
	var mu sync.Mutex
	asked := make([]question, 0, 10000)
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			mu.Lock()
			i := len(asked)
			asked = append(asked, question{before: bootNow()})
			mu.Unlock()
			c.Write(binary.BigEndian.AppendUint64(nil, uint64(i)))
		}
	}()
	buf := make([]byte, 8)
	for {
		c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		n, err := c.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err == nil && n == 8 {
			mu.Lock()
			asked[binary.BigEndian.Uint64(buf)].answered = true
			mu.Unlock()
		}
	}
	close(done)
	mu.Lock()
	defer mu.Unlock()
	for _, q := range asked {
		if q.answered {
			last = q.before
		}
	}
	return last
}

// dropped is how many packets the gate has dropped.
func (b nftBed) dropped() (n uint64, err error) {
	all, err := b.gate.Drops()
	for _, c := range all {
		if c.Protocol == IP {
			n += c.Frames
		}
	}
	return n, err
}

// TestNFTDeadline: a lease of 300 ms, a lease that is renewed once, and a linger, all end at their instant, to some ticks. That they do not end late
// the answers show, and that they do not end early what the gate has dropped: an answer that does not come may have waited for a processor.
func TestNFTDeadline(t *testing.T) {
	b := newNFTBed(t)
	b.echo(t, lvstest.VIP4)
	for _, c := range []struct {
		what  string
		begin func(until time.Duration)
	}{
		{"lease", func(until time.Duration) {
			b.set(t, Entry{Epoch: 7, ARP: true, IP: true})
			nftMust(t, b.gate.Renew(7, until))
		}},
		{"renewed lease", func(until time.Duration) {
			b.set(t, Entry{Epoch: 7, ARP: true, IP: true})
			nftMust(t, b.gate.Renew(7, until-200*time.Millisecond), b.gate.Renew(7, until))
		}},
		{"lease made shorter", func(until time.Duration) {
			b.set(t, Entry{Epoch: 7, ARP: true, IP: true})
			nftMust(t, b.gate.Renew(7, until+time.Hour), b.gate.Renew(7, until))
		}},
		{"linger", func(until time.Duration) {
			nftMust(t, b.gate.Renew(7, until+time.Hour))
			b.set(t, Entry{Epoch: 7, IP: true, IPUntil: until})
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			nftMust(t, b.gate.Set(nil))
			b.answers(t, lvstest.VIP4, true, "not gated")
			until := bootNow() + 300*time.Millisecond
			c.begin(until)
			base, err := b.dropped() // what came between the two steps of the beginning
			begun := bootNow()
			nftMust(t, err)
			type count struct {
				n   uint64
				at  time.Duration // when the gate had been asked
				err error
			}
			early := make(chan count, 1)
			go func() {
				last := count{base, begun, nil}
				for {
					n, err := b.dropped()
					at := bootNow()
					if err == nil && at < until-40*time.Millisecond { // a tick is 10 ms at most, and a call may be redone
						last = count{n, at, nil}
						if n == base {
							continue
						}
					}
					last.err = err
					early <- last
					return
				}
			}()
			last := falls(t, b.dial(t, lvstest.VIP4))
			seen := <-early
			t.Logf("from its end, the last question that was answered: %s; nothing was dropped at %s", last-until, seen.at-until)
			if last-until > nftLate {
				t.Error("it ended late")
			}
			if seen.err != nil || seen.n != base {
				t.Errorf("it ended early, or never began: %d packets were dropped %s before its end (%v)", seen.n-base, until-seen.at, seen.err)
			}
		})
	}
}

// TestNFTRenewalsLoseNothing: of a thousand questions in a second, each is answered while the lease is renewed 200 times.
func TestNFTRenewalsLoseNothing(t *testing.T) {
	b := newNFTBed(t)
	b.echo(t, lvstest.VIP4)
	b.set(t, Entry{Epoch: 7, ARP: true, IP: true})
	nftMust(t, b.gate.Renew(7, bootNow()+10*time.Second))
	b.answers(t, lvstest.VIP4, true, "open")
	base, _ := b.gate.Drops()
	c := b.dial(t, lvstest.VIP4)
	stop := make(chan struct{})
	renewed := make(chan error, 1)
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for range 200 {
			<-tick.C
			if err := b.gate.Renew(7, bootNow()+10*time.Second); err != nil {
				renewed <- err
				return
			}
		}
		close(stop)
		renewed <- nil
	}()
	sent, got, buf := 0, 0, make([]byte, 8)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for running := true; running; {
		select {
		case <-stop:
			running = false
		case err := <-renewed:
			nftMust(t, err)
		case <-tick.C:
			if _, err := c.Write([]byte("?")); err == nil {
				sent++
			}
			c.SetReadDeadline(time.Now().Add(time.Second))
			if _, err := c.Read(buf); err == nil {
				got++
			}
		}
	}
	after, _ := b.gate.Drops()
	if got != sent || sent < 100 || !slices.Equal(base, after) {
		t.Errorf("%d of %d questions were answered; drops before and after: %v %v", got, sent, base, after)
	}
	t.Logf("%d of %d answered", got, sent)
}

const nftDaemon = "QUORATE_GATE_NFT_DAEMON"

// TestNFTFrozen: a process that holds the lease and is stopped leaves silence behind when the lease is over, and the same tables.
func TestNFTFrozen(t *testing.T) {
	if os.Getenv(nftDaemon) != "" {
		g, err := openNFT(Options{In: func(f func() error) error { return f() }})
		nftMust(t, err)
		nftMust(t, g.Set(both(Entry{Epoch: 7, ARP: true, IP: true})), g.Renew(7, bootNow()+250*time.Millisecond))
		fmt.Println("ready")
		for range time.Tick(50 * time.Millisecond) {
			g.Renew(7, bootNow()+250*time.Millisecond)
		}
	}
	b := newNFTBed(t)
	b.set(t, Entry{})
	b.echo(t, lvstest.VIP4)
	cmd := exec.Command(os.Args[0], "-test.run=^TestNFTFrozen$")
	cmd.Env = append(os.Environ(), nftDaemon+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	nftMust(t, err, b.Director.Do(cmd.Start))
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatal(line, err)
	}
	b.answers(t, lvstest.VIP4, true, "held by the other process")
	nftMust(t, cmd.Process.Signal(syscall.SIGSTOP))
	stopped := bootNow()
	last := falls(t, b.dial(t, lvstest.VIP4))
	t.Logf("the last answer came %s after the stop", last-stopped)
	if last-stopped > 260*time.Millisecond {
		t.Errorf("the last answer came %s after the stop, with a lease of 250 ms", last-stopped)
	}
	b.answers(t, lvstest.VIP4, false, "stopped")
	nftMust(t, cmd.Process.Signal(syscall.SIGCONT))
	b.answers(t, lvstest.VIP4, true, "continued")
	nftMust(t, cmd.Process.Kill())
	cmd.Wait()
	falls(t, b.dial(t, lvstest.VIP4))
	b.answers(t, lvstest.VIP4, false, "killed")
	// The next process finds it as it is, and a renewal is all that is missing.
	g := b.open(t)
	r, err := g.Check()
	nftMust(t, err)
	for _, l := range r.Links {
		if l.Err != nil || l.Mended != "" {
			t.Errorf("link %+v", l)
		}
	}
	nftMust(t, g.Renew(7, bootNow()+time.Hour))
	b.answers(t, lvstest.VIP4, true, "found again")
}

// inDirector changes nftables as another program would.
func (b nftBed) inDirector(t testing.TB, f func(*nftables.Conn)) {
	t.Helper()
	b.Director.Nftables(t, func(c *nftables.Conn) error { f(c); return nil })
}

// tables are the names of all tables.
func (b nftBed) tables(t testing.TB) (names []string) {
	t.Helper()
	b.Director.Nftables(t, func(c *nftables.Conn) error {
		list, err := c.ListTables()
		for _, x := range list {
			names = append(names, fmt.Sprintf("%d %s", x.Family, x.Name))
		}
		slices.Sort(names)
		return err
	})
	return names
}

// TestNFTOthers: tables of others stay as they are, and of ours nothing stays after Remove; the probe leaves nothing either.
func TestNFTOthers(t *testing.T) {
	b := nftBed{Bed: lvstest.NewBed(t)}
	policy := nftables.ChainPolicyAccept
	b.inDirector(t, func(c *nftables.Conn) {
		for _, f := range []nftables.TableFamily{famINet, famARP} {
			for _, name := range []string{"quorate", "quorate-gates", "filter"} {
				table := c.AddTable(&nftables.Table{Name: name, Family: f})
				ch := c.AddChain(&nftables.Chain{Table: table, Name: "prerouting", Type: nftables.ChainTypeFilter, Hooknum: arpIn, Priority: first, Policy: &policy})
				c.AddRule(&nftables.Rule{Table: table, Chain: ch, Exprs: []expr.Any{&expr.Counter{}}})
			}
		}
	})
	rules := func() (n int) {
		b.Director.Nftables(t, func(c *nftables.Conn) error {
			for _, f := range []nftables.TableFamily{famINet, famARP} {
				for _, name := range []string{"quorate", "quorate-gates", "filter"} {
					r, err := c.GetRules(&nftables.Table{Name: name, Family: f}, &nftables.Chain{Name: "prerouting"})
					if err != nil {
						return err
					}
					n += len(r)
				}
			}
			return nil
		})
		return n
	}
	before := b.tables(t)
	b.gate = b.open(t)
	b.set(t, Entry{Epoch: 7, ARP: true, IP: true})
	nftMust(t, b.gate.Renew(7, bootNow()+time.Hour))
	if got := len(b.tables(t)); got != len(before)+2 {
		t.Errorf("%d tables, want two more than %d", got, len(before))
	}
	_, err := b.gate.Check()
	nftMust(t, err, b.gate.Remove(), b.gate.Remove())
	if got := b.tables(t); !slices.Equal(got, before) {
		t.Errorf("after Remove: %q, before: %q", got, before)
	}
	if n := rules(); n != 6 {
		t.Errorf("the others' tables have %d rules, want 6", n)
	}
	if err := b.gate.Set(nil); !errors.Is(err, errRemoved) {
		t.Errorf("Set after Remove: %v", err)
	}
}

// TestNFTCheckMends: whatever another program does to the tables is found and mended. Until the next renewal all is closed.
func TestNFTCheckMends(t *testing.T) {
	b := newNFTBed(t)
	b.echo(t, lvstest.VIP4)
	policy := nftables.ChainPolicyAccept
	inet, arp := &nftables.Table{Name: nftTable, Family: famINet}, &nftables.Table{Name: nftTable, Family: famARP}
	for what, tamper := range map[string]func(*nftables.Conn){
		"all flushed":     func(c *nftables.Conn) { c.DelTable(inet); c.DelTable(arp) },
		"arp table gone":  func(c *nftables.Conn) { c.DelTable(arp) },
		"inet table gone": func(c *nftables.Conn) { c.DelTable(inet) },
		"rules flushed":   func(c *nftables.Conn) { c.FlushTable(inet) },
		"chain flushed":   func(c *nftables.Conn) { c.FlushChain(&nftables.Chain{Table: arp, Name: "input"}) },
		"rule before": func(c *nftables.Conn) {
			c.InsertRule(&nftables.Rule{Table: inet, Chain: &nftables.Chain{Name: "prerouting"}, Exprs: []expr.Any{accept}})
		},
		"rule of ours twice": func(c *nftables.Conn) {
			r := ethernet(expr.MetaKeyIIFTYPE)
			c.AddRule(&nftables.Rule{Table: inet, Chain: &nftables.Chain{Name: "prerouting"}, Exprs: r.exprs, UserData: r.userData()})
		},
		"unknown expression": func(c *nftables.Conn) {
			c.AddRule(&nftables.Rule{Table: inet, Chain: &nftables.Chain{Name: "prerouting"}, Exprs: []expr.Any{&expr.Notrack{}}, UserData: nftRule{}.userData()})
		},
		"chain added": func(c *nftables.Conn) { c.AddChain(&nftables.Chain{Table: inet, Name: "other"}) },
		"hook added": func(c *nftables.Conn) {
			c.AddChain(&nftables.Chain{Table: inet, Name: "other", Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter, Policy: &policy})
		},
		"set added": func(c *nftables.Conn) {
			c.AddSet(&nftables.Set{Table: arp, Name: "other", ID: 99, KeyType: nftables.TypeIPAddr}, nil)
		},
	} {
		t.Run(what, func(t *testing.T) {
			b.set(t, Entry{Epoch: 7, ARP: true, IP: true})
			nftMust(t, b.gate.Renew(7, bootNow()+time.Hour))
			b.inDirector(t, tamper)
			r, err := b.gate.Check()
			nftMust(t, err)
			if len(r.Links) != 2 || r.Links[0].Name != "back" || r.Links[1].Name != "front" {
				t.Fatalf("links: %+v", r.Links)
			}
			for _, l := range r.Links {
				if l.Err != nil || l.Mended == "" {
					t.Errorf("%+v", l)
				}
			}
			b.answers(t, lvstest.VIP4, false, "mended")
			nftMust(t, b.gate.Renew(7, bootNow()+time.Hour))
			b.answers(t, lvstest.VIP4, true, "renewed")
			if r, err = b.gate.Check(); err != nil || r.Links[0].Mended != "" {
				t.Errorf("a second check mends %+v, %v", r.Links, err)
			}
		})
	}
}

// TestNFTOtherVersion: tables of another layout are taken over closed: all addresses that can be read from them.
func TestNFTOtherVersion(t *testing.T) {
	b := newNFTBed(t)
	b.echo(t, lvstest.VIP4)
	b.set(t, Entry{Epoch: 7, ARP: true, IP: true})
	b.inDirector(t, func(c *nftables.Conn) {
		c.FlushChain(&nftables.Chain{Table: &nftables.Table{Name: nftTable, Family: famINet}, Name: "prerouting"})
	})
	g := b.open(t)
	_, err := g.Check()
	nftMust(t, err, g.Renew(7, bootNow()+time.Hour))
	b.answers(t, lvstest.VIP4, false, "taken over")
	b.answers(t, lvstest.VIP6, false, "taken over")
	nftMust(t, g.Set(both(Entry{Epoch: 7, ARP: true, IP: true})))
	b.answers(t, lvstest.VIP4, true, "set")
}

// TestNFTSetLists: Set finds what another program changed in the sets, changes in one pass what differs, and writes nothing when
// nothing does.
func TestNFTSetLists(t *testing.T) {
	b := newNFTBed(t)
	want := both(Entry{Epoch: 7, ARP: true, IP: true})
	want = append(want, Entry{Addr: netip.MustParseAddr("192.0.2.20"), Epoch: 7, IP: true, IPUntil: bootNow() + time.Hour})
	nftMust(t, b.gate.Set(want))
	state := func() content {
		var c content
		nftMust(t, b.Director.Do(func() (err error) { c, err = listSets(); return err }))
		return c
	}
	ideal, err := desired(want)
	nftMust(t, err)
	for what, f := range map[string]func(c *nftables.Conn, s map[setID]*nftables.Set){
		"flushed": func(c *nftables.Conn, s map[setID]*nftables.Set) {
			for id, set := range s {
				if id.name != "lease" {
					c.FlushSet(set)
				}
			}
		},
		"opened": func(c *nftables.Conn, s map[setID]*nftables.Set) {
			c.SetAddElements(s[setID{famINet, "ip4"}], []nftables.SetElement{{Key: []byte{1, 2, 3, 4}, Val: epochKey(9)}})
			c.SetAddElements(s[setID{famINet, "until4"}], []nftables.SetElement{{Key: []byte{1, 2, 3, 4}}})
		},
		"nothing": func(*nftables.Conn, map[setID]*nftables.Set) {},
	} {
		nftMust(t, b.Director.Do(func() error {
			tr := newTransaction(nftTable, bootNow)
			f(tr.conn, tr.sets)
			return tr.commit()
		}))
		asked := bootNow()
		nftMust(t, b.gate.Set(want))
		// What is left to an instant was reckoned when Set began, and counts in the kernel from when it was told.
		if s := diff(state(), ideal, asked, bootNow()); !s.empty() {
			t.Errorf("%s: still to do: %+v", what, s)
		}
	}
	err = b.gate.Set(append(want, want[0], Entry{}))
	if err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("an address twice: %v", err)
	}
	if _, ok := state().fixed[setID{famINet, "ip4"}][string(want[0].Addr.AsSlice())]; ok {
		t.Error("an address that is named twice is open")
	}
}

// TestNFTRenewGone: a renewal says that the table is gone.
func TestNFTRenewGone(t *testing.T) {
	b := newNFTBed(t)
	b.inDirector(t, func(c *nftables.Conn) { c.DelTable(&nftables.Table{Name: nftTable, Family: famARP}) })
	if err := b.gate.Renew(7, bootNow()+time.Hour); !errors.Is(err, unix.ENOENT) {
		t.Errorf("got %v", err)
	}
	nftMust(t, b.gate.Set(nil))
	nftMust(t, b.gate.Renew(7, bootNow()+time.Hour))
}

func TestNFTRenewAllocatesNothing(t *testing.T) {
	b := newNFTBed(t)
	if n := testing.AllocsPerRun(100, func() { nftMust(t, b.gate.Renew(7, bootNow()+time.Hour)) }); n > 1 { // bootNow's own
		t.Errorf("%.0f allocations", n)
	}
}

func BenchmarkNFTRenew(b *testing.B) {
	for _, n := range []int{0, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			bed := newNFTBed(b)
			nftMust(b, bed.gate.Set(many(n)))
			b.ReportAllocs()
			for b.Loop() {
				nftMust(b, bed.gate.Renew(7, bootNow()+time.Hour))
			}
		})
	}
}

// many are n addresses of each family, open.
func many(n int) (list []Entry) {
	a, b := netip.MustParseAddr("198.18.0.0"), netip.MustParseAddr("2001:db8::1")
	for range n {
		a, b = a.Next(), b.Next()
		list = append(list, Entry{Addr: a, Epoch: 7, ARP: true, IP: true}, Entry{Addr: b, Epoch: 7, ARP: true, IP: true})
	}
	return list
}

func BenchmarkNFTSet1000(b *testing.B) {
	bed := newNFTBed(b)
	open, closed := many(1000), many(1000)
	for i := range closed {
		closed[i] = Entry{Addr: closed[i].Addr}
	}
	nftMust(b, bed.gate.Set(open))
	b.Run("same", func(b *testing.B) {
		for b.Loop() {
			nftMust(b, bed.gate.Set(open))
		}
	})
	b.Run("close and open", func(b *testing.B) {
		for b.Loop() {
			nftMust(b, bed.gate.Set(closed), bed.gate.Set(open))
		}
	})
}

func BenchmarkNFTCheck(b *testing.B) {
	bed := newNFTBed(b)
	for b.Loop() {
		_, err := bed.gate.Check()
		nftMust(b, err)
	}
}
