package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quorate/api"
	"quorate/api/apitest"
	"quorate/fsm"
)

// TestFollowSurvivesARestart: events --follow prints each event once, says once that the agent went away, goes on where it
// was when the agent is back, and ends without a failure when it is interrupted.
func TestFollowSurvivesARestart(t *testing.T) {
	dir, err := os.MkdirTemp("", "q")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	socket := filepath.Join(dir, "s")
	agent := apitest.NewWorld().Cluster("n1")[0]
	start := func() (stop func()) {
		l, err := api.ListenUnix(socket)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- api.NewServer(agent.Options()).Serve(ctx, l) }()
		return func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	tell := func(text string) {
		if _, err := agent.Propose(t.Context(), fsm.Command{Record: &fsm.Record{Event: fsm.Event{Kind: fsm.EventReported, Node: "n1", Text: text}}}); err != nil {
			t.Fatal(err)
		}
	}
	outR, outW := io.Pipe()
	errR, errW := io.Pipe()
	ctx, interrupt := context.WithCancel(t.Context())
	a := &app{in: strings.NewReader(""), out: outW, err: errW, getenv: func(string) string { return "" }}
	code := make(chan int, 1)
	stop := start()
	go func() {
		code <- a.execute(ctx, []string{"events", "--follow", "--since", "1", "--socket", socket})
		_, _ = outW.Close(), errW.Close()
	}()
	out, complaints := bufio.NewScanner(outR), bufio.NewScanner(errR)
	expect := func(sc *bufio.Scanner, text string) {
		t.Helper()
		if !sc.Scan() || !strings.Contains(sc.Text(), text) {
			t.Fatalf("%q, %v; want %q", sc.Text(), sc.Err(), text)
		}
	}
	tell("one")
	expect(out, "one")
	stop()
	expect(complaints, "the agent went away")
	tell("two")
	tell("three")
	defer start()()
	expect(out, "two")
	expect(out, "three")
	tell("four")
	expect(out, "four")
	interrupt()
	if c := <-code; c != exitDone {
		t.Errorf("exit code %d", c)
	}
	if complaints.Scan() {
		t.Errorf("said besides: %q", complaints.Text())
	}
}
