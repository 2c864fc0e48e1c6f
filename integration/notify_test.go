package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"quorate/fsm"
	"quorate/integration/lab"
)

// notified is a webhook's receiver that is no better than most: of its answers each seventh is a 500 for what it did not take, and each eleventh is lost
// though it took the request.
type notified struct {
	mu       sync.Mutex
	requests int
	ids      []string          // in the order in which they came first
	texts    map[string]string // by id
	again    int
	odd      []string
	well     bool // from now on
}

func (n *notified) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the leader that sent it was killed
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.requests++; n.requests%7 == 0 && !n.well {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	var m struct {
		Events []struct{ ID, Text string }
		Untold *json.RawMessage
	}
	if err := json.Unmarshal(body, &m); err != nil || m.Untold != nil {
		n.odd = append(n.odd, string(body))
	}
	for _, e := range m.Events {
		if was, ok := n.texts[e.ID]; ok {
			if n.again++; was != e.Text {
				n.odd = append(n.odd, e.ID+" is "+was+" and "+e.Text)
			}
			continue
		}
		n.texts[e.ID] = e.Text
		n.ids = append(n.ids, e.ID)
	}
	if n.requests%11 == 0 && !n.well {
		panic(http.ErrAbortHandler)
	}
}

func (n *notified) came() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.ids)
}

// A VIP moves a hundred times while the leader is killed three times: whoever is told learns of each step in order, none is missing, and what comes twice has
// the same id. Each node's script learns what that node does, in order.
func TestNotificationsOutliveTheirLeaders(t *testing.T) {
	bed := newBed(t, 3, 0)
	form(t, bed)
	receiver := &notified{texts: map[string]string{}}
	var l net.Listener
	must(t, bed.Client.Do(func() (err error) {
		l, err = net.Listen("tcp", net.JoinHostPort(bed.Client.Addr().String(), "8099"))
		return err
	}))
	srv := &http.Server{Handler: receiver}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l)
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		<-done
	})
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	script := filepath.Join(dir, "notify")
	must(t, os.WriteFile(script, []byte("#!/bin/sh\necho \"$@\" >> "+dir+"/$QUORATE_NODE.log\n"), 0o755))
	config := new(lab.Config).VIP("a", lab.VIP(1)).String() + fmt.Sprintf(`
notify "hook" {
  events = ["assign", "release", "cancel", "fence"]
  webhook {
    url     = "http://%s/hook"
    timeout = "2s"
  }
}
notify "run" {
  vips = ["a"]
  script { command = ["%s"] }
}
`, l.Addr(), script)
	_, err := bed.Directors[0].Apply(within(t, 30*time.Second), "cluster.hcl", config)
	must(t, err)
	owned(t, bed, lab.VIP(1))
	st, err := bed.Directors[0].API.Status(within(t, 5*time.Second))
	must(t, err)

	var dead *lab.Director
	alive := func() (out []*lab.Director) {
		for _, d := range bed.Directors {
			if d != dead {
				out = append(out, d)
			}
		}
		return out
	}
	const flaps = 100
	var last fsm.NodeID
	for i := range flaps + 10 { // a fence may have moved it already to where it is sent
		switch i {
		case 25, 50, 75:
			leader, err := bed.Leader(within(t, 20*time.Second))
			must(t, err)
			must(t, leader.Kill())
			dead = leader
		case 35, 60, 85:
			must(t, dead.Restart(within(t, 20*time.Second)))
			dead = nil
		}
		must(t, lab.Await(within(t, 60*time.Second*paceOf().times), 20*time.Millisecond, func(ctx context.Context) error {
			for _, d := range alive() {
				if d.ID() == last {
					continue
				}
				_, err := d.API.MoveVIP(ctx, "a", d.ID(), 5*time.Second)
				if err == nil {
					last = d.ID()
				}
				return err
			}
			return fmt.Errorf("nobody can take it")
		}))
	}
	must(t, bed.AwaitReady(within(t, 30*time.Second)))

	// All that the timeline has of these kinds since then is what was to be told.
	es, err := bed.Directors[0].API.Events(within(t, 10*time.Second), fmt.Sprint(st.Version), 1000)
	must(t, err)
	if es.Forgotten || es.More {
		t.Fatalf("the timeline is too short for this test: forgotten %t, more %t", es.Forgotten, es.More)
	}
	var want []string
	assigned := 0
	for _, e := range es.Events {
		if slices.Contains([]fsm.EventKind{fsm.EventAssign, fsm.EventRelease, fsm.EventCancel, fsm.EventFence}, e.Kind) {
			want = append(want, fmt.Sprintf("%s-%d.%d", st.ClusterID, e.Index, e.N))
		}
		if e.Kind == fsm.EventAssign && e.VIP == "a" {
			assigned++
		}
	}
	if assigned < flaps {
		t.Errorf("the VIP has changed hands %d times, and should have %d times", assigned, flaps)
	}
	err = lab.Await(within(t, 90*time.Second), 50*time.Millisecond, func(context.Context) error {
		if got := receiver.came(); len(got) < len(want) {
			return fmt.Errorf("%d of %d events have come", len(got), len(want))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	got := receiver.came()
	if !slices.Equal(got, want) {
		t.Errorf("told in another order, or something is missing:\n%q\nwanted:\n%q", got, want)
	}
	receiver.mu.Lock()
	t.Logf("%d events in %d requests, %d events twice", len(got), receiver.requests, receiver.again)
	if len(receiver.odd) > 0 || receiver.again == 0 {
		t.Errorf("%d came again; odd: %q", receiver.again, receiver.odd)
	}
	receiver.well = true
	receiver.mu.Unlock()

	// Each node's script: the states alternate, but for one that was being told when an agent was killed; and the last is the present one.
	must(t, lab.Await(within(t, 20*time.Second), 50*time.Millisecond, func(ctx context.Context) error {
		for _, d := range bed.Directors {
			b, err := os.ReadFile(filepath.Join(dir, d.Name+".log"))
			if err != nil {
				return err
			}
			lines := strings.Split(strings.TrimSpace(string(b)), "\n")
			twice := 0
			for i, line := range lines {
				if i > 0 && line == lines[i-1] {
					twice++
				}
				if !strings.HasPrefix(line, "INSTANCE a ") || twice > 3 {
					return lab.Final(fmt.Errorf("%s was told %q after %q", d.Name, line, lines[max(0, i-1)]))
				}
			}
			has, err := d.Carries(lab.VIP(1).Addr())
			if err != nil {
				return err
			}
			if is := map[bool]string{true: "INSTANCE a MASTER 100", false: "INSTANCE a BACKUP 100"}[has]; lines[len(lines)-1] != is {
				return fmt.Errorf("%s was told last %q, want %q", d.Name, lines[len(lines)-1], is)
			}
		}
		return nil
	}))
	if out := says(t, bed.Directors[0], "notify", "test", "hook"); !strings.Contains(out, "told: HTTP 200 OK") {
		t.Errorf("notify test: %s", out)
	}
	if out := says(t, bed.Directors[1], "notify", "list"); !strings.Contains(out, "hook") || !strings.Contains(out, "run") {
		t.Errorf("notify list: %s", out)
	}
	for _, d := range bed.Directors {
		must(t, d.End(within(t, 30*time.Second)))
		b, err := os.ReadFile(filepath.Join(dir, d.Name+".log"))
		must(t, err)
		if lines := strings.Fields(string(b)); lines[len(lines)-2] != "STOP" {
			t.Errorf("%s ended, and its script was told last %q", d.Name, lines[len(lines)-4:])
		}
	}
}
