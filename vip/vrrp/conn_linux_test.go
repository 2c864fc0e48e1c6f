package vrrp

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"

	"quorate/vip/viptest"
)

// take waits for n datagrams.
func (c *Conn) take(t testing.TB, n int) (all []Datagram) {
	t.Helper()
	must(t, c.SetReadDeadline(time.Now().Add(20*time.Second)))
	for len(all) < n {
		got, err := c.Receive()
		must(t, err)
		for _, d := range got {
			d.Payload = slices.Clone(d.Payload)
			all = append(all, d)
		}
	}
	return all
}

// TestConn: what one host sends the other hears as it was sent, with addresses and TTL, by multicast and unicast, over IPv4 and IPv6, from its own address and from
// one that it does not have; who sends does not hear it; others' VRIDs are not heard until they are asked for.
func TestConn(t *testing.T) {
	one, two := wire(t)
	for _, x := range []struct{ source, destination string }{
		{"192.168.1.10", "224.0.0.18"}, {"192.168.1.10", "192.168.1.1"}, {"192.168.1.77", "224.0.0.18"}, {"192.168.1.77", "192.168.1.1"},
		{"fe80::10", "ff02::12"}, {"fe80::10", "fe80::1"}, {"fe80::77", "ff02::12"}, {"fe80::77", "fe80::1"},
	} {
		t.Run(x.source+" to "+x.destination, func(t *testing.T) {
			family := FamilyOf(addr(x.source))
			in := one.conn(ConnOptions{Family: family, VRIDs: []VRID{51}})
			out := two.conn(ConnOptions{Family: family})
			c := Config{Version: V3, Priority: 100, Interval: time.Second, Addresses: []netip.Addr{addr(x.source)}, Source: addr(x.source)}
			if !addr(x.destination).IsMulticast() {
				c.Peers = addrs(x.destination)
			}
			say := func(v VRID) {
				t.Helper()
				c.VRID = v
				r, err := NewRouter(c)
				must(t, err)
				must(t, r.Compose(100, time.Now(), out.Send))
			}
			say(52)
			say(51)
			d := in.take(t, 1)[0]
			if d.Source != addr(x.source) || d.Destination != addr(x.destination) || d.TTL != 255 || VRID(d.Payload[1]) != 51 {
				t.Errorf("heard %+v", d)
			}
			var a Advert
			if form, r := a.Decode(d); r != Accepted || form != PseudoHeader {
				t.Errorf("decoded %s, %s", r, form)
			}
			must(t, in.Only([]VRID{52}, nil))
			say(51)
			say(52)
			if d := in.take(t, 1)[0]; VRID(d.Payload[1]) != 52 {
				t.Errorf("heard VRID %d", d.Payload[1])
			}
			must(t, out.SetReadDeadline(time.Now().Add(-1)))
			if d, err := out.Receive(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the sender hears %v, %v", d, err)
			}
		})
	}
}

// TestConnHearsLate: what waits is heard also by who comes after the deadline, as after a freeze; only then is it over.
func TestConnHearsLate(t *testing.T) {
	one, two := wire(t)
	in, out := one.conn(ConnOptions{Family: IPv4}), two.conn(ConnOptions{Family: IPv4})
	r, err := NewRouter(Config{VRID: 51, Version: V3, Priority: 100, Interval: time.Second, Addresses: addrs("192.168.1.50"), Source: addr("192.168.1.10")})
	must(t, err)
	for range 2 {
		must(t, in.SetReadDeadline(time.Now().Add(-time.Second)))
		must(t, r.Compose(100, time.Now(), out.Send))
		await(t, 5*time.Second, func() error { // the wire takes a moment
			got, err := in.Receive()
			if err == nil && (len(got) != 1 || got[0].Source != addr("192.168.1.10")) {
				t.Errorf("heard %v", got)
			}
			return err
		})
		if got, err := in.Receive(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("heard %v more, %v", got, err)
		}
	}
	must(t, r.Compose(100, time.Now(), out.Send))
	in.take(t, 1) // and it waits for the next one as before
}

