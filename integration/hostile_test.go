package integration

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/api"
	"quorate/fsm"
	"quorate/integration/lab"
	"quorate/vip/vrrp"
)

const v3 = `version = 3
    interval = "500ms"`

// prey is a virtual router of the cluster on a hostile network.
type prey struct {
	name  string
	vrid  vrrp.VRID
	lines []string // of its block
	auth  func(*vrrp.Config)
}

const listedRouter, hmacSecret = "192.0.2.31", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

func preys() []prey {
	return []prey{
		{"open", 51, []string{v3}, func(c *vrrp.Config) { c.Version = vrrp.V3 }},
		{"contest", 52, []string{v3, `yield = false`}, func(c *vrrp.Config) { c.Version = vrrp.V3 }},
		{"pass", 53, []string{`version = 2`, `password = "secret12"`}, func(c *vrrp.Config) {
			c.Version, c.Interval, c.Auth, c.Password = vrrp.V2, time.Second, vrrp.AuthPassword, vrrp.PasswordOf("secret12")
		}},
		{"signed", 54, []string{v3, `hmac_keys = ["1:` + hmacSecret + `"]`, `hmac_mode = "enforce"`}, func(c *vrrp.Config) {
			c.Version, c.Keys = vrrp.V3, keyring(0)
		}},
	}
}

// keyring is the key of [hmacSecret], in which the last byte is changed by flip.
func keyring(flip byte) *vrrp.Keyring {
	secret := make([]byte, 32)
	for i := range secret {
		secret[i] = byte(i)
	}
	secret[31] ^= flip
	ring, err := vrrp.NewKeyring(1, vrrp.Key{ID: 1, Secret: secret})
	if err != nil {
		panic(err) // it is a constant
	}
	return ring
}

func (p prey) vip() netip.Prefix { return lab.VIP(int(p.vrid) - 50) }

// config is that of a router that says what the cluster's owner could say.
func (p prey) config(source netip.Addr) vrrp.Config {
	c := vrrp.Config{
		VRID: p.vrid, Priority: 100, Interval: 500 * time.Millisecond, Mode: vrrp.Elected, Addresses: []netip.Addr{p.vip().Addr()}, Source: source, Anyone: true,
	}
	p.auth(&c)
	return c
}

// forge makes a packet, with its IP header.
func forge(t *testing.T, c vrrp.Config, priority vrrp.Priority, at time.Time) []byte {
	t.Helper()
	r, err := vrrp.NewRouter(c)
	must(t, err)
	var packet []byte
	must(t, r.Compose(priority, at, func(b []byte, _ netip.Addr) error { packet = bytes.Clone(b); return nil }))
	return packet
}

// attack is what is sent against one virtual router.
type attack struct {
	name    string
	packets func(t *testing.T, p prey) [][]byte
}

// attacks are those that must move nothing whatever the virtual router is configured to do: nobody who may speak has said this.
func attacks(own netip.Addr, fellow, owner netip.Addr) []attack {
	listed := netip.MustParseAddr(listedRouter)
	both := func(t *testing.T, c vrrp.Config) [][]byte {
		return [][]byte{forge(t, c, 255, time.Now()), forge(t, c, 0, time.Now())}
	}
	from := func(source netip.Addr) func(*testing.T, prey) [][]byte {
		return func(t *testing.T, p prey) [][]byte { return both(t, p.config(source)) }
	}
	changed := func(change func(packet []byte)) func(*testing.T, prey) [][]byte {
		return func(t *testing.T, p prey) [][]byte {
			all := both(t, p.config(listed))
			for _, b := range all {
				change(b)
			}
			return all
		}
	}
	return []attack{
		{"a stranger", from(own)},
		{"a fellow's address", from(fellow)},
		{"the owner's address", from(owner)},
		{"TTL 254", changed(func(b []byte) { b[8] = 254 })},
		{"another VRID", changed(func(b []byte) { b[20+1] = 99; b[20+7]++ })},
		{"checksum", changed(func(b []byte) { b[20+7] ^= 1 })},
		{"cut short", changed(func(b []byte) { b[20+3] = 7 })},
		{"version 4", changed(func(b []byte) { b[20] = 0x41 })},
		{"no authentication", func(t *testing.T, p prey) [][]byte {
			c := p.config(listed)
			if c.Auth == vrrp.AuthNone && c.Keys == nil {
				return nil // that is the next part
			}
			c.Auth, c.Password, c.Keys = vrrp.AuthNone, vrrp.Password{}, nil
			return both(t, c)
		}},
		{"wrong authentication", func(t *testing.T, p prey) [][]byte {
			c := p.config(listed)
			switch {
			case c.Keys != nil:
				c.Keys = keyring(1)
			case c.Auth == vrrp.AuthPassword:
				c.Password = vrrp.PasswordOf("secret13")
			default:
				return nil
			}
			return both(t, c)
		}},
		{"replay", func(t *testing.T, p prey) [][]byte {
			c := p.config(listed)
			if c.Keys == nil {
				return nil
			}
			old := time.Now().Add(-10 * time.Minute)
			return [][]byte{forge(t, c, 255, old), forge(t, c, 0, old)}
		}},
	}
}

