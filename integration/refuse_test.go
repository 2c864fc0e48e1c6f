package integration

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quorate/integration/lab"
)

// refused runs a command that must fail with that exit code and say each of the words.
func refused(t *testing.T, d *lab.Director, code int, words []string, args ...string) {
	t.Helper()
	out, err := d.Quorate(within(t, 30*time.Second), args...)
	failed, ok := errors.AsType[*lab.CommandError](err)
	if !ok {
		t.Errorf("%s$ quorate %s: want a refusal, got %v and\n%s", d.Name, strings.Join(args, " "), err, out)
		return
	}
	if failed.Code != code {
		t.Errorf("exit status %d, want %d: %v", failed.Code, code, failed)
	}
	for _, w := range words {
		if !strings.Contains(failed.Stderr, w) {
			t.Errorf("%v\nshould say %q", failed, w)
		}
	}
}

func joinCommand(t *testing.T, bootstrap string) []string {
	t.Helper()
	join, err := lab.JoinCommand(bootstrap)
	must(t, err)
	return join
}

func TestMembershipIsGuarded(t *testing.T) {
	bed := newBed(t, 4, 0)
	must(t, bed.Start(within(t, 10*time.Second)))
	n1, n2, n3, n4 := bed.Directors[0], bed.Directors[1], bed.Directors[2], bed.Directors[3]

	// Before there is a cluster, commands say what to do.
	refused(t, n1, 1, []string{"quorate bootstrap", "quorate join"}, "vip", "list")
	join := joinCommand(t, says(t, n1, "bootstrap"))
	other := joinCommand(t, says(t, n4, "bootstrap"))

	t.Run("second bootstrap", func(t *testing.T) {
		refused(t, n1, 1, []string{"already", "cluster", "quorate leave"}, "bootstrap")
	})
	t.Run("bootstrap of a member", func(t *testing.T) {
		says(t, n2, join...)
		refused(t, n2, 1, []string{"already", "cluster", "quorate leave"}, "bootstrap")
	})
	t.Run("join of a member to another cluster", func(t *testing.T) {
		refused(t, n2, 1, []string{"already", "cluster", "quorate leave"}, other...)
	})
	t.Run("token of another cluster", func(t *testing.T) {
		wrong := append([]string{}, join...)
		wrong[3] = other[3]
		refused(t, n3, 1, []string{"token", "another cluster"}, wrong...)
	})
	t.Run("token that is none", func(t *testing.T) {
		refused(t, n3, 1, []string{"token"}, join[0], join[1], "--token", "QT1-nonsense")
	})
	t.Run("nobody there", func(t *testing.T) {
		refused(t, n3, 1, []string{"192.0.2.200:7300", "agent"}, "join", "192.0.2.200:7300", "--token", join[3])
	})
	t.Run("same name", func(t *testing.T) {
		must(t, n3.Kill())
		double, err := bed.AddDirector(quorate, "twin", lab.HostPrefixes(30)...)
		must(t, err)
		must(t, double.Start(within(t, 10*time.Second), "--name", "n2"))
		refused(t, double, 1, []string{"n2", "name"}, join...)
	})
	members, err := n1.API.Members(within(t, 5*time.Second))
	must(t, err)
	if len(members.Members) != 2 {
		t.Errorf("after all refusals the cluster has %d members, want n1 and n2: %+v", len(members.Members), members.Members)
	}
}