// TestApart: a listed router is heard behind any number of adverts that nobody has read yet, since those of strangers have a queue of their own; what is lost of them
// is counted. What a stranger says is heard too, apart.
func TestApart(t *testing.T) {
	one, two := wire(t)
	for _, x := range []struct{ listed, stranger string }{{"192.168.1.10", "192.168.1.66"}, {"fe80::10", "fe80::66"}} {
		t.Run(FamilyOf(addr(x.listed)).String(), func(t *testing.T) {
			family := FamilyOf(addr(x.listed))
			in := one.conn(ConnOptions{Family: family, VRIDs: []VRID{}, Apart: true})
			out := two.conn(ConnOptions{Family: family})
			must(t, in.Only([]VRID{51}, addrs(x.listed)))
			packets := map[string]*Router{}
			for _, source := range []string{x.listed, x.stranger} {
				r, err := NewRouter(Config{VRID: 51, Version: V3, Priority: 100, Interval: time.Second, Addresses: addrs(x.listed), Source: addr(source)})
				must(t, err)
				packets[source] = r
			}
			for range 2000 {
				must(t, packets[x.stranger].Compose(255, time.Now(), out.Send))
			}
			must(t, packets[x.listed].Compose(100, time.Now(), out.Send))
			if d := in.take(t, 1)[0]; d.Source != addr(x.listed) {
				t.Errorf("heard %+v", d)
			}
			lost := in.Unread()
			if lost == 0 {
				t.Error("nothing is lost: the queue of strangers is no smaller than 2,000 adverts")
			}
			rest := in.Rest()
			must(t, rest.SetReadDeadline(time.Now().Add(10*time.Second)))
			heard := 0
			for {
				got, err := rest.Receive()
				if errors.Is(err, os.ErrDeadlineExceeded) {
					break
				}
				must(t, err)
				for _, d := range got {
					if d.Source != addr(x.stranger) {
						t.Errorf("a stranger is %+v", d)
					}
				}
				if heard += len(got); heard >= 2000-int(lost) {
					break
				}
			}
			if missing := 2000 - int(lost) - heard; heard == 0 || missing > 0 || missing < -1 { // a full queue counts what its filter would not have let in
				t.Errorf("%d were lost and %d heard of 2,000", lost, heard)
			}
			must(t, in.SetReadDeadline(time.Now().Add(-1)))
			if d, err := in.Receive(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("and among those that count %v, %v", d, err)
			}
		})
	}
}

