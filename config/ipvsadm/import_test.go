package ipvsadm

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"quorate/config"
	"quorate/fsm"
)

// saved is what ipvsadm 1.31 on Linux 6.1 wrote, with thresholds, which it reads and does not write.
const saved = `-A -t 192.0.2.10:0 -s rr -p 360 -M 255.255.255.0
-A -t 192.0.2.10:80 -s wlc
-a -t 192.0.2.10:80 -r 10.0.0.1:8080 -m -w 3
-a -t 192.0.2.10:80 -r 10.0.0.2:8080 -m -w 0 -x 100 -y 50
-a -t 192.0.2.10:80 -r 10.0.0.3:80 -g -w 1
-a -t 192.0.2.10:80 -r 10.0.0.5:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum
-a -t 192.0.2.10:80 -r 10.0.0.7:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum
-a -t 192.0.2.10:80 -r 10.0.0.8:80 -i -w 1 --tun-type gre --tun-csum
-a -t 192.0.2.10:80 -r 10.0.0.9:80 -i -w 1 --tun-type ipip
-A -u 192.0.2.10:5060 -s rr -p 300 --pe sip
-A --sctp-service 192.0.2.10:99 -s wrr
-A -u 192.0.2.10:53 -s sh -o -b sh-port
-A -t [2001:db8::10]:80 -s rr
-a -t [2001:db8::10]:80 -r [2001:db8::11]:80 -m -w 1
-A -f 7 -s sh -p 360 -b sh-port
-a -f 7 -r 10.0.0.1:0 -g -w 1
-A -f 8 -6 -s mh -b mh-fallback,mh-port
`

// text lists what came out, for comparison.
func text(c fsm.Config) string {
	var b strings.Builder
	for _, line := range strings.Split(string(config.Format(c)), "\n") {
		if l := strings.TrimSpace(line); l != "" && !strings.HasPrefix(l, "#") {
			fmt.Fprintln(&b, strings.Join(strings.Fields(l), " "))
		}
	}
	return b.String()
}

