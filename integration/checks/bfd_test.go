package checks

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"quorate/health/bfd"
)

// The two ends of the link: this one, and the neighbour's.
var (
	bfdHere  = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
	bfdPeers = []netip.Addr{netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("2001:db8::2")}
)

const birdConfig = `log stderr all;
router id 192.0.2.2;
protocol device {}
protocol bfd {
	accept direct;
	interface "peer" { min rx interval 50 ms; min tx interval 50 ms; idle tx interval 200 ms; multiplier 3; };
	neighbor 192.0.2.1 dev "peer" local 192.0.2.2;
	neighbor 2001:db8::1 dev "peer" local 2001:db8::2;
}
`

const keepalivedConfig = `bfd_instance four {
	neighbor_ip 192.0.2.1
	source_ip 192.0.2.2
	min_rx 50
	min_tx 50
	multiplier 3
}
`

// TestBFD has sessions with BIRD, by both address families at once, and keepalived in a namespace of theirs.
func TestBFD(t *testing.T) {
	bird, keepalived := needs(t, "bird", "bird2"), needs(t, "keepalived", "keepalived")
	dir := t.TempDir()
	at := func(name string) string { return dir + "/" + name }
	for name, text := range map[string]string{"bird.conf": birdConfig, "keepalived.conf": keepalivedConfig} {
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	inNamespace(t, "table inet none {}", func() {
		holder := start(t, nil, "unshare", "-n", "sleep", "120")
		pid := strconv.Itoa(holder.cmd.Process.Pid)
		own, err := os.Readlink("/proc/thread-self/ns/net")
		if err != nil {
			t.Error(err)
			return
		}
		until(t, func() bool {
			theirs, err := os.Readlink("/proc/" + pid + "/ns/net")
			return err == nil && theirs != own
		}, func() string { return "there is no second namespace" })
		there := []string{"nsenter", "-t", pid, "-n"}
		do := func(args ...string) {
			if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
				t.Errorf("%v: %v: %s", args, err, out)
			}
		}
		do("ip", "link", "add", "here", "type", "veth", "peer", "name", "peer", "netns", pid)
		for i, bits := range []string{"/24", "/64"} {
			family := []string{"-4", "-6"}[i]
			do("ip", family, "addr", "add", bfdHere[i].String()+bits, "dev", "here")
			do(append(there, "ip", family, "addr", "add", bfdPeers[i].String()+bits, "dev", "peer")...)
		}
		do(append(there, "sh", "-c", "ip link set lo up; ip link set peer up")...)
		do("ip", "link", "set", "here", "up")
		until(t, func() bool { // duplicate address detection
			out, err := exec.Command("ip", "-6", "addr", "show", "tentative").CombinedOutput()
			return err == nil && len(out) == 0
		}, func() string { return "the IPv6 address is tentative" })

		const keys = `transmit = "50ms"; receive = "50ms"`
		to := func(i int) netip.AddrPort { return netip.AddrPortFrom(bfdPeers[i], 1) }
		ask(t, "bfd", keys, to(0), "Linux", "nobody speaks BFD", false)
		for _, x := range []struct {
			name, program string
			families      int
			args          []string
		}{
			{"BIRD", bird, 2, []string{"-f", "-c", at("bird.conf"), "-s", at("bird.ctl")}},
			{"keepalived", keepalived, 1, []string{"-n", "-l", "-D", "-f", at("keepalived.conf"), "-p", at("k.pid"), "-r", at("kv.pid"), "-c", at("kc.pid"), "-b", at("kb.pid")}},
		} {
			begin := func() *peer {
				for _, file := range []string{"k.pid", "kb.pid"} { // by these keepalived thinks that it runs, after a kill
					_ = os.Remove(at(file))
				}
				return start(t, nil, "nsenter", append(append([]string{"-t", pid, "-n", x.program}, x.args...), nil...)...)
			}
			p := begin()
			for i, family := range []string{"", ", by IPv6"}[:x.families] {
				ask(t, "bfd", keys, to(i), x.name+family, "well", true)
			}
			bfdLife(t, x.name, bfdPeers[:x.families], p, begin, func(rules string) { do(append(there, "nft", rules)...) })
		}
	})
}

// bfdLife has sessions with a peer that is killed, started anew, cut off, and stopped in good order. The sockets are in the namespace of the goroutine that calls it.
func bfdLife(t *testing.T, name string, peers []netip.Addr, p *peer, begin func() *peer, filter func(rules string)) {
	news := make(chan bfd.Path, 1000)
	s := bfd.NewSpeaker(bfd.Sockets{}, func(p bfd.Path) { news <- p })
	wanted := map[bfd.Path]bfd.Want{}
	for _, a := range peers {
		wanted[bfd.Path{Peer: a}] = bfd.Want{Params: bfd.Params{Transmit: 50 * time.Millisecond, Receive: 50 * time.Millisecond, Multiplier: 3}}
	}
	s.Set(wanted)
	all := func(want bfd.State, when string) time.Duration {
		began, limit := time.Now(), time.After(20*time.Second)
		for {
			left := len(wanted)
			for path := range wanted {
				if st, ok := s.Status(path); ok && st.State == want {
					left--
				}
			}
			if left == 0 {
				t.Logf("%s, %s: %v after %v", name, when, want, time.Since(began).Round(time.Millisecond))
				return time.Since(began)
			}
			select {
			case <-news:
			case <-limit:
				for path := range wanted {
					st, _ := s.Status(path)
					t.Errorf("%s, %s: %v is %+v, want %v", name, when, path.Peer, st, want)
				}
				return 0
			}
		}
	}
	// agreed waits until the peer sends as often as it wants to in the end.
	agreed := func() {
		until(t, func() bool {
			for path := range wanted {
				if st, _ := s.Status(path); st.Detection != 150*time.Millisecond {
					return false
				}
			}
			return true
		}, func() string {
			st, _ := s.Status(bfd.Path{Peer: bfdPeers[0]})
			return fmt.Sprintf("%s: %+v", name, st)
		})
	}
	soon := func(took time.Duration, when string) {
		if took > time.Second { // 150 ms, on a machine that has nothing else to do
			t.Errorf("%s, %s: noticed after %v", name, when, took)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		all(bfd.Up, "at first")
		agreed()
		p.kill()
		soon(all(bfd.Down, "killed"), "killed")
		p = begin()
		all(bfd.Up, "started anew")
		agreed()
		filter("table inet gate { chain out { type filter hook output priority 0; drop; }; chain in { type filter hook input priority 0; drop; }; }")
		soon(all(bfd.Down, "nothing passes"), "nothing passes")
		filter("delete table inet gate")
		if name == "BIRD" {
			all(bfd.Up, "all passes again")
			agreed()
			p.signal(syscall.SIGTERM)
			soon(all(bfd.Down, "stopped"), "stopped")
			for path := range wanted {
				st, _ := s.Status(path)
				t.Logf("%s, stopped in good order: %v (%v), it said %v", name, st.State, st.Diag, st.Remote)
			}
		}
		p.kill()
	}()
	s.Run(ctx)
}