// TestOnlyManyHosts: the most hosts that a filter tells apart fit into the room that the kernel has for filters, also the 20 KiB that it had before 6.8, as often as they change. Where there is
// less, who counts is heard all the same, and strangers once.
func TestOnlyManyHosts(t *testing.T) {
	one, two := wire(t)
	const setting = "/proc/sys/net/core/optmem_max"
	began, err := os.ReadFile(setting)
	must(t, err)
	t.Cleanup(func() {
		if now, err := os.ReadFile(setting); err != nil || string(now) != string(began) {
			t.Errorf("the host has %s now, and had %s (%v)", now, began, err)
		}
	})
	room := func(bytes string) bool { // it is a namespace's own since Linux 6.8; before, it is not there in one
		return one.In(func() error { return os.WriteFile(setting, []byte(bytes), 0) }) == nil // no file is made in /proc
	}
	all := everyVRID()
	vrids := all[50:60]
	for _, x := range []struct {
		name, prefix string
		listed       string
		stranger     string
		vrids        []VRID
		room         string
		hosts        int
		mixed        bool
	}{
		{"IPv4", "0.0.0.0", "192.168.1.10", "192.168.1.66", all, "20480", maxHosts, false},
		{"IPv6", "fe80::", "fe80::10", "fe80::66", all, "20480", maxHosts, false},
		{"IPv6, the kernel's own room", "fe80::", "fe80::10", "fe80::66", all, "", maxHosts, false},
		{"IPv6, little room", "fe80::", "fe80::10", "fe80::66", vrids, "4096", maxHosts, true},
		{"IPv6, no room for virtual routers", "fe80::", "fe80::10", "fe80::66", all, "2048", maxHosts, true},
		{"IPv4, no room for virtual routers", "0.0.0.0", "192.168.1.10", "192.168.1.66", all, "2048", maxHosts, true},
		{"too many", "0.0.0.0", "192.168.1.10", "192.168.1.66", vrids, "", maxHosts + 1, true},
	} {
		t.Run(x.name, func(t *testing.T) {
			var log strings.Builder
			in := one.conn(ConnOptions{Family: FamilyOf(addr(x.listed)), VRIDs: []VRID{}, Apart: true, Log: slog.New(slog.NewTextHandler(&log, nil))})
			out := two.conn(ConnOptions{Family: in.family})
			if x.room != "" && !room(x.room) {
				if x.mixed {
					t.Skip("this kernel's net.core.optmem_max is not a namespace's own: it needs Linux 6.8")
				}
				t.Logf("optmem_max is the host's, %s", began)
			}
			t.Cleanup(func() { room(strings.TrimSpace(string(began))) })
			say := func(source string, v VRID) {
				t.Helper()
				r, err := NewRouter(Config{VRID: v, Version: V3, Priority: 100, Interval: time.Second, Addresses: addrs(x.listed), Source: addr(source)})
				must(t, err)
				must(t, r.Compose(100, time.Now(), out.Send))
			}
			random := rand.New(rand.NewPCG(1, 2))
			for range 3 {
				hosts := addrs(x.listed)
				for len(hosts) < x.hosts {
					b := addr(x.prefix).AsSlice()
					for i := len(b) - min(len(b), 8); i < len(b); i++ { // link-local addresses by chance have the first half in common
						b[i] = byte(random.Uint32())
					}
					h, _ := netip.AddrFromSlice(b)
					hosts = append(hosts, h)
				}
				must(t, in.Only(x.vrids, hosts))
				say(x.stranger, 51)
				say(x.listed, 52)
				if x.mixed {
					if d := in.take(t, 2); d[0].Source != addr(x.stranger) || d[1].Source != addr(x.listed) {
						t.Errorf("heard %+v", d)
					}
				} else {
					if d := in.take(t, 1)[0]; d.Source != addr(x.listed) {
						t.Errorf("heard %+v", d)
					}
					rest := &Conn{ear: in.rest}
					if d := rest.take(t, 1)[0]; d.Source != addr(x.stranger) {
						t.Errorf("apart is heard %+v", d)
					}
				}
				must(t, in.Rest().SetReadDeadline(time.Now().Add(-1)), in.SetReadDeadline(time.Now().Add(-1)))
				for _, w := range []Wire{in.Rest(), in} {
					if d, err := w.Receive(); !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("besides, %+v is heard, %v", d, err)
					}
				}
			}
			must(t, in.Only(x.vrids, addrs(x.listed, "192.168.1.12")))
			if x.room == "2048" { // not even these fit with all virtual routers
				must(t, in.Only(vrids, addrs(x.listed)))
			}
			say(x.stranger, 51)
			say(x.listed, 52)
			if d := in.take(t, 1)[0]; d.Source != addr(x.listed) {
				t.Errorf("with few hosts, heard %+v", d)
			}
			warned, again := strings.Count(log.String(), "level=WARN"), strings.Count(log.String(), "level=INFO")
			if want := map[bool]int{true: 1}[x.mixed]; warned != want || again != want {
				t.Errorf("%d warnings, %d ends of them: %s", warned, again, &log)
			}
		})
	}
}

