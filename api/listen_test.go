package api_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quorate/api"
)

func TestListenUnix(t *testing.T) {
	dir, err := os.MkdirTemp("", "q")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "run", "quorate", "s") // its directory is missing
	l, err := api.ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(path)
	if err != nil || fi.Mode().Perm() != 0o660 || fi.Mode()&os.ModeSocket == 0 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	if _, err := api.ListenUnix(path); err == nil || !strings.Contains(err.Error(), "another agent answers") {
		t.Errorf("beside a live one: %v", err)
	}
	if c, err := net.Dial("unix", path); err != nil {
		t.Errorf("the refused one took the socket away: %v", err)
	} else {
		_ = c.Close()
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket is still there after Close")
	}
	if err := l.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}

	// What a killed agent leaves.
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	_ = dead.Close()
	l, err = api.ListenUnix(path)
	if err != nil {
		t.Fatalf("over a stale socket: %v", err)
	}
	_ = l.Close()

	if err := os.WriteFile(path, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := api.ListenUnix(path); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("over a file: %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "data" {
		t.Errorf("the file was harmed: %q, %v", b, err)
	}
	if _, err := api.ListenUnix(filepath.Join(dir, strings.Repeat("x", 120))); err == nil || !strings.Contains(err.Error(), "107 characters") {
		t.Errorf("a long path: %v", err)
	}
}

func TestListenTCPIsLoopbackOnly(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "localhost:0", "127.0.0.1", "x"} {
		if l, err := api.ListenTCP(addr); err == nil {
			_ = l.Close()
			t.Errorf("%q was taken", addr)
		}
	}
	l, err := api.ListenTCP("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}
