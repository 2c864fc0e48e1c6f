package api_test

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/api/client"
	"quorate/fsm"
)

// TestStreamResumesInTheMiddleOfAnEntry: losing a node makes several events in one entry; a reader that breaks off after
// each single event and resumes sees every one of them once.
func TestStreamResumesInTheMiddleOfAnEntry(t *testing.T) {
	s, agents := cluster(t)
	owner := s.State().Assignments[sample().VIPs["web"].Key()].Owner
	for _, a := range agents[1:] {
		if a.Local().Node == owner {
			a.Kill()
		}
	}
	want := s.State().Events
	several := false
	for i := 1; i < len(want); i++ {
		several = several || want[i].Index == want[i-1].Index
	}
	if !several {
		t.Fatal("no entry has several events: this tests nothing")
	}
	at := ""
	for i, w := range want {
		es, err := s.unix.Follow(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		got, err := es.Next()
		if err != nil || got != w {
			t.Fatalf("event %d: %+v, %v; want %+v", i, got, err, w)
		}
		at = es.At()
		_ = es.Close()
	}
}

// TestLastEventID: what a browser's EventSource sends wins over the address that it was opened with.
func TestLastEventID(t *testing.T) {
	s, _ := cluster(t)
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/v1/events/stream?after=0", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Last-Event-ID", "2")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if ct := resp.Header.Get("Content-Type"); ct != "text/event-stream" {
		t.Errorf("content type %q", ct)
	}
	sc := bufio.NewScanner(resp.Body)
	for sc.Scan() {
		if id, ok := strings.CutPrefix(sc.Text(), "id: "); ok {
			if id != "3" {
				t.Errorf("resumed at %s", id)
			}
			return
		}
	}
	t.Fatalf("no event: %v", sc.Err())
}

func TestFollow(t *testing.T) {
	s, _ := cluster(t)
	es, err := s.unix.Follow(t.Context(), "now")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = es.Close() }()
	if _, err := s.unix.DrainNode(t.Context(), "n3", 0); err != nil {
		t.Fatal(err)
	}
	e, err := es.Next()
	if err != nil || e.Kind != fsm.EventNode || e.Node != "n3" {
		t.Errorf("%+v, %v", e, err)
	}
	_, err = s.unix.Follow(t.Context(), "yesterday")
	wantCode(t, err, "invalid-request")
}

func TestEventsByPages(t *testing.T) {
	s, _ := cluster(t)
	want := s.State().Events
	var got []fsm.Event
	after := ""
	for {
		page, err := s.unix.Events(t.Context(), after, 2)
		if err != nil || len(page.Events) > 2 {
			t.Fatalf("%+v, %v", page, err)
		}
		got = append(got, page.Events...)
		after = page.Next
		if !page.More {
			break
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d of %d events", len(got), len(want))
	}
	last, err := s.unix.LastEvents(t.Context(), 2)
	if err != nil || len(last.Events) != 2 || last.Events[1] != want[len(want)-1] || last.Next != after {
		t.Errorf("last: %+v, %v", last, err)
	}
}

// TestForgottenEventsAreSaid: a reader whose place is no longer in the timeline is told, on both ways.
func TestForgottenEventsAreSaid(t *testing.T) {
	s, _ := cluster(t)
	for range fsm.MaxEvents + 10 {
		if _, err := s.Propose(t.Context(), fsm.Command{Record: &fsm.Record{Event: fsm.Event{Kind: fsm.EventReported, Node: "n1", Text: "again"}}}); err != nil {
			t.Fatal(err)
		}
	}
	page, err := s.unix.Events(t.Context(), "1", 1)
	if err != nil || !page.Forgotten {
		t.Errorf("page: %+v, %v", page, err)
	}
	es, err := s.unix.Follow(t.Context(), "1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = es.Close() }()
	if _, err := es.Next(); !errors.Is(err, client.ErrForgotten) {
		t.Errorf("stream: %v", err)
	}
	if e, err := es.Next(); err != nil || e != s.State().Events[0] {
		t.Errorf("then: %+v, %v", e, err)
	}
}

// TestPlaceInAnEntryThatIsHalfForgotten: a reader that stopped in the middle of an entry with many events goes on there, though the timeline has forgotten the
// first of them meanwhile; and is told if some were forgotten that it had not read.
func TestPlaceInAnEntryThatIsHalfForgotten(t *testing.T) {
	s, _ := cluster(t)
	const servers = 600
	c := sample()
	check := fsm.NewCheck(fsm.CheckTCP)
	check.Interval, check.Timeout, check.Rise, check.Fall = 2*time.Second, time.Second, 2, 3
	big := fsm.Service{Name: "big", VIP: "web", Port: 9000, Protocol: fsm.TCP, Scheduler: "rr", Forward: fsm.NAT, Checks: []fsm.Check{check}}
	for i := range servers {
		big.Servers = append(big.Servers, fsm.Server{Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)}), 80), Weight: 1})
	}
	c.Services = map[string]fsm.Service{"big": big}
	if _, err := s.unix.Apply(t.Context(), c, 0, true); err != nil {
		t.Fatal(err)
	}
	before := s.State().Index
	all := func(v fsm.Verdict) {
		var vs []fsm.ServerVerdict
		for _, x := range big.Servers {
			vs = append(vs, fsm.ServerVerdict{Server: fsm.ServerKey{Service: "big", Address: x.Address}, Verdict: v})
		}
		if _, err := s.Propose(t.Context(), fsm.Command{SetHealth: &fsm.SetHealth{Verdicts: vs}}); err != nil {
			t.Fatal(err)
		}
	}
	all(fsm.Up)
	read := func(n int) string {
		page, err := s.unix.Events(t.Context(), fmt.Sprint(before), n)
		if err != nil || len(page.Events) != n || page.Forgotten {
			t.Fatalf("%d events, forgotten %v, %v", len(page.Events), page.Forgotten, err)
		}
		return page.Next
	}
	early, half := read(100), read(300)
	all(fsm.Down)
	kept := s.State().Events
	if kept[0].N == 0 || kept[0].N < 100 || kept[0].N > 300 || kept[0].Index >= s.State().Index {
		t.Fatalf("the timeline begins with event %d of entry %d: this tests nothing", kept[0].N, kept[0].Index)
	}
	want := kept[300-kept[0].N:]
	page, err := s.unix.Events(t.Context(), half, 1000)
	if err != nil || page.Forgotten || !slices.Equal(page.Events, []fsm.Event(want)) {
		t.Errorf("page after %s: %d events, want %d; forgotten %v, %v", half, len(page.Events), len(want), page.Forgotten, err)
	}
	es, err := s.unix.Follow(t.Context(), half)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = es.Close() }()
	if e, err := es.Next(); err != nil || e != want[0] {
		t.Errorf("stream after %s: %+v, %v; want %+v", half, e, err, want[0])
	}
	if page, err = s.unix.Events(t.Context(), early, 1); err != nil || !page.Forgotten || page.Events[0] != kept[0] {
		t.Errorf("page after %s: %+v, %v", early, page, err)
	}
}