func TestBadConfigurationChangesNothing(t *testing.T) {
	bed := newBed(t, 1, 0)
	form(t, bed)
	n1 := bed.Directors[0]
	apply(t, n1, new(lab.Config).VIP("web", lab.VIP(1)))
	before := says(t, n1, "export")
	masquerade := []string{"bad.hcl:10:", "data_plane", "n1 has nft", "modprobe ip_vs"}
	if ipvsHere() {
		masquerade = []string{"bad.hcl:7:", "data plane ipvs cannot masquerade", "data_plane = \"nft\""}
	}
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"unknown key":     {"vip \"web\" {\n  address = \"192.0.2.101/24\"\n  colour = \"red\"\n}\n", []string{"bad.hcl:3:3", "colour"}},
		"duplicate VIP":   {"vip \"a\" {\n  address = \"192.0.2.101/24\"\n}\nvip \"b\" {\n  address = \"192.0.2.101/24\"\n}\n", []string{"bad.hcl:", "192.0.2.101"}},
		"no subnet":       {"vip \"web\" {\n  address = \"198.51.100.1/24\"\n}\n", []string{"bad.hcl:2:", "198.51.100.1", "n1"}},
		"unknown VIP":     {"service \"s\" {\n  vip = \"nowhere\"\n  port = 80\n}\n", []string{"bad.hcl:2:", "nowhere"}},
		"port 0":          {"vip \"web\" {\n  address = \"192.0.2.101/24\"\n}\nservice \"s\" {\n  vip = \"web\"\n  port = 0\n}\n", []string{"bad.hcl:6:", "port"}},
		"port 70000":      {"vip \"web\" {\n  address = \"192.0.2.101/24\"\n}\nservice \"s\" {\n  vip = \"web\"\n  port = 70000\n}\n", []string{"bad.hcl:6:", "70000"}},
		"empty value":     {"vip \"web\" {\n  address = \"\"\n}\n", []string{"bad.hcl:2:", "address"}},
		"direct routing":  {"vip \"web\" {\n  address = \"192.0.2.101/24\"\n}\nservice \"s\" {\n  vip = \"web\"\n  port = 80\n  forward = \"dr\"\n}\ncluster {\n  data_plane = \"nft\"\n}\n", []string{"bad.hcl:7:", "n1: data plane nft", "forward = \"nat\"", "modprobe ip_vs"}},
		"masquerade":      {"vip \"web\" {\n  address = \"192.0.2.101/24\"\n}\nservice \"s\" {\n  vip = \"web\"\n  port = 80\n  masquerade = true\n}\ncluster {\n  data_plane = \"ipvs\"\n}\n", masquerade},
		"broken syntax":   {"vip \"web\" {\n", []string{"bad.hcl:"}},
		"not a text file": {"\x00\xff\xfe", []string{"bad.hcl:1:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(n1.Dir, "bad.hcl")
			must(t, os.WriteFile(path, []byte(c.text), 0o644))
			for _, command := range []string{"plan", "apply"} {
				refused(t, n1, 1, c.want, command, path)
			}
			if after := says(t, n1, "export"); after != before {
				t.Errorf("the configuration changed:\n%s", after)
			}
		})
	}
}

func TestAgentWithoutCapabilitiesSaysSo(t *testing.T) {
	bed := newBed(t, 1, 0)
	n1 := bed.Directors[0]
	n1.Without = []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW}
	must(t, n1.Start(within(t, 10*time.Second)))
	for _, w := range []string{"NET_ADMIN", "NET_RAW", "setcap cap_net_admin,cap_net_raw+ep", "AmbientCapabilities"} {
		if !strings.Contains(n1.Agent().Output(), w) {
			t.Errorf("the agent's log should say %q:\n%s", w, n1.Agent().Output())
		}
	}
	says(t, n1, "bootstrap")
	if out := says(t, n1, "node", "show"); !strings.Contains(out, "NET_ADMIN") {
		t.Errorf("`quorate node show` should say what is missing:\n%s", out)
	}
}

func TestDamagedStoreIsReported(t *testing.T) {
	bed := newBed(t, 1, 0)
	form(t, bed)
	n1 := bed.Directors[0]
	apply(t, n1, new(lab.Config).VIP("web", lab.VIP(1)))
	must(t, n1.Kill())
	path := filepath.Join(n1.DataDir, "raft.db")
	whole, err := os.ReadFile(path)
	must(t, err)
	garbled := append([]byte{}, whole...)
	for i := range min(len(garbled), 16<<10) {
		garbled[i] ^= 0x5a
	}
	for name, content := range map[string][]byte{
		"truncated": whole[:len(whole)/3], "garbled": garbled, "empty": nil,
	} {
		t.Run(name, func(t *testing.T) {
			must(t, os.WriteFile(path, content, 0o600))
			_ = n1.Start(within(t, 10*time.Second)) // its API may answer for a moment
			select {
			case <-n1.Agent().Done():
			case <-time.After(5 * time.Second):
				must(t, n1.Kill())
				t.Fatalf("the agent runs on a damaged store:\n%s", n1.Agent().Output())
			}
			out := n1.Agent().Output()
			if !strings.Contains(out, path) || strings.Contains(out, "goroutine ") {
				t.Errorf("want a message that names %s and no panic, got\n%s", path, out)
			}
		})
	}
	must(t, os.WriteFile(path, whole, 0o600))
	must(t, n1.Start(within(t, 10*time.Second)))
	must(t, bed.AwaitReady(within(t, 10*time.Second)))
}
