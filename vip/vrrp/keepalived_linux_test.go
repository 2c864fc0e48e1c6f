package vrrp

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// matrix is a virtual router for each way in which keepalived can be spoken with, as one side of a cluster sees it.
func matrix() []Config {
	four, six := addr("192.168.1.1"), addr("fe80::1")
	var all []Config
	for _, unicast := range []bool{false, true} {
		for _, x := range []struct {
			v        Version
			source   netip.Addr
			password string
		}{{V2, four, ""}, {V2, four, "secret12"}, {V3, four, ""}, {V3, six, ""}, {V2, six, ""}} {
			c := Config{VRID: VRID(51 + len(all)), Version: x.v, Priority: 200, Interval: time.Second, Mode: Appointed, Preempt: true, Source: x.source}
			if x.v == V3 {
				c.Interval = 500 * time.Millisecond
			}
			if x.password != "" {
				c.Auth, c.Password = AuthPassword, PasswordOf(x.password)
			}
			c.Addresses = []netip.Addr{netip.AddrFrom4([4]byte{192, 168, 1, byte(c.VRID) + 100}), netip.AddrFrom4([4]byte{192, 168, 1, byte(c.VRID)})}
			c.Listed = addrs("192.168.1.10")
			if x.source == six {
				c.Addresses = []netip.Addr{addr(fmt.Sprintf("fe80::%d", c.VRID)), addr(fmt.Sprintf("2001:db8::%d", c.VRID))}
				c.Listed = addrs("fe80::10")
			}
			if unicast {
				c.Peers = c.Listed
			}
			all = append(all, c)
		}
	}
	return all
}

func name(c Config) string {
	kind := "multicast"
	if c.Unicast() {
		kind = "unicast"
	}
	return fmt.Sprintf("vrid %d: version %d over %s by %s, %s", c.VRID, c.Version, c.Family(), kind, c.Auth)
}

// calm is all that keepalived may say while it hears us. That its start is complete is said by its parent process, before or after what its child says.
var calm = regexp.MustCompile(`VRRP sockpool|Startup complete|thread timer expired|Entering (BACKUP|MASTER) STATE|received priority 0 advertisement|received advert from \S+ with higher priority 200, ours 100|` +
	`(?i)sending (gratuitous|unsolicited)|sending/queueing (gratuitous|unsolicited)|receive advertisement timeout|(setting|removing) vips`)

// TestKeepalivedMatrix speaks with a real keepalived in every way that it knows: it stays BACKUP while it hears us, takes over at once when we let go, is heard and
// modelled right, gives way when we are back, and has nothing to complain of.
func TestKeepalivedMatrix(t *testing.T) {
	us, them := wire(t)
	routers := matrix()
	conf := "global_defs {\n  router_id test\n  vrrp_rt_priority 50\n  vrrp_rlimit_rttime 1000000\n}\n" // it is to be judged by what it hears, not by a busy machine
	byFamily := map[Family][]Config{}
	for _, c := range routers {
		conf += instance(c, c.Listed[0])
		byFamily[c.Family()] = append(byFamily[c.Family()], c)
	}
	speakers := map[Family]*Speaker{}
	for f, list := range byFamily {
		speakers[f] = us.speaker(f, nil, list...)
	}
	tell := func(k EventKind) {
		for _, c := range routers {
			must(t, speakers[c.Family()].Tell(c.VRID, k, 0))
		}
	}
	// states is the last state that keepalived has entered with each router.
	states := func(k *keepalived, mark int, want string) error {
		log := k.log(mark)
		for _, c := range routers {
			last := ""
			for line := range strings.Lines(log) {
				if i := strings.Index(line, fmt.Sprintf("(i%d) Entering ", c.VRID)); i >= 0 {
					last = strings.Fields(line[i:])[2]
				}
			}
			if last != want {
				return fmt.Errorf("%s: keepalived has entered %q, want %q", name(c), last, want)
			}
		}
		return nil
	}

	tell(Appoint)
	k := them.keepalived(conf)
	await(t, 10*time.Second, func() error { return states(k, 0, "BACKUP") })
	<-time.After(3609*time.Millisecond + 500*time.Millisecond) // Master_Down_Interval of version 2
	if err := states(k, 0, "BACKUP"); err != nil {
		t.Error(err)
	}

	mark := len(k.log(0))
	tell(Release)
	// It says that it heard priority 0, and so takes over after Skew_Time, 0.6 s in version 2, not after Master_Down_Interval, 3.6 s. On a
	// busy machine its timers run out seconds late.
	await(t, 20*time.Second, func() error { return states(k, mark, "MASTER") })
	for _, c := range routers {
		if said := fmt.Sprintf("(i%d) Backup received priority 0 advertisement", c.VRID); !strings.Contains(k.log(mark), said) {
			t.Errorf("%s: keepalived does not say: %s", name(c), said)
		}
	}
	await(t, 20*time.Second, func() error {
		for _, c := range routers {
			st, _ := speakers[c.Family()].Status(c.VRID)
			if len(st.Neighbours) != 1 || st.Activity[0] != Speaking {
				return fmt.Errorf("%s: heard %+v; %v", name(c), st.Neighbours, st.Counts)
			}
		}
		return nil
	})
	for _, c := range routers {
		st, _ := speakers[c.Family()].Status(c.VRID)
		n := st.Neighbours[0]
		sorted := slices.SortedFunc(slices.Values(n.Addresses), netip.Addr.Compare)
		want := slices.SortedFunc(slices.Values(c.Addresses), netip.Addr.Compare)
		if n.Source != c.Listed[0] || n.Role != Listed || n.Version != c.Version || n.Priority != 100 || n.Interval != c.Interval || n.Auth != c.Auth ||
			!slices.Equal(sorted, want) || n.Differs != 0 || n.Reason != Accepted || st.State != Backup || st.ActiveRouter != n.Source {
			t.Errorf("%s: modelled as %+v, active is %s", name(c), n, st.ActiveRouter)
		}
		for r, count := range st.Counts {
			if r := Reason(r); count > 0 && r != Accepted && r != Surplus {
				t.Errorf("%s: %d adverts were dropped: %s", name(c), count, r)
			}
		}
	}

	mark = len(k.log(0))
	tell(Appoint)
	await(t, 20*time.Second, func() error { return states(k, mark, "BACKUP") })
	log := k.log(0)
	opened := strings.LastIndex(log, "VRRP sockpool:") // it hears from here on
	if opened < 0 {
		t.Fatal("keepalived says nothing of its sockets")
	}
	for line := range strings.Lines(log[opened:]) {
		if !calm.MatchString(line) {
			t.Errorf("keepalived says: %s", line)
		}
	}
}