// TestJoin: another group is heard for as long as it is asked for, and the family's own all the time.
func TestJoin(t *testing.T) {
	one, two := wire(t)
	for usual, other := range map[string]string{"224.0.0.18": "224.0.0.99", "ff02::12": "ff02::99"} {
		t.Run(other, func(t *testing.T) {
			family := FamilyOf(addr(other))
			source := map[Family]string{IPv4: "192.168.1.10", IPv6: "fe80::10"}[family]
			in := one.conn(ConnOptions{Family: family, Apart: true})
			out := two.conn(ConnOptions{Family: family})
			must(t, in.Only(nil, addrs(source)))
			say := func(group string, v VRID) {
				t.Helper()
				r, err := NewRouter(Config{VRID: v, Version: V3, Priority: 100, Interval: time.Second, Addresses: addrs(source), Source: addr(source), Group: addr(group)})
				must(t, err)
				must(t, r.Compose(100, time.Now(), out.Send))
			}
			for i, joined := range []bool{false, true, true, false} {
				if joined {
					must(t, in.Join(addrs(other, usual)))
				} else {
					must(t, in.Join(nil))
				}
				say(other, VRID(10*i+1))
				say(usual, VRID(10*i+2))
				want := []string{usual}
				if joined {
					want = []string{other, usual}
				}
				for k, d := range in.take(t, len(want)) {
					if d.Destination != addr(want[k]) || int(d.Payload[1])/10 != i {
						t.Errorf("joined=%t: heard %+v", joined, d)
					}
				}
			}
		})
	}
}

// TestConnAH: what is wrapped in an authentication header is heard, to be named, and what is too much is counted.
func TestConnAH(t *testing.T) {
	one, two := wire(t)
	in := one.conn(ConnOptions{Family: IPv4, AH: true, VRIDs: []VRID{51}})
	out := two.conn(ConnOptions{Family: IPv4})
	if in.pace.batch != paceOf(others).batch || in.pace.queue != paceOf(others).queue || in.Rest() != nil || in.Send(PacketInAH(t, 51), IPv4.Group()) == nil {
		t.Errorf("it is read as %+v, or speaks", in.pace)
	}
	must(t, in.Only([]VRID{51}, nil))
	other := PacketInAH(t, 51) // of another protocol
	other[ipv4Header] = 6
	must(t, out.Send(other, IPv4.Group()))
	for _, vrid := range []VRID{52, 51} {
		must(t, out.Send(PacketInAH(t, vrid), IPv4.Group()))
	}
	d := in.take(t, 1)[0]
	var a Advert
	if _, r := a.Decode(d); !d.AH || r != InAH || a.VRID != 51 {
		t.Errorf("heard %+v: %s, vrid %d", d, r, a.VRID)
	}
	if n := in.Unread(); n != 0 {
		t.Errorf("%d are lost of one", n)
	}
	const sent = 2000
	for range sent {
		must(t, out.Send(PacketInAH(t, 51), IPv4.Group()))
	}
	lost := in.Unread()
	if heard := len(in.take(t, sent-int(lost))); lost == 0 || in.Unread() != lost {
		t.Errorf("%d are lost of %d, and %d heard", lost, sent, heard)
	}
}

