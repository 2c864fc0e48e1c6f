package main

import (
	"maps"
	"testing"

	"quorate/fsm"
)

func TestStageMedians(t *testing.T) {
	moved := func(index uint64, vip string, promised, verified int64) fsm.Event {
		return fsm.Event{Index: index, VIP: vip, Stages: fsm.Stages{Promised: promised, Verified: verified}}
	}
	events := []fsm.Event{moved(3, "web", 9_000_000, 9_000_000), moved(5, "web", 250_000, 270_000), moved(6, "other", 1, 1), {Index: 7, VIP: "web"},
		moved(8, "web", 0, 20_000), moved(9, "web", 260_000, 280_060)}
	if got, want := stageMedians(since(events, 3), "web"), map[string]float64{"promised": 255, "verified": 270}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := stageMedians(since(events, 9), "web"); got != nil {
		t.Errorf("%v of nothing", got)
	}
	if latest(events) != 9 || latest(nil) != 0 {
		t.Error("the last event is another one")
	}
}