func TestParse(t *testing.T) {
	im, err := Parse("table", []byte(saved), Options{Prefix4: 24})
	if err != nil || len(im.Left) > 0 {
		t.Fatalf("%v\n%v", err, im.Left)
	}
	got := text(im.Config)
	for _, want := range []string{
		`vip "192.0.2.10" { address = "192.0.2.10/24" }`, `vip "2001-db8--10" { address = "2001:db8::10/128" }`,
		`service "tcp-192.0.2.10-0" { vip = "192.0.2.10" port = 0 protocol = "tcp" scheduler = "rr" persistence = "6m" persistence_prefix = 24`,
		`server "10.0.0.1:8080" { weight = 3 }`,
		`server "10.0.0.2:8080" { weight = 0 upper_threshold = 100 lower_threshold = 50 }`,
		`server "10.0.0.3:80" { weight = 1 forward = "dr" }`,
		`server "10.0.0.5:80" { weight = 1 forward = "tun" tunnel = "gue" tunnel_port = 6080 }`,
		`server "10.0.0.7:80" { weight = 1 forward = "tun" tunnel = "gue" tunnel_port = 6080 tunnel_checksum = "remcsum" }`,
		`server "10.0.0.8:80" { weight = 1 forward = "tun" tunnel = "gre" tunnel_checksum = "csum" }`,
		`server "10.0.0.9:80" { weight = 1 forward = "tun" }`,
		`protocol = "udp" scheduler = "rr" persistence = "5m" persistence_engine = "sip"`,
		`protocol = "sctp" scheduler = "wrr"`,
		`scheduler = "sh" scheduler_flags = ["sh-port"] one_packet = true`,
		`service "fwmark-7" { vip = "192.0.2.10" fwmark = 7 scheduler = "sh" scheduler_flags = ["sh-port"] persistence = "6m" forward = "dr" server "10.0.0.1:0" { weight = 1 } }`,
		`service "fwmark-8-ipv6" { vip = "2001-db8--10" fwmark = 8 scheduler = "mh" scheduler_flags = ["mh-fallback", "mh-port"]`,
	} {
		if !strings.Contains(strings.Join(strings.Fields(got), " "), want) {
			t.Errorf("missing: %s", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
	again, err := config.Parse("x.hcl", im.Format())
	if err != nil || text(again.Config) != got {
		t.Errorf("what is written is not read again: %v", err)
	}
}

// TestParseLeaves: each line that cannot be taken over is named with the reason, and the rest stands.
func TestParseLeaves(t *testing.T) {
	const good = "-A -t 192.0.2.10:80 -s rr\n-a -t 192.0.2.10:80 -r 10.0.0.1:80 -m\n"
	for _, x := range []struct{ line, why string }{
		{"-A -t 192.0.2.10:http -s rr", "ipvsadm -Sn"},
		{"-A -t 192.0.2.11:80 -s magic", `scheduler "magic" is not known: use one of rr`},
		{"-A -t 192.0.2.11:80 -s rr -b sh-port", "has no flag"},
		{"-A -t 192.0.2.11:80 -s rr -b flag-1", "has no flag"},
		{"-A -t 192.0.2.11:80 -s rr -o", "only datagrams"},
		{"-A -t 192.0.2.11:0 -s rr", "all ports"},
		{"-A -t 192.0.2.11:80 -s rr -p 300 -M 255.0.255.0", "is no prefix"},
		{"-A -t 192.0.2.11:80 -s rr -p 300000000", "persistence"},
		{"-A -t 192.0.2.11:80 -u 192.0.2.11:80", "it names 2 services"},
		{"-A -t 192.0.2.11:80 --quorum 3", `"--quorum" is no option`},
		{"-A -t 192.0.2.11:80 -r 10.0.0.1:80", "--real-server does not belong"},
		{"-A -t 192.0.2.10:80 -s rr", "there already, in line 1"},
		{"-A -f 0 -s rr", "firewall mark"},
		{"-A -f 7 -6 -s rr", "not exactly one IPv6 address"},
		{"-C", "only lines that add"},
		{"--start-daemon master", "no option"},
		{"-D -t 192.0.2.10:80", "only lines that add"},
		{"-a -t 192.0.2.12:80 -r 10.0.0.1:80 -m", "its service was not added"},
		{"-a -t 192.0.2.10:80 -r 10.0.0.1:80 -m", "the server is there already"},
		{"-a -t 192.0.2.10:80 -r 10.0.0.2:81 -g", "cannot change the port"},
		{"-a -t 192.0.2.10:80 -r 192.0.2.10:80 -m", "the VIP itself"},
		{"-a -t 192.0.2.10:80 -r [2001:db8::1]:80 -m", "different address families"},
		{"-a -t 192.0.2.10:80 -r [2001:db8::1]:80 -i", `sync { transport = "off" }`},
		{"-a -t 192.0.2.10:80 -r 10.0.0.2:80 -m -i", "it names 2 forwarding methods"},
		{"-a -t 192.0.2.10:80 -r 10.0.0.2:80 -m -w 70000", "want a number from 0 to 65535"},
		{"-a -t 192.0.2.10:80 -r 10.0.0.2:80 -m -x 5 -y 9", "lower_threshold"},
		{"-a -t 192.0.2.10:80 -r 10.0.0.2:80 -i --tun-type gue", "tunnel_port"},
		{"-a -t 192.0.2.10:80 -r 10.0.0.2:80 -m --tun-type gue --tun-port 5", "goes with -i"},
		{"-a -t 192.0.2.10:80 -m", "names no server"},
		{"-a -t 192.0.2.10:80 -r", "has no value"},
		{strings.Repeat("x", maxLine+1), "characters"},
	} {
		im, err := Parse("table", []byte(good+"\n# a comment\n"+x.line+"\n"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(im.Left) != 1 || im.Left[0].Line != 5 || im.Left[0].File != "table" || !strings.Contains(im.Left[0].String(), x.why) {
			t.Errorf("%.80s: %v; want line 5: %s", x.line, im.Left, x.why)
		}
		if s := im.Config.Services["tcp-192.0.2.10-80"]; len(im.Config.Services) != 1 || len(s.Servers) != 1 {
			t.Errorf("%.80s: the rest does not stand: %+v", x.line, im.Config.Services)
		}
	}
}

// TestParseLeavesServersWithTheirService: a service that is refused takes its servers with it, each named.
func TestParseLeavesServersWithTheirService(t *testing.T) {
	im, err := Parse("table", []byte("-A -t 192.0.2.10:80 -s rr -o\n-a -t 192.0.2.10:80 -r 10.0.0.1:80 -m\n"), Options{})
	var lines []int
	for _, d := range im.Left {
		lines = append(lines, d.Line)
	}
	if err != nil || !slices.Equal(lines, []int{1, 2}) || len(im.Config.VIPs)+len(im.Config.Services) != 0 {
		t.Errorf("%v, %v, %+v", err, im.Left, im.Config)
	}
}

// FuzzParse: whatever the text, what comes out is valid, is read again as the same, and every line is either in it or named.
func FuzzParse(f *testing.F) {
	f.Add(saved)
	for l := range strings.Lines(saved) {
		f.Add(l)
	}
	f.Fuzz(func(t *testing.T, in string) {
		im, err := Parse("x", []byte(in), Options{})
		if err != nil {
			return
		}
		if ps := im.Config.Validate(); len(ps) > 0 {
			t.Fatalf("not valid: %v", ps)
		}
		n := strings.Count(in, "\n") + 1
		for _, d := range im.Left {
			if d.Line < 1 || d.Line > n {
				t.Fatalf("%v in %d lines", d, n)
			}
		}
		again, err := config.Parse("x.hcl", im.Format())
		if err != nil {
			t.Fatalf("%v in\n%s", err, im.Format())
		}
		if text(again.Config) != text(im.Config) {
			t.Fatalf("read again\n%s\nwritten\n%s", text(again.Config), text(im.Config))
		}
	})
}

// TestParseNotesPrefixes: a prefix length is asked for where one of the VIPs has none.
func TestParseNotesPrefixes(t *testing.T) {
	const four, six = "-A -t 192.0.2.10:80 -s rr\n", "-A -t [2001:db8::10]:80 -s rr\n"
	for _, x := range []struct {
		text string
		o    Options
		asks bool
	}{
		{four, Options{}, true}, {four, Options{Prefix4: 24}, false}, {six, Options{Prefix4: 24}, true}, {six, Options{Prefix6: 64}, false},
		{four + six, Options{Prefix4: 24}, true}, {four + six, Options{Prefix4: 24, Prefix6: 64}, false}, {"", Options{}, false},
	} {
		im, err := Parse("table", []byte(x.text), x.o)
		if asks := strings.Contains(strings.Join(im.Notes, "\n"), "--prefix"); err != nil || asks != x.asks {
			t.Errorf("%q with %+v: %v, %q", x.text, x.o, err, im.Notes)
		}
	}
}
