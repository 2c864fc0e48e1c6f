package sysctl_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"quorate/lvs/lvstest"
	"quorate/lvs/sysctl"
)

// These settings belong to the network namespace.
const first, second = "net.ipv4.ip_forward", "net.ipv4.conf.all.arp_announce"

func expect(t *testing.T, name, want string) {
	t.Helper()
	if got, err := sysctl.Read(name); err != nil || got != want {
		t.Errorf("%s is %q, %v; want %q", name, got, err, want)
	}
}

func put(t *testing.T, name, value string) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/"+strings.ReplaceAll(name, ".", "/"), []byte(value), 0); err != nil {
		t.Error(err)
	}
}

// TestBook: what was set is put back, by the next process too, and only that.
func TestBook(t *testing.T) {
	lvstest.Alone(t, func() {
		put(t, first, "0")
		put(t, second, "0")
		file := filepath.Join(t.TempDir(), "sysctls.json")
		open := func() *sysctl.Book {
			b, err := sysctl.Open(file)
			if err != nil {
				t.Error(err)
			}
			return b
		}
		do := func(err error) {
			t.Helper()
			if err != nil {
				t.Error(err)
			}
		}
		b := open()
		do(b.Set("lvs", first, "1"))
		do(b.Set("lvs", first, "1"))
		do(b.Set("sync", second, "1"))
		do(b.Set("sync", second, "2")) // another value, and what it was stays
		want := []sysctl.Change{{first, "lvs", "0", "1"}, {second, "sync", "0", "2"}}
		if got := b.Changes(); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		b = open() // the process was killed
		do(b.Restore("lvs"))
		expect(t, first, "0")
		expect(t, second, "2")
		put(t, second, "1") // another program
		do(b.Restore("sync"))
		expect(t, second, "1")
		if got := append(b.Changes(), open().Changes()...); len(got) != 0 {
			t.Errorf("left in the book: %v", got)
		}
		do(b.Set("lvs", second, "1"))
		if got := b.Changes(); len(got) != 0 {
			t.Errorf("what had its value already is ours: %v", got)
		}
		if err := b.Set("lvs", "net.ipv4.no_such_thing", "1"); err == nil || len(b.Changes()) != 0 {
			t.Errorf("%v, %v", err, b.Changes())
		}
		if err := b.Set("lvs", "kernel.ostype", "Minix"); !errors.Is(err, sysctl.ErrNotSet) || len(open().Changes()) != 0 { // 0444: nobody can
			t.Errorf("%v, %v", err, open().Changes())
		}
		b.Changed = []sysctl.Change{{"net.ipv4.no_such_thing", "lvs", "0", "1"}} // its module has gone
		if err := b.Restore("lvs"); err != nil || len(b.Changes()) != 0 {
			t.Errorf("%v, %v", err, b.Changes())
		}
	})
}

// TestBookOfAnother boot or namespace says nothing, and a damaged one says that it is.
func TestBookOfAnother(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sysctls.json")
	if err := os.WriteFile(file, []byte(`{"boot":"x","namespace":"net:[1]","changed":[{"name":"net.ipv4.ip_forward","for":"lvs","was":"0","set":"1"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := sysctl.Open(file); err != nil || len(b.Changes()) != 0 {
		t.Errorf("%v, %v", err, b.Changes())
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := sysctl.Open(file); b == nil || err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("%v", err)
	}
}

// TestNoBook: what cannot be noted is not changed.
func TestNoBook(t *testing.T) {
	lvstest.Alone(t, func() {
		put(t, first, "0")
		b, err := sysctl.Open(filepath.Join(t.TempDir(), "gone", "sysctls.json"))
		if err != nil {
			t.Error(err)
		}
		if err := b.Set("lvs", first, "1"); err == nil || len(b.Changes()) != 0 {
			t.Errorf("%v, %v", err, b.Changes())
		}
		expect(t, first, "0")
	})
}

func TestAsk(t *testing.T) {
	lvstest.Alone(t, func() {
		put(t, second, "0")
		n := sysctl.Ask(second, "it goes wrong", "2", "1")
		if len(n) != 1 || n[0].Want != "2" || !strings.Contains(n[0].String(), "is 0, so it goes wrong: run sysctl -w "+second+"=2 ") {
			t.Errorf("%v", n)
		}
		put(t, second, "1")
		if n := sysctl.Ask(second, "it goes wrong", "2", "1"); n != nil {
			t.Errorf("%v", n)
		}
		if n := sysctl.Ask("net.ipv4.no_such_thing", "", "1"); n != nil {
			t.Errorf("%v", n)
		}
	})
}
