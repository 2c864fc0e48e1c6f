package keepalived

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"quorate/config"
	"quorate/fsm"
)

var update = flag.Bool("update", false, "write the golden files anew")

// importOf imports the directors of files, in order.
func importOf(t *testing.T, files fstest.MapFS, directors ...Director) Result {
	t.Helper()
	r, err := Import(Options{Files: files}, directors)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// whole checks what has to be true of every import: each directive has its finding, none was forgotten, and what is written is read again as the same.
func whole(t testing.TB, r Result) {
	t.Helper()
	for _, f := range r.Findings {
		if strings.Contains(f.What, forgotten) {
			t.Errorf("forgotten: %v", f)
		}
		if f.File == "" || f.Class == "" || f.What == "" {
			t.Errorf("not a whole finding: %+v", f)
		}
	}
	if ps := r.Config.Validate(); len(ps) > 0 {
		t.Errorf("not valid: %v", ps)
	}
	text := r.Format()
	doc, err := config.Parse("x.hcl", text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if got, want := config.Format(doc.Config), config.Format(r.Config); !bytes.Equal(got, want) {
		t.Errorf("read again\n%s\nwritten\n%s", got, want)
	}
	again, err := json.Marshal(r.Findings)
	if err != nil || !json.Valid(again) {
		t.Error(err)
	}
}

// TestExamples imports each example of testdata: a file NAME.conf, or a directory with a file for each director, lb1.conf and lb2.conf.
func TestExamples(t *testing.T) {
	entries, err := os.ReadDir("testdata/examples")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) < 55 {
		t.Errorf("only %d examples", len(entries))
	}
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".conf")
		t.Run(name, func(t *testing.T) {
			directors := []Director{{Name: "lb1", File: e.Name()}}
			if e.IsDir() {
				directors = nil
				found, _ := filepath.Glob("testdata/examples/" + name + "/lb*.conf")
				for _, f := range found {
					directors = append(directors, Director{Name: strings.TrimSuffix(filepath.Base(f), ".conf"), File: e.Name() + "/" + filepath.Base(f)})
				}
			}
			o := Options{Files: os.DirFS("testdata/examples")}
			r, err := Import(o, directors)
			if err != nil {
				t.Fatal(err)
			}
			whole(t, r)
			got := []byte(string(r.Format()) + "\n# All findings:\n" + comment(r.Table(true)))
			again, err := Import(o, directors)
			if err != nil || !bytes.Equal(again.Format(), r.Format()) || again.Table(true) != r.Table(true) {
				t.Errorf("another result the second time: %v", err)
			}
			golden := "testdata/golden/" + name + ".hcl"
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v: -update writes it anew; got\n%s", err, got)
			}
		})
	}
}

func comment(s string) string {
	var b strings.Builder
	for l := range strings.Lines(s) {
		b.WriteString(strings.TrimRight("# "+l, " \n") + "\n")
	}
	return b.String()
}

// TestEveryKeyword: of each keyword of the table, with values that it takes, something has become.
func TestEveryKeyword(t *testing.T) {
	var b strings.Builder
	n := 0
	var write func(l *level, depth int)
	write = func(l *level, depth int) {
		for _, k := range l.keywords {
			n++
			fmt.Fprintf(&b, "%s%s", strings.Repeat("\t", depth), k.name)
			for _, v := range k.values {
				fmt.Fprintf(&b, " %s", sample(k.name, v))
			}
			switch {
			case k.inside != nil:
				b.WriteString(" {\n")
				write(k.inside, depth+1)
				b.WriteString(strings.Repeat("\t", depth) + "}\n")
			case k.entries != nil:
				fmt.Fprintf(&b, " {\n%s%s\n%s}\n", strings.Repeat("\t", depth+1), entrySample(k.name), strings.Repeat("\t", depth))
			default:
				b.WriteString("\n")
			}
		}
	}
	write(fileLevel, 0)
	if n < 400 {
		t.Errorf("the table has only %d keywords", n)
	}
	r := importOf(t, tree("k.conf", b.String()), Director{Name: "lb1", File: "k.conf"})
	whole(t, r)
	lines := map[int]bool{}
	for _, f := range r.Findings {
		lines[f.Line] = true
		if strings.Contains(f.What, "does not know this keyword") {
			t.Error(f)
		}
	}
	for i, l := range strings.Split(b.String(), "\n") {
		if s := strings.TrimSpace(l); s != "" && s != "}" && !lines[i+1] {
			t.Errorf("line %d has no finding: %s", i+1, l)
		}
	}
}

