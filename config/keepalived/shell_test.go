package keepalived

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// exitOf runs a command that an import made, and gives its exit code and what it wrote.
func exitOf(t *testing.T, command []string, env ...string) (int, string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// TestTrackedFilesAsAShellSeesThem: whatever the weight and its direction, the script fails where keepalived takes away from the priority, or has a fault.
func TestTrackedFilesAsAShellSeesThem(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a file's number")
	for _, c := range []struct {
		weight, text string
		fails        bool
	}{
		{"weight 0", "0\n", false}, {"weight 0", "7\n", true}, {"weight 0", "-7", true}, {"weight 0", "missing", false}, {"weight 0", "", false}, {"weight 0", "$(false)\n", false},
		{"weight 0 reverse", "0\n", true}, {"weight 0 reverse", "3\n", false}, {"weight 0 reverse", "missing", true},
		{"", "-5\n", true}, {"", "5\n", false}, {"", "0\n", false},
		{"weight -3", "1\n", true}, {"weight -3", "-1\n", false}, {"weight -3", "missing", false},
		{"weight 3 reverse", "1\n", true}, {"weight -3 reverse", "1\n", false}, {"weight -3 reverse", "-1", true},
	} {
		conf := fmt.Sprintf("track_file f {\nfile \"%s\"\n%s\n}\nvrrp_instance V {\nvirtual_router_id 1\ninterface eth0\nvirtual_ipaddress {\n192.0.2.1/24\n}\ntrack_file {\nf\n}\n}\n", file, c.weight)
		r := importOf(t, tree("k.conf", conf), Director{Name: "lb1", File: "k.conf"})
		whole(t, r)
		if c.text == "missing" {
			_ = os.Remove(file)
		} else if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		n, ok := r.Config.NodeChecks["f"]
		if !ok {
			t.Fatalf("%s: no node_check in\n%s", c.weight, r.Format())
		}
		if exit, out := exitOf(t, n.Checks[0].Script.Command); (exit != 0) != c.fails || out != "" {
			t.Errorf("%q with %q: exit status %d, said %q", c.weight, c.text, exit, out)
		}
	}
}

// TestFileChecksAsAShellSeesThem: each server has the weight that keepalived would give it.
func TestFileChecksAsAShellSeesThem(t *testing.T) {
	dir := t.TempDir()
	conf := fmt.Sprintf(`track_file a {
file %[1]s/a
weight 2
}
track_file b {
file %[1]s/b
weight 2
}
virtual_server 192.0.2.1 80 {
protocol TCP
real_server 10.0.0.1 80 {
weight 10
FILE_CHECK {
track_file a
}
}
real_server 10.0.0.2 80 {
FILE_CHECK {
track_file b
}
}
}
`, dir)
	r := importOf(t, tree("k.conf", conf), Director{Name: "lb1", File: "k.conf"})
	whole(t, r)
	checks := r.Config.Services["tcp-192.0.2.1-80"].Checks
	if len(checks) != 1 || checks[0].Script == nil || !checks[0].Script.DynamicWeight {
		t.Fatalf("%+v", checks)
	}
	for _, c := range []struct {
		server, file, text string
		weight             int
	}{
		{"10.0.0.1", "a", "5", 20}, {"10.0.0.1", "a", "-100", 0}, {"10.0.0.1", "a", "900", 253}, {"10.0.0.1", "a", "", 10}, {"10.0.0.2", "b", "3\n", 7}, {"10.0.0.2", "b", "-1", 0},
	} {
		if err := os.WriteFile(filepath.Join(dir, c.file), []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		exit, out := exitOf(t, checks[0].Script.Command, "QUORATE_ADDRESS="+c.server)
		if exit != c.weight+2 || out != "" {
			t.Errorf("%+v: exit status %d, said %q", c, exit, out)
		}
	}
}

// TestScriptsAsAShellRunsThem: each script of keepalived runs for what it ran for, with the same arguments, whatever quotes are in them.
func TestScriptsAsAShellRunsThem(t *testing.T) {
	conf := `vrrp_script turned {
script "/bin/sh -c 'exit 1'"
weight 0 reverse
}
vrrp_instance V {
virtual_router_id 1
interface eth0
virtual_ipaddress {
192.0.2.1/24
192.0.2.2/24
}
track_script {
turned
}
notify_master "/bin/echo 'it''s' master" root
notify_backup "/bin/echo \"back up\"" root
notify /bin/echo
}
`
	r := importOf(t, tree("k.conf", conf), Director{Name: "lb1", File: "k.conf"})
	whole(t, r)
	if exit, _ := exitOf(t, r.Config.NodeChecks["turned"].Checks[0].Script.Command); exit != 0 {
		t.Errorf("reverse: exit status %d", exit)
	}
	for _, c := range []struct{ notifier, kind, name, state, says string }{
		{"V-states", "GROUP", "V", "MASTER", "its master\n"}, {"V-states", "GROUP", "V", "BACKUP", "back up\n"}, {"V-states", "GROUP", "V", "FAULT", ""},
		{"V-states", "INSTANCE", "192.0.2.1", "MASTER", ""},
		{"V", "GROUP", "V", "FAULT", "INSTANCE V FAULT 100\n"}, {"V", "INSTANCE", "192.0.2.1", "FAULT", ""},
	} {
		n, ok := r.Config.Notifiers[c.notifier]
		if !ok {
			t.Fatalf("no notifier %s in\n%s", c.notifier, r.Format())
		}
		command := append(append([]string{}, n.Script.Command...), c.kind, c.name, c.state, "100")
		if _, out := exitOf(t, command, "QUORATE_TYPE="+c.kind, "QUORATE_NAME="+c.name, "QUORATE_STATE="+c.state); out != c.says {
			t.Errorf("%+v: %q", c, out)
		}
	}
	if !strings.Contains(r.Config.Notifiers["V-states"].Script.User, "root") {
		t.Error("not as root")
	}
}
