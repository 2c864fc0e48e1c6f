package main

import (
	"io"
	"log/slog"
	"strings"
	"syscall"
	"testing"
)

func TestHangupIsIgnored(t *testing.T) {
	r, w := io.Pipe()
	stop := ignoreHangups(slog.New(slog.NewTextHandler(w, nil)))
	defer stop()
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 512)
	n, err := r.Read(b) // the process would be dead else
	if err != nil || !strings.Contains(string(b[:n]), "SIGHUP changes nothing") {
		t.Errorf("log %q, %v", b[:n], err)
	}
}
