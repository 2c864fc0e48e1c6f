package integration

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"quorate/api"
	"quorate/integration/lab"
	"quorate/vip/vrrp"
)

// floodRate is how many adverts a second are sent in a flood, on a machine that can.
const floodRate = 50000

// underFlood sends many forged adverts to directors that have VIPs, beside an old router that has one more. Nothing moves: neither what the cluster has, nor what it has left to the old
// router, which is heard all the time, though most of what is sent to it comes, as it seems, from its own address.
func underFlood(t *testing.T, bed *lab.Bed, evil *lab.Host, same func(what string, since lab.Instant, but ...string)) {
	const theirs, advert = "theirs", 500 * time.Millisecond
	vip, n1 := lab.VIP(9), bed.Directors[0]
	old, err := bed.AddHost("k1", lab.HostPrefixes(32)...)
	must(t, err)
	legacy := prey{theirs, 59, []string{v3}, preys()[0].auth}
	must(t, old.AddAddress(vip))
	speaks(t, old, vrrp.Config{VRID: legacy.vrid, Version: vrrp.V3, Priority: 200, Interval: advert, Addresses: []netip.Addr{vip.Addr()}, Source: old.Addr(), Anyone: true, Preempt: true})
	text := fmt.Sprintf("vip %q {\n  address = %q\n  vrrp {\n    vrid = %d\n    priority = 150\n    peers = [%q]\n    %s\n  }\n}\n", theirs, vip, legacy.vrid, old.Addr(), v3)
	_, err = n1.Apply(within(t, 20*time.Second), "cluster.hcl", hostileConfig()+text)
	must(t, err)
	foreign := func() api.VIP {
		t.Helper()
		s, err := bed.Status(t.Context())
		must(t, err)
		return vipIn(s, theirs)
	}
	must(t, bed.AwaitStatus(within(t, 10*time.Second), "the old router is heard", func(s api.Status) error {
		if v := vipIn(s, theirs); v.State != api.VIPForeign || v.Foreign == nil {
			return fmt.Errorf("it is %s", v.State)
		}
		return nil
	}))
	its, err := bed.Client.StartProbe(vip.Addr(), 2*time.Millisecond)
	must(t, err)

	// heard is how many adverts of the old router each director has accepted.
	heard := func() map[string]uint64 {
		t.Helper()
		r, err := n1.API.VirtualRouter(t.Context(), theirs)
		must(t, err)
		out := map[string]uint64{}
		for _, n := range r.Nodes {
			for _, x := range n.Neighbours {
				if x.Source == old.Addr() {
					out[string(n.Node)] = x.Adverts
				}
			}
		}
		return out
	}
	used := func() (all []time.Duration) {
		t.Helper()
		for _, d := range bed.Directors {
			u, err := d.Agent().Usage()
			must(t, err)
			all = append(all, u.CPU)
		}
		return all
	}
	const lasts, rest = 2500 * time.Millisecond, 1500 * time.Millisecond
	first := used()
	<-time.After(rest)
	quiet := used()
	for _, x := range []struct {
		name  string
		every int     // one of so many is forged in the name of a listed router; the others are of strangers
		most  float64 // of a processor
	}{
		{"strangers", 8, 0.25},
		{"in the names of listed routers", 1, 0.4},
	} {
		var packets [][]byte
		for i := range 4096 {
			p := append(preys(), legacy)[i%5]
			source := netip.AddrFrom4([4]byte{192, 0, 3 + byte(i>>8), byte(i)})
			listed := i%x.every == 0
			switch {
			case listed && p.name == theirs:
				source = old.Addr()
			case listed:
				source = netip.MustParseAddr(listedRouter)
			}
			b := forge(t, p.config(source), 255, time.Now())
			if listed || p.name == theirs { // what the old router would believe is not sent to it
				b[20+7] ^= 1
			}
			packets = append(packets, b)
		}
		mark, was, before, from, busy := eventsOf(t, bed), foreign(), heard(), lab.Now(), used()
		ctx, cancel := context.WithTimeout(t.Context(), lasts)
		sent, err := evil.Flood(ctx, packets, floodRate)
		cancel()
		must(t, err)
		took, flooded, after := lab.Since(from), used(), heard()
		same("flood", from)
		if is := foreign(); is.State != api.VIPForeign || is.Foreign == nil || was.Foreign == nil || is.Foreign.Index != was.Foreign.Index {
			t.Errorf("%s: what %v had, is %s of %v", x.name, was.Foreign, is.State, is.Foreign)
		}
		if gap := unanswered(its, lab.Span{From: from, To: lab.Now().Add(-20 * time.Millisecond)}); gap > 400*time.Millisecond {
			t.Errorf("%s: %s did not answer for %s", x.name, theirs, lab.Millis(gap))
		}
		for i, d := range bed.Directors {
			calm, now := (quiet[i]-first[i]).Seconds()/rest.Seconds(), (flooded[i]-busy[i]).Seconds()/took.Seconds()
			t.Logf("%s, %s: %.1f %% of a processor without, %.1f %% under %.0f adverts a second; %d adverts of the old router were heard", d.Name, x.name, 100*calm, 100*now,
				float64(sent)/took.Seconds(), after[d.Name]-before[d.Name])
			if now-calm > x.most {
				t.Errorf("%s takes %.0f %% of a processor", d.Name, 100*now)
			}
			if least := uint64(took/advert) - 2; after[d.Name]-before[d.Name] < least {
				t.Errorf("%s, %s: it has heard the old router %d times, want at least %d", d.Name, x.name, after[d.Name]-before[d.Name], least)
			}
		}
		list := eventsSince(t, bed, mark)
		t.Logf("events: %s", kindsOf(list))
		if len(list) > 40 {
			t.Errorf("%d events in %s: %v", len(list), took, list[:40])
		}
	}
}

// speaks runs an old router on a host, which hears nobody: what a flood does to those who listen to it is their affair.
func speaks(t *testing.T, h *lab.Host, c vrrp.Config) {
	t.Helper()
	var conn *vrrp.Conn
	must(t, h.Do(func() (err error) {
		conn, err = vrrp.Open(vrrp.ConnOptions{Link: "eth0", Family: c.Family(), VRIDs: []vrrp.VRID{}})
		return err
	}))
	s := vrrp.NewSpeaker(vrrp.SpeakerOptions{Wire: conn})
	must(t, s.Add(c))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		must(t, errors.Join(<-ended, conn.Close()))
	})
}
