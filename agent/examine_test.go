package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"quorate/fsm"
)

// TestWhoIsAskedForFiles: checks and notifiers of the nodes need theirs on directors, what the leader tells on every node that may lead; and a
// notifier whose channel stays is in force already.
func TestWhoIsAskedForFiles(t *testing.T) {
	hook := fsm.Notifier{Name: "hook", Webhook: &fsm.Webhook{URL: "https://hooks.example.org/", SecretFile: "/etc/key"}}
	s := fsm.New()
	s.Nodes = map[fsm.NodeID]fsm.Node{"n1": {ID: "n1", Role: fsm.Director}, "n2": {ID: "n2", Role: fsm.Director}, "w1": {ID: "w1", Role: fsm.Witness}, "n9": {ID: "n9", Role: fsm.Director, Leaving: true}}
	s.Config.Notifiers = map[string]fsm.Notifier{"hook": hook, "moved": hook}
	check := fsm.NewCheck(fsm.CheckScript)
	check.Script.Command = []string{"/usr/local/bin/check"}
	hook.Events = []fsm.EventKind{fsm.EventFence}
	moved := hook
	moved.Webhook = &fsm.Webhook{URL: "https://hooks.example.org/", SecretFile: "/etc/other"}
	run := &fsm.Script{Command: []string{"/usr/local/bin/notify"}}
	all := examinedIn(fsm.Config{
		Services: map[string]fsm.Service{"web": {Checks: []fsm.Check{fsm.NewCheck(fsm.CheckTCP), check}}},
		Notifiers: map[string]fsm.Notifier{"hook": hook, "moved": moved, "run": {Name: "run", Script: run}, "one": {Name: "one", Nodes: []fsm.NodeID{"n2"}, FIFO: &fsm.FIFO{Path: "/run/x"}},
			"lead": {Name: "lead", By: fsm.ByLeader, Nodes: []fsm.NodeID{"n2"}, Script: run}, "none": {Name: "none", Webhook: &fsm.Webhook{URL: "https://hooks.example.org/"}}},
	}, s)
	var got []string
	for _, x := range all {
		var ids []string
		for _, n := range x.nodes {
			ids = append(ids, string(n.ID))
		}
		slices.Sort(ids)
		got = append(got, fmt.Sprintf("%s on %s kept %v", x.Object, strings.Join(ids, " "), x.kept))
	}
	want := []string{"service.web.check.1 on n1 n2 kept false", "notify.hook.webhook on n1 n2 w1 kept true", "notify.lead.script on n1 n2 w1 kept false", "notify.moved.webhook on n1 n2 w1 kept false",
		"notify.one.fifo on n2 kept false", "notify.run.script on n1 n2 kept false"}
	if !slices.Equal(got, want) {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestFaultsOfFilesAreProblems: what nodes say of a file becomes a problem with object, key, value and cure; of what is in force a warning.
func TestFaultsOfFilesAreProblems(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(secret, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	n := fsm.Notifier{Name: "hook", Webhook: &fsm.Webhook{URL: "https://hooks.example.org/", SecretFile: secret, TokenFile: secret + "x"}}
	all := []examined{{Object: "notify.hook.webhook", Notifier: &n}}
	faults := (&Agent{}).examine(all)
	asked := map[fsm.NodeID][]int{"n1": {0}, "n2": {0}, "n3": {0}}
	said := map[fsm.NodeID][]fault{"n1": faults, "n2": faults[:1]}
	problems, warnings := together(all, asked, said, map[fsm.NodeID]error{"n3": errors.New("no route")})
	want := fmt.Sprintf("notify.hook.webhook: secret_file = %q: on n1, n2: everybody may read it or write to it; run: chmod 600 %s\n"+
		"notify.hook.webhook: token_file = %q: on n1: no such file or directory; it has to be on each node that may lead", secret, secret, secret+"x")
	if got := problems.Error(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0].What, "n3 could not be asked whether it has the files that it needs: no route") {
		t.Errorf("warnings %v", warnings)
	}
	all[0].kept = true
	if problems, warnings = together(all, asked, said, nil); len(problems) != 0 || len(warnings) != 2 {
		t.Errorf("of what is in force: problems %v, warnings %v", problems, warnings)
	}
}