// TestReceiveEnds: who keeps a pace, and so does not look at the socket, minds the deadline that is set meanwhile, and that the socket is closed.
func TestReceiveEnds(t *testing.T) {
	us, them := wire(t)
	out := them.conn(ConnOptions{Family: IPv4})
	r, err := NewRouter(Config{VRID: 51, Version: V3, Priority: 100, Interval: time.Second, Addresses: addrs("192.168.1.100"), Source: addr("192.168.1.10")})
	must(t, err)
	for name, x := range map[string]struct {
		end  func(*Conn) error
		want string
	}{
		"deadline": {func(c *Conn) error { return c.SetReadDeadline(time.Now()) }, "i/o timeout"},
		"close":    {func(c *Conn) error { return c.Close() }, "use of closed file"},
	} {
		t.Run(name, func(t *testing.T) {
			in := us.conn(ConnOptions{Family: IPv4, VRIDs: []VRID{51}})
			in.pace.most, in.pace.pause = 1, time.Hour
			must(t, r.Compose(100, time.Now(), out.Send))
			in.take(t, 1)
			must(t, in.SetReadDeadline(time.Time{}))
			ended := make(chan error)
			go func() {
				_, err := in.Receive()
				ended <- err
			}()
			must(t, x.end(in))
			select {
			case err := <-ended:
				if err == nil || !strings.Contains(err.Error(), x.want) {
					t.Errorf("it ended with %v", err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("it waits on")
			}
		})
	}
}

// TestSendDoesNotWait: what cannot be sent at once is not sent, though the kernel holds everything back until ARP gives up; and a peer that is not there keeps nothing
// from one that is.
func TestSendDoesNotWait(t *testing.T) {
	us, them := wire(t)
	out, in := us.conn(ConnOptions{Family: IPv4}), them.conn(ConnOptions{Family: IPv4, VRIDs: []VRID{51}})
	r, err := NewRouter(Config{VRID: 51, Version: V3, Priority: 100, Interval: time.Second, Addresses: addrs("192.168.1.100"), Source: addr("192.168.1.1")})
	must(t, err)
	var full error
	var longest time.Duration
	many := func(n int, to netip.Addr) {
		must(t, r.Compose(100, time.Now(), func(packet []byte, _ netip.Addr) error {
			for range n {
				began := time.Now()
				if err := out.Send(packet, to); err != nil && full == nil {
					full = err
				}
				longest = max(longest, time.Since(began))
			}
			return nil
		}))
	}
	many(2000, addr("192.168.1.99"))
	if full != nil {
		t.Fatalf("one that is not there: %v", full)
	}
	many(1, addr("192.168.1.10"))
	in.take(t, 1)
	must(t, control(out.out, func(fd int) error { return set(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 1) })) // the kernel has its least
	many(100, addr("192.168.1.98"))
	if full == nil || !errors.Is(full, syscall.EAGAIN) || !strings.Contains(full.Error(), "send to 192.168.1.98: ") || longest > time.Second {
		t.Errorf("said %v; one took %s", full, longest)
	}
}

// TestOpenRefuses: what cannot be heard is said, and nothing is left open.
func TestOpenRefuses(t *testing.T) {
	h := viptest.New(t)
	for want, o := range map[string]ConnOptions{
		"vrrp on eth7":   {Link: "eth7", Family: IPv4},
		"over IPv4 only": {Link: "lo", Family: IPv6, AH: true},
		"join 192.0.2.1": {Link: "lo", Family: IPv4, Groups: addrs("192.0.2.1")},
	} {
		err := h.In(func() error {
			c, err := Open(o)
			if err == nil {
				c.Close()
			}
			return err
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// TestLinkDownAndUp: a link that goes down and comes up again is heard and spoken on again.
func TestLinkDownAndUp(t *testing.T) {
	us, them := wire(t)
	c := Config{VRID: 51, Version: V3, Priority: 200, Interval: 10 * time.Millisecond, Addresses: addrs("192.168.1.100"), Source: addr("192.168.1.1"), Mode: Appointed,
		Listed: addrs("192.168.1.10")}
	s := us.speaker(IPv4, nil, c)
	must(t, s.Tell(51, Appoint, 0))
	out := them.conn(ConnOptions{Family: IPv4, VRIDs: []VRID{51}})
	out.take(t, 1)
	must(t, us.NL.LinkSetDown(us.Link("eth0")))
	await(t, 5*time.Second, func() error {
		if err := s.Failing(51); err == nil {
			return errors.New("adverts are sent on a link that is down")
		}
		return nil
	})
	us.Up("eth0")
	await(t, 5*time.Second, func() error { return s.Failing(51) })
	legacy := c
	legacy.Source, legacy.Priority = addr("192.168.1.10"), 100
	r, err := NewRouter(legacy)
	must(t, err)
	await(t, 5*time.Second, func() error {
		must(t, r.Compose(100, time.Now(), out.Send))
		if st, _ := s.Status(51); len(st.Neighbours) == 0 {
			return errors.New("nobody is heard")
		}
		return nil
	})
	_, err = out.Receive() // what came before the link went down, or after
	must(t, err)
	out.take(t, 1)
}

// TestHostileLink: a router of a cluster among spoofed adverts, tens of thousands of them: it goes on speaking, nothing moves it, each is counted for what it is, and
// what is not for it does not even reach the process.
func TestHostileLink(t *testing.T) {
	us, them := wire(t)
	c := Config{VRID: 51, Version: V3, Priority: 200, Interval: 100 * time.Millisecond, Addresses: addrs("192.168.1.100"), Source: addr("192.168.1.1"),
		Mode: Appointed, Listed: addrs("192.168.1.11"), Keys: keyring(t, 1, key0())}
	moved := make(chan string, 1000)
	s := us.speaker(IPv4, func(_ VRID, a Action) {
		if a.Kind != Alarm {
			moved <- a.String()
		}
	}, c)
	must(t, s.Tell(51, Appoint, 0))
	<-moved // backup
	<-moved // active
	out := them.conn(ConnOptions{Family: IPv4, VRIDs: []VRID{51}})
	fake := c
	fake.Keys, fake.Priority = nil, 255
	a := fake.advert(255)
	packet := func(source string, change func([]byte)) []byte {
		b, err := a.Append(make([]byte, ipv4Header), Envelope{Source: addr(source), Destination: IPv4.Group()})
		must(t, err)
		appendIP(b[:0], addr(source), IPv4.Group(), 1, len(b)-ipv4Header)
		if change != nil {
			change(b)
		}
		return b
	}
	heard := out.take(t, 1)[0] // one of ours, to be replayed
	replayed := append(appendIP(nil, addr("192.168.1.11"), IPv4.Group(), 1, len(heard.Payload)), heard.Payload...)
	attacks := map[Reason][]byte{
		Unsigned:     packet("192.168.1.66", nil),
		BadTTL:       packet("192.168.1.66", func(b []byte) { b[8] = 254 }),
		BadLength:    packet("192.168.1.66", func(b []byte) { b[ipv4Header+3] = 2 }),
		BadVersion:   packet("192.168.1.66", func(b []byte) { b[ipv4Header] = 0x51 }),
		BadSignature: replayed,
	}
	foreign := packet("192.168.1.66", func(b []byte) { b[ipv4Header+1] = 52 })
	const rounds = 2000
	for range rounds {
		for _, b := range attacks {
			must(t, out.Send(b, IPv4.Group()))
		}
		for range 4 {
			must(t, out.Send(foreign, IPv4.Group()))
		}
	}
	for range 3 { // it speaks still
		out.take(t, 1)
	}
	await(t, 5*time.Second, func() error {
		st, _ := s.Status(51)
		for r := range attacks {
			if st.Counts[r] == 0 {
				return fmt.Errorf("no %s among %v", r, st.Counts)
			}
		}
		if st.State != Active || st.Counts[Accepted] != 0 {
			t.Fatalf("it is %s, and has accepted %d", st.State, st.Counts[Accepted])
		}
		return nil
	})
	if n := s.Unknown(); n > 0 {
		t.Errorf("%d adverts of another VRID have reached the process", n)
	}
	if len(moved) > 0 {
		t.Errorf("it did %s", <-moved)
	}
}

// TestConnFromVirtualMAC: what is sent from a virtual MAC comes from it, over IPv4 and IPv6, in both versions, and is heard as any other; unicast comes from the link's own.
// The sender does not hear it.
func TestConnFromVirtualMAC(t *testing.T) {
	one, two := wire(t)
	own := two.Link("eth0").Attrs().HardwareAddr.String()
	for _, x := range []struct {
		version        Version
		source, to     string
		mac, want, eth string
	}{
		{V2, "192.168.1.10", "", "00:00:5e:00:01:33", "00:00:5e:00:01:33", "01:00:5e:00:00:12"},
		{V3, "192.168.1.10", "", "00:00:5e:00:01:33", "00:00:5e:00:01:33", "01:00:5e:00:00:12"},
		{V3, "192.168.1.77", "", "00:00:5e:00:01:33", "00:00:5e:00:01:33", "01:00:5e:00:00:12"}, // a shared source
		{V3, "fe80::10", "", "00:00:5e:00:02:33", "00:00:5e:00:02:33", "33:33:00:00:00:12"},
		{V3, "192.168.1.10", "192.168.1.1", "00:00:5e:00:01:33", own, ""},
		{V3, "fe80::10", "fe80::1", "00:00:5e:00:02:33", own, ""},
	} {
		t.Run(fmt.Sprintf("version %d from %s to %s", x.version, x.source, x.to), func(t *testing.T) {
			mac, err := net.ParseMAC(x.mac)
			must(t, err)
			family := FamilyOf(addr(x.source))
			in, out := one.conn(ConnOptions{Family: family, VRIDs: []VRID{51}}), two.conn(ConnOptions{Family: family})
			frames := one.frames()
			c := Config{VRID: 51, Version: x.version, Priority: 100, Interval: time.Second, Addresses: addrs(x.source), Source: addr(x.source)}
			if x.to != "" {
				c.Peers = addrs(x.to)
			}
			r, err := NewRouter(c)
			must(t, err)
			for _, p := range []Priority{100, 0} {
				must(t, r.Compose(p, time.Now(), func(packet []byte, to netip.Addr) error { return out.SendFrom(mac, packet, to) }))
				d := in.take(t, 1)[0]
				var a Advert
				if _, r := a.Decode(d); r != Accepted || a.Priority != p || d.Source != addr(x.source) || d.TTL != 255 {
					t.Errorf("heard %+v: %s, priority %d", d, r, a.Priority)
				}
				f := frames(t)
				if got := net.HardwareAddr(f[6:12]).String(); got != x.want {
					t.Errorf("it comes from %s, want %s", got, x.want)
				}
				if got := net.HardwareAddr(f[:6]).String(); x.eth != "" && got != x.eth {
					t.Errorf("it goes to %s, want %s", got, x.eth)
				}
			}
			must(t, out.SetReadDeadline(time.Now().Add(-1)))
			if d, err := out.Receive(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the sender hears %v, %v", d, err)
			}
		})
	}
}

// frames returns what waits for the next frame with VRRP that comes in on the host's link.
func (h *host) frames() func(t testing.TB) []byte {
	h.t.Helper()
	var p *packet.Conn
	must(h.t, h.In(func() error {
		ifi, err := net.InterfaceByName("eth0")
		if err == nil {
			p, err = packet.Listen(ifi, packet.Raw, unix.ETH_P_ALL, nil)
		}
		return err
	}))
	h.t.Cleanup(func() { p.Close() })
	return func(t testing.TB) []byte {
		t.Helper()
		must(t, p.SetReadDeadline(time.Now().Add(5*time.Second)))
		b := make([]byte, 2048)
		for {
			n, _, err := p.ReadFrom(b)
			must(t, err)
			f := b[:n]
			is4 := n > etherHeader+ipv4Header && f[12] == 8 && f[13] == 0 && f[etherHeader+9] == Protocol
			is6 := n > etherHeader+ipv6Header && f[12] == 0x86 && f[13] == 0xdd && f[etherHeader+6] == Protocol
			if is4 || is6 {
				return slices.Clone(f)
			}
		}
	}
}
