package realserver

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const someRecord = `{"version":1,"kernel":"b net:[1]","vips":[{"vip":"192.0.2.10","forward":"dr","interface":"eth0.100"}],
"made":[{"kind":"sysctl","name":"net/ipv4/conf/eth0.100/arp_ignore","was":"0","set":"1"},{"kind":"address","name":"192.0.2.10/32","link":"lo"},
{"kind":"link","name":"quorate-gre"},{"kind":"listener","name":"ipv6/6080"}],"directory":true}`

func TestRecordMistakes(t *testing.T) {
	if _, err := decodeRecord([]byte(someRecord)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, says string }{
		{`"version":1`, `"version":2`, "version 2"},
		{`"directory":true`, `"else":true`, "else"},
		{`"directory":true}`, `"directory":true} x`, "after the record"},
		{`"net/ipv4/conf/eth0.100/arp_ignore"`, `"kernel/core_pattern"`, "kernel/core_pattern"},
		{`eth0.100/arp_ignore`, `../arp_ignore`, "nothing that setup makes"},
		{`eth0.100/arp_ignore`, `eth0/../../../../kernel/arp_ignore`, "nothing that setup makes"},
		{`"was":"0"`, `"was":"0\n1"`, "nothing that setup makes"},
		{`"192.0.2.10/32","link":"lo"`, `"192.0.2.10/32","link":"eth0"`, "nothing that setup makes"},
		{`"192.0.2.10/32","link":"lo"`, `"127.0.0.1/32","link":"lo"`, "nothing that setup makes"},
		{`"192.0.2.10/32","link":"lo"`, `"192.0.2.10/24","link":"lo"`, "nothing that setup makes"},
		{`"quorate-gre"`, `"eth0"`, "nothing that setup makes"},
		{`ipv6/6080`, `ipv6/0`, "nothing that setup makes"},
		{`"forward":"dr"`, `"forward":"fly"`, "want dr or tun"},
	} {
		text := strings.Replace(someRecord, c.old, c.new, 1)
		if text == someRecord {
			t.Fatalf("%q is not in the record", c.old)
		}
		path := filepath.Join(t.TempDir(), "record")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readRecord(path); err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want the file and %q named", c.new, err, c.says)
		}
	}
	if _, err := decodeRecord(make([]byte, maxRecord+1)); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("too long: %v", err)
	}
}

// FuzzRecord: whatever the file says, what is taken from it is something that setup makes, and reads the same when written again.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(someRecord))
	f.Add([]byte(`{"version":1,"kernel":"","vips":[{"vip":"2001:db8::1","forward":"tun","tunnel":"gue","port":1,"outer":"ipv6"}],"made":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(b)
		if err != nil {
			return
		}
		for _, m := range r.Made {
			if m.check() != nil || strings.Contains(m.Name, "..") && m.Kind == KindSysctl && slices.Contains(strings.Split(m.Name, "/"), "..") {
				t.Errorf("%+v was taken", m)
			}
			if c := (Step{Thing: m.Thing, To: m.Was, Back: true}).Command(); strings.ContainsAny(c, "\n\x00") {
				t.Errorf("%+v is the command %q", m, c)
			}
		}
		once, err := r.encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeRecord(once)
		if err != nil {
			t.Fatalf("%v\n%s", err, once)
		}
		if twice, _ := again.encode(); !bytes.Equal(once, twice) {
			t.Errorf("%s\nand then\n%s", once, twice)
		}
	})
}

// TestOneAtATime: a second setup is refused while the first is at work, and the lock leaves nothing.
func TestOneAtATime(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "made", "realserver.json")
	first, err := openFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openFile(path); err == nil || !strings.Contains(err.Error(), "at work") {
		t.Errorf("a second one: %v", err)
	}
	if err := first.close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if _, err := openFile(filepath.Join(dir, "a", "b", "realserver.json")); err == nil || !strings.Contains(err.Error(), "--state") {
		t.Errorf("no directory to make one in: %v", err)
	}
}