// hostileConfig is what the cluster is told.
func hostileConfig() string {
	var text strings.Builder
	for _, p := range preys() {
		fmt.Fprintf(&text, "vip %q {\n  address = %q\n  prefer = [\"n1\"]\n  vrrp {\n    vrid = %d\n    priority = 150\n    peers = [%q]\n    %s\n  }\n}\n",
			p.name, p.vip(), p.vrid, listedRouter, strings.Join(p.lines, "\n    "))
	}
	return text.String()
}

// TestHostileLAN: somebody on the network sends whatever a VRRP router could say, and much of it. What nobody who is listed has said moves nothing; what
// a listed router seems to say moves what is configured to yield and asks for no proof, and nothing else. The agents' processors and the timeline bear it.
func TestHostileLAN(t *testing.T) {
	bed := newBed(t, 3, 0)
	form(t, bed)
	n1, n2 := bed.Directors[0], bed.Directors[1]
	evil, err := bed.AddHost("evil", lab.HostPrefixes(66)...)
	must(t, err)
	_, err = n1.Apply(within(t, 20*time.Second), "cluster.hcl", hostileConfig())
	must(t, err)
	var vips []netip.Prefix
	for _, p := range preys() {
		vips = append(vips, p.vip())
	}
	owned(t, bed, vips...)
	var conn *vrrp.Conn
	must(t, evil.Do(func() (err error) {
		conn, err = vrrp.Open(vrrp.ConnOptions{Link: "eth0", Family: vrrp.IPv4})
		return err
	}))
	t.Cleanup(func() { _ = conn.Close() })
	send := func(packet []byte) {
		to, _ := netip.AddrFromSlice(packet[16:20])
		must(t, conn.Send(packet, to))
	}
	pings := map[string]*lab.Probe{}
	for _, p := range preys() {
		pings[p.name], err = bed.Client.StartProbe(p.vip().Addr(), 2*time.Millisecond)
		must(t, err)
	}
	<-time.After(100 * time.Millisecond)
	before, err := bed.Status(t.Context())
	must(t, err)
	// same checks that nothing has moved, and that no ping was lost since.
	same := func(what string, since lab.Instant, but ...string) {
		t.Helper()
		<-time.After(50 * time.Millisecond)
		now, err := bed.Status(t.Context())
		must(t, err)
		for _, p := range preys() {
			if slices.Contains(but, p.name) {
				continue
			}
			was, is := vipIn(before, p.name), vipIn(now, p.name)
			if is.Owner != was.Owner || is.Epoch != was.Epoch || is.State != api.VIPHeld {
				t.Errorf("%s: %s was of %s since epoch %d, and is %s of %q since %d", what, p.name, was.Owner, was.Epoch, is.State, is.Owner, is.Epoch)
			}
			if gap := unanswered(pings[p.name], lab.Span{From: since, To: lab.Now().Add(-20 * time.Millisecond)}); gap > 400*time.Millisecond {
				t.Errorf("%s: %s did not answer for %s", what, p.name, lab.Millis(gap))
			}
		}
	}

	begin := eventsOf(t, bed)
	for _, a := range attacks(evil.Addr(), n2.Addr(), n1.Addr()) {
		from := lab.Now()
		for _, p := range preys() {
			for _, packet := range a.packets(t, p) {
				send(packet)
				send(packet)
			}
		}
		same(a.name, from)
	}
	t.Run("its own adverts, replayed", func(t *testing.T) {
		// What the owner has said itself, with its signature, is said again.
		heard := map[vrrp.VRID][]byte{}
		must(t, conn.SetReadDeadline(time.Now().Add(3*time.Second)))
		for len(heard) < len(preys()) {
			batch, err := conn.Receive()
			must(t, err)
			for _, d := range batch {
				if d.Source == n1.Addr() && len(d.Payload) > 2 {
					heard[vrrp.VRID(d.Payload[1])] = withHeader(d)
				}
			}
		}
		from := lab.Now()
		for _, packet := range heard {
			for range 20 {
				send(packet)
			}
		}
		same("replayed", from)
	})
	t.Logf("after %d attacks: %s", len(attacks(evil.Addr(), n2.Addr(), n1.Addr())), kindsOf(eventsSince(t, bed, begin)))

	t.Run("a listed router's word", func(t *testing.T) {
		// Without proof it counts where it is configured to: that one yields, until nobody speaks any more.
		listed := netip.MustParseAddr(listedRouter)
		from := lab.Now()
		for range 5 {
			for _, p := range preys() {
				if c := p.config(listed); p.name == "open" || p.name == "contest" {
					send(forge(t, c, 200, time.Now()))
				}
			}
			<-time.After(100 * time.Millisecond)
		}
		must(t, bed.AwaitStatus(within(t, 5*time.Second), "open has no owner", func(s api.Status) error {
			if v := vipIn(s, "open"); v.Owner != "" {
				return fmt.Errorf("it is of %s", v.Owner)
			}
			return nil
		}))
		same("a listed router seems to speak", from, "open")
		must(t, bed.AwaitStatus(within(t, 15*time.Second), "open is back", func(s api.Status) error {
			if v := vipIn(s, "open"); v.Owner == "" || v.State != api.VIPHeld {
				return fmt.Errorf("it is %s of %q", v.State, v.Owner)
			}
			return nil
		}))
		// With proof it counts, too: what is signed with the key.
		for range 3 {
			send(forge(t, preys()[3].config(listed), 200, time.Now()))
			<-time.After(100 * time.Millisecond)
		}
		must(t, bed.AwaitStatus(within(t, 5*time.Second), "signed has no owner", func(s api.Status) error {
			if v := vipIn(s, "signed"); v.Owner != "" {
				return fmt.Errorf("it is of %s", v.Owner)
			}
			return nil
		}))
		must(t, bed.AwaitStatus(within(t, 15*time.Second), "signed is back", func(s api.Status) error {
			if v := vipIn(s, "signed"); v.Owner == "" || v.State != api.VIPHeld {
				return fmt.Errorf("it is %s of %q", v.State, v.Owner)
			}
			return nil
		}))
		before, err = bed.Status(t.Context())
		must(t, err)
	})

	t.Run("flood", func(t *testing.T) {
		underFlood(t, bed, evil, same)
	})
}