// sample is a value that a keyword takes.
func sample(name string, v value) string {
	for _, s := range []string{"1", "300", "MASTER", "PASS", "TCP", "NAT", "A", "inet", "on", "2", "enforce", "time", "192.0.2.7", "VS", "initial", "noreverse", "allow_if_changes", "never", "1.1"} {
		if v.ok(s) && !(name == "protocol" && s != "TCP") {
			return s
		}
	}
	return "x"
}

func entrySample(name string) string {
	switch {
	case strings.HasPrefix(name, "virtual_ip"):
		return "192.0.2.1" + fmt.Sprint(len(name)) + "/24"
	case name == "interface_up_down_delays":
		return "eth0 1"
	}
	return "1"
}

// TestBadURL: what is wrong with one URL of a check takes that check out, and nothing else.
func TestBadURL(t *testing.T) {
	r := importOf(t, tree("k.conf", inServer("HTTP_GET {\nurl {\npath /one\n}\nurl {\npath /two\ndigest zz\n}\n}\nTCP_CHECK {\n}")), Director{Name: "lb1", File: "k.conf"})
	whole(t, r)
	checks := r.Config.Services["tcp-192.0.2.10-80"].Checks
	if len(checks) != 1 || checks[0].Type != fsm.CheckTCP || !strings.Contains(r.Table(false), "digest") {
		t.Errorf("%+v\n%s", checks, r.Table(false))
	}
}

// TestNothingIsLostWithWhatNamesIt: what only a check of a server names that was left out is named, too.
func TestNothingIsLostWithWhatNamesIt(t *testing.T) {
	for _, conf := range []string{
		"track_file f {\nfile /run/f\n}\nvirtual_server 1 2 80 {\nreal_server 10.0.0.1 80 {\nFILE_CHECK {\ntrack_file f\n}\n}\n}\n" + oneInstance,
		"bfd_instance b {\nneighbor_ip 10.0.0.1\n}\nvirtual_server 192.0.2.300 80 {\nreal_server 10.0.0.1 80 {\nBFD_CHECK {\nname b\n}\n}\n}\n" + oneInstance,
	} {
		whole(t, importOf(t, tree("k.conf", conf), Director{Name: "lb1", File: "k.conf"}))
	}
}

// TestLinesOfOthers: a line for a director whose file is not here is named; one that another director takes is not.
func TestLinesOfOthers(t *testing.T) {
	const conf = "vrrp_instance V {\nvirtual_router_id 5\n@lb1 priority 150\n@lb2 priority 100\n@^lb1 nopreempt\n@lb3 auth_pass hushhush\nvirtual_ipaddress {\n192.0.2.1/24\n}\n}\n"
	files := tree("k.conf", conf)
	for _, c := range []struct {
		directors []Director
		lines     []int
	}{
		{[]Director{{Name: "lb1", File: "k.conf"}}, []int{4, 5, 6}},
		{[]Director{{Name: "lb1", File: "k.conf"}, {Name: "lb2", File: "k.conf"}}, []int{6}},
		{[]Director{{Name: "n1", ID: "lb1", File: "k.conf"}, {Name: "n2", ID: "lb2", File: "k.conf"}, {Name: "n3", ID: "lb3", File: "k.conf"}}, nil},
	} {
		r := importOf(t, files, c.directors...)
		whole(t, r)
		var lines []int
		for _, f := range r.Findings {
			if strings.Contains(f.What, "of the files was given") || strings.Contains(f.What, "no file of another one") {
				lines = append(lines, f.Line)
			}
		}
		if !slices.Equal(lines, c.lines) || strings.Contains(r.Table(true), "hushhush") {
			t.Errorf("%v: lines %v, want %v\n%s", c.directors, lines, c.lines, r.Table(true))
		}
	}
}

// TestPortOfAShell: the shell's way to look at a port becomes a check of it.
func TestPortOfAShell(t *testing.T) {
	conf := "vrrp_script s {\nscript \"</dev/tcp/127.0.0.1/25\"\nweight -2\n}\n" + oneInstance
	r := importOf(t, tree("k.conf", conf), Director{Name: "lb1", File: "k.conf"})
	whole(t, r)
	c := r.Config.NodeChecks["s"].Checks
	if len(c) != 1 || c[0].Type != fsm.CheckTCP || c[0].Port != 25 || c[0].Address.String() != "127.0.0.1" {
		t.Errorf("%+v", c)
	}
}

// sections are those of the manual, with words that an example of each has.
var sections = map[string][]string{
	"scripts and quoting":           {"script \"", "script_user", "enable_script_security"},
	"comments":                      {"!", "#"},
	"includes":                      {"include ", "includer ", "includem "},
	"global definitions":            {"global_defs", "router_id", "smtp_server", "vrrp_version", "lvs_timeouts", "notify_fifo"},
	"linkbeat":                      {"linkbeat_interfaces", "linkbeat_use_polling"},
	"static track groups":           {"track_group"},
	"static addresses and routes":   {"static_ipaddress", "static_routes", "static_rules"},
	"track files":                   {"track_file", "vrrp_track_file", "init_file"},
	"track processes":               {"vrrp_track_process", "quorum_max", "param_match", "terminate_delay"},
	"BFD":                           {"bfd_instance", "track_bfd", "BFD_CHECK", "multihop"},
	"vrrp scripts":                  {"vrrp_script", "reverse", "rise", "fall"},
	"sync groups":                   {"vrrp_sync_group"},
	"gratuitous ARP groups":         {"garp_group"},
	"vrrp instances":                {"vrrp_instance", "virtual_ipaddress_excluded", "unicast_peer", "use_vmac", "use_ipvlan", "auth_hmac", "nopreempt", "preempt_delay", "virtual_routes", "virtual_rules", "strict_mode"},
	"authentication":                {"auth_type PASS", "auth_type AH", "file:", "hex:"},
	"interface delays":              {"interface_up_down_delays"},
	"virtual server groups":         {"virtual_server_group", "fwmark"},
	"virtual servers":               {"virtual_server", "persistence_engine", "sorry_server", "quorum", "hysteresis", "omega", "ha_suspend", "SCTP", "ops"},
	"real servers":                  {"uthreshold", "inhibit_on_failure", "notify_up"},
	"checkers":                      {"HTTP_GET", "SSL_GET", "TCP_CHECK", "SMTP_CHECK", "DNS_CHECK", "MISC_CHECK", "UDP_CHECK", "PING_CHECK", "FILE_CHECK", "regex", "digest"},
	"conditional configuration":     {"@lb1", "@^"},
	"parameter substitution":        {"${", "\\\n"},
	"definitions that are there":    {"${_PWD}", "${_INSTANCE}", "${_RANDOM", "${_ENV", "${_HASH}", "${_BANG}"},
	"sequences and lists":           {"~SEQ(", "~SEQx", "~LST(", "~LST({"},
	"spellings of earlier versions": {"lb_algo", "lb_kind", "nb_get_retry", "lvs_sync_daemon_interface"},
}

// TestExamplesCoverTheManual: there is an example of every section of the manual, and of what is in it.
func TestExamplesCoverTheManual(t *testing.T) {
	var all strings.Builder
	n := 0
	err := filepath.WalkDir("testdata/examples", func(p string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(p)
		all.Write(text)
		n++
		return err
	})
	if err != nil || n < 75 {
		t.Errorf("%d files of examples: %v", n, err)
	}
	for section, words := range sections {
		for _, w := range words {
			if !strings.Contains(all.String(), w) {
				t.Errorf("%s: no example has %q", section, w)
			}
		}
	}
}