// withHeader puts a datagram into a packet again.
func withHeader(d vrrp.Datagram) []byte {
	b := make([]byte, 20, 20+len(d.Payload))
	b[0], b[1], b[8], b[9] = 0x45, 0xc0, 255, 112
	binary.BigEndian.PutUint16(b[2:], uint16(20+len(d.Payload)))
	copy(b[12:], d.Source.AsSlice())
	copy(b[16:], d.Destination.AsSlice())
	return append(b, d.Payload...)
}

func vipIn(s api.Status, name string) api.VIP {
	for _, v := range s.VIPs {
		if v.Name == name {
			return v
		}
	}
	return api.VIP{}
}

// eventsOf is where the timeline ends.
func eventsOf(t *testing.T, bed *lab.Bed) string {
	t.Helper()
	e, err := bed.Directors[0].API.LastEvents(t.Context(), 1)
	must(t, err)
	return e.Next
}

func eventsSince(t *testing.T, bed *lab.Bed, mark string) []fsm.Event {
	t.Helper()
	e, err := bed.Directors[0].API.Events(t.Context(), mark, 1000)
	must(t, err)
	return e.Events
}

// kindsOf counts events by their kind and text.
func kindsOf(list []fsm.Event) string {
	counts := map[string]int{}
	var order []string
	for _, e := range list {
		key := fmt.Sprintf("%s of %s: %s", e.Kind, e.Node, e.Text)
		if counts[key] == 0 {
			order = append(order, key)
		}
		counts[key]++
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%d events", len(list))
	for _, key := range order {
		fmt.Fprintf(&out, "\n  %d × %s", counts[key], key)
	}
	return out.String()
}
