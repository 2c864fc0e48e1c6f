package health

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// said is what a probe came to, in words: "up …", "weight 3 …", "down …", "not asked …".
func said(a Answer, err error) string {
	switch {
	case errors.Is(err, ErrNotAsked):
		return err.Error()
	case err != nil:
		return "down: " + err.Error()
	case a.Weight.Asked && a.Weight.Percent:
		return fmt.Sprintf("weight %d%%: %s", a.Weight.Value, a.Detail)
	case a.Weight.Asked:
		return fmt.Sprintf("weight %d: %s", a.Weight.Value, a.Detail)
	default:
		return "up: " + a.Detail
	}
}

func TestFileAnswers(t *testing.T) {
	f := File{Path: "F"}
	for _, tt := range []struct {
		file File
		text string
		want string
	}{
		{f, "up\n", "up: F says up"},
		{f, "  down", "down: F says down"},
		{f, "drain\n", "weight 0: F says drain"},
		{f, "3", "weight 3: F says 3"},
		{f, "50%", "weight 50%: F says 50%"},
		{File{Path: "F", Multiplier: 10}, "3", "weight 30: F says 3"},
		{File{Path: "F", Multiplier: 65535}, "3", "weight 65535: F says 3"},
		{f, "4000000000", ErrNotAsked.Error()},
		{f, "70000", "weight 65535: F says 70000"},
		{f, "", ErrNotAsked.Error()}, // it may be about to be written
		{f, "-1", ErrNotAsked.Error()}, {f, "+1", ErrNotAsked.Error()}, {f, "101%", ErrNotAsked.Error()}, {f, "%", ErrNotAsked.Error()},
		{f, "dwon", ErrNotAsked.Error() + `: F says "dwon"; write up, down, drain, or a weight like 3 or 50%`},
		{f, strings.Repeat("1", 65), ErrNotAsked.Error()},
		{File{Path: "F", Switch: true}, "0", "down: F says 0"},
		{File{Path: "F", Switch: true}, "drain", "down: F says drain"},
		{File{Path: "F", Switch: true}, "7", "up: F says 7"},
	} {
		if got := said(fileAnswer(tt.file, tt.text)); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%q: %s, want %s", tt.text, got, tt.want)
		}
	}
}

func FuzzFileAnswer(f *testing.F) {
	for _, s := range []string{"up", "50%", "3", "", "\x00"} {
		f.Add(s, 3, true)
	}
	f.Fuzz(func(t *testing.T, text string, multiplier int, sw bool) {
		a, err := fileAnswer(File{Path: "F", Multiplier: multiplier, Switch: sw}, text)
		if w := a.Weight; err == nil && (w.Value < 0 || w.Value > 65535 || w.Percent && w.Value > 100 || sw && w.Asked) {
			t.Fatalf("%q: %+v", text, a)
		}
	})
}

func TestFileProbe(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	ask := func(down bool) string {
		return said(fileProber{}.Probe(t.Context(), Target{Type: TypeFile, Machine: Machine{File: File{Path: path, Down: down}}}))
	}
	if got := ask(false); !strings.HasPrefix(got, "up: ") {
		t.Error(got)
	}
	if got := ask(true); !strings.HasPrefix(got, "down: ") {
		t.Error(got)
	}
	if err := os.WriteFile(path, []byte("drain\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := ask(true); !strings.HasPrefix(got, "weight 0: ") {
		t.Error(got)
	}
	path = dir
	if got := ask(false); !strings.Contains(got, "no regular file") || !strings.HasPrefix(got, ErrNotAsked.Error()) {
		t.Error(got)
	}
}

// fakeRunner is a model of programs.
type fakeRunner struct {
	refuse error
	exit   int
	output string
	err    error
	hang   bool
	env    []string
}

func (r *fakeRunner) Check(Script) error { return r.refuse }

func (r *fakeRunner) Run(ctx context.Context, s Script) (int, string, error) {
	r.env = s.Env
	if r.hang {
		<-ctx.Done()
		return -1, r.output, ctx.Err()
	}
	return r.exit, r.output, r.err
}

func TestScriptAnswers(t *testing.T) {
	killed := errors.New("a signal ended it")
	for _, tt := range []struct {
		run     fakeRunner
		dynamic bool
		want    string
	}{
		{fakeRunner{}, false, "up: exit code 0"},
		{fakeRunner{output: "first\nlast line \n\n"}, false, "up: exit code 0: last line"},
		{fakeRunner{exit: 1, output: "no"}, true, "down: exit code 1: no"},
		{fakeRunner{exit: 2}, false, "down: exit code 2"},
		{fakeRunner{exit: 2}, true, "weight 0: exit code 2: weight 0"},
		{fakeRunner{exit: 255}, true, "weight 253: exit code 255: weight 253"},
		{fakeRunner{exit: -1, err: killed}, true, "down: a signal ended it"},
		{fakeRunner{hang: true, exit: -1}, true, "down: the script has not ended within 50ms, and was killed"},
		{fakeRunner{refuse: errors.New("everybody may write to it")}, false, "not asked: everybody may write to it"},
		{fakeRunner{err: errors.New("no interpreter")}, false, "not asked: no interpreter"},
	} {
		p, timeout := newScriptProber(&tt.run), 10*time.Second
		if tt.run.hang {
			timeout = 50 * time.Millisecond
		}
		got := said(p.Probe(t.Context(), Target{Timeout: timeout, Machine: Machine{Script: Script{Dynamic: tt.dynamic}}}))
		if got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.run, got, tt.want)
		}
	}
	if got := said(newScriptProber(nil).Probe(t.Context(), Target{})); !strings.HasPrefix(got, ErrNotAsked.Error()) {
		t.Error(got)
	}
}

// TestScriptGivesUp: a probe that is given up says nothing of its target, and one that waits for its turn has its whole time afterwards.
func TestScriptGivesUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := newScriptProber(&fakeRunner{hang: true})
	if got := said(p.Probe(ctx, Target{Timeout: time.Hour})); !strings.HasPrefix(got, ErrNotAsked.Error()) {
		t.Error(got)
	}
	for range MaxScripts {
		p.slots <- struct{}{}
	}
	ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if got := said(p.Probe(ctx, Target{Timeout: time.Millisecond})); !strings.Contains(got, "32 scripts run already") {
		t.Error(got)
	}
}

func TestLinkProbe(t *testing.T) {
	ask := func(name string) string {
		return said(linkProber{}.Probe(t.Context(), Target{Machine: Machine{Link: name}}))
	}
	if got := ask("lo"); got != "up: lo is up" && got != "down: lo is not set up" {
		t.Error(got)
	}
	if got := ask("none-such"); got != "down: there is no interface none-such" {
		t.Error(got)
	}
}

// sleeper starts a process that is told from all others by its argument.
func sleeper(t *testing.T, seconds string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", seconds)
	if err := cmd.Start(); err != nil {
		t.Skip("there is no sleep; install the package coreutils")
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

func sleepers(seconds string, least int) Target {
	return Target{ID: "sleep " + seconds, Type: TypeProcess, Machine: Machine{Process: Process{Name: "sleep", Arguments: []string{seconds}, Least: least}}}
}

func TestProcessProbe(t *testing.T) {
	const mark = "86397.25"
	p := processProber{NewWatch(nil)}
	ask := func(x Target) string { return said(p.Probe(t.Context(), x)) }
	if got := ask(sleepers(mark, 1)); got != "down: no process sleep" {
		t.Error(got)
	}
	cmd := sleeper(t, mark)
	// It has its arguments only once exec is through.
	for deadline := time.Now().Add(10 * time.Second); ask(sleepers(mark, 1)) != "up: 1 process sleep"; {
		if time.Now().After(deadline) {
			t.Fatal(ask(sleepers(mark, 1)))
		}
	}
	if got := ask(sleepers(mark, 2)); got != "down: 1 process sleep, want 2" {
		t.Error(got)
	}
	most := sleepers(mark, 0)
	most.Machine.Process.Most = 1
	sleeper(t, mark)
	for deadline := time.Now().Add(10 * time.Second); ask(most) != "down: 2 processes sleep, want at most 1"; {
		if time.Now().After(deadline) {
			t.Fatal(ask(most))
		}
	}
	none := sleepers(mark, 1)
	none.Machine.Process.Absent = true
	if got := ask(none); got != "down: 2 processes sleep, want none" {
		t.Error(got)
	}
	none.Machine.Process.Match = MatchAll
	none.Machine.Process.Arguments = nil
	if got := ask(none); got != "up: no process sleep" { // but any number of them with arguments
		t.Error(got)
	}
	exe, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	if exe, err = filepath.EvalSymlinks(exe); err != nil {
		t.Fatal(err)
	}
	byPath := sleepers(mark, 2)
	byPath.Machine.Process.Name = exe
	if got := ask(byPath); got != "up: 2 processes sleep" && got != "up: 2 processes "+exe {
		t.Error(got)
	}
	// One that has ended and whose parent has not heard of it is none.
	_ = cmd.Process.Kill()
	for deadline := time.Now().Add(10 * time.Second); ask(sleepers(mark, 1)) != "up: 1 process sleep"; {
		if time.Now().After(deadline) {
			t.Fatal(ask(sleepers(mark, 1)))
		}
	}
}

func TestProcessArguments(t *testing.T) {
	for _, x := range []struct {
		match      ArgumentMatch
		want       string
		yes, never []string
	}{
		{MatchFirst, "", []string{"x", "x -f", ""}, nil},
		{MatchFirst, "-f a", []string{"x -f a", "x -f a -v"}, []string{"x", "x -f", "x -f ab", "x -v -f a", ""}},
		{"", "-f a", []string{"x -f a", "x -f a -v"}, []string{"x -f ab"}},
		{MatchAll, "", []string{"x", ""}, []string{"x -f"}},
		{MatchAll, "-f a", []string{"x -f a"}, []string{"x", "x -f", "x -f a -v", "x -f ab", ""}},
		{MatchPrefix, "-f a", []string{"x -f a", "x -f ab", "x -f ab -v"}, []string{"x", "x -f", "x -fx a", "x -f b", ""}},
	} {
		p := Process{Arguments: strings.Fields(x.want), Match: x.match}
		for _, line := range x.yes {
			if !p.has(strings.Fields(line)) {
				t.Errorf("%q by %q: it does not match %q", x.want, x.match, line)
			}
		}
		for _, line := range x.never {
			if p.has(strings.Fields(line)) {
				t.Errorf("%q by %q: it matches %q", x.want, x.match, line)
			}
		}
	}
}

// TestProcessDelay: a change that does not last is not said.
func TestProcessDelay(t *testing.T) {
	table := newProcessTable()
	table.proc = t.TempDir()
	x := Target{ID: "x", Type: TypeProcess, Machine: Machine{Process: Process{Name: "haproxy", Least: 1, Delay: time.Second}}}
	table.want(map[string]Target{"x": x})
	now := time.Now()
	say := func(after time.Duration) bool {
		_, well := table.count("x", x.Machine.Process, now.Add(after))
		return well
	}
	run := func(is bool) {
		dir := filepath.Join(table.proc, "7")
		if !is {
			_ = os.RemoveAll(dir)
			return
		}
		_ = os.Mkdir(dir, 0o755)
		_ = os.WriteFile(dir+"/stat", []byte("7 (haproxy) S 1"), 0o644)
	}
	run(true)
	if !say(0) {
		t.Error("the first word waits")
	}
	run(false)
	if !say(0) || !say(900*time.Millisecond) {
		t.Error("it is missed before it has been gone for long enough")
	}
	run(true)
	if !say(950 * time.Millisecond) {
		t.Error("it is back, and not seen")
	}
	run(false)
	if !say(2*time.Second) || !say(2900*time.Millisecond) || say(3100*time.Millisecond) {
		t.Error("the time of the second change does not begin with it")
	}
	run(true)
	if say(4*time.Second) || !say(5100*time.Millisecond) {
		t.Error("nor does that of its return")
	}
}

// event is a datagram of the process events connector.
func event(what uint32, words ...uint32) []byte {
	b := make([]byte, eventDataAt+24)
	binary.NativeEndian.PutUint32(b[connectorAt:], 1)
	binary.NativeEndian.PutUint32(b[connectorAt+4:], 1)
	binary.NativeEndian.PutUint32(b[eventAt:], what)
	for i, x := range words {
		binary.NativeEndian.PutUint32(b[eventDataAt+4*i:], x)
	}
	return b
}

func TestProcessEvents(t *testing.T) {
	for _, tt := range []struct {
		b    []byte
		want processEvent
	}{
		{event(processExec, 7, 7), processEvent{what: processExec, pid: 7, ok: true}},
		{event(processFork, 3, 3, 7, 7), processEvent{what: processFork, parent: 3, pid: 7, ok: true}},
		{event(processFork, 3, 3, 8, 7), processEvent{}}, // a thread
		{event(processExit, 7, 7), processEvent{what: processExit, pid: 7, ok: true}},
		{event(processExit, 8, 7), processEvent{}},
		{event(processNone, 1), processEvent{what: processNone, failed: 1, ok: true}},
		{event(4, 1), processEvent{}},
		{nil, processEvent{}},
		{event(processExec, 7, 7)[:eventDataAt], processEvent{}},
	} {
		if got := parseProcessEvent(tt.b); got != tt.want {
			t.Errorf("%+v, want %+v", got, tt.want)
		}
	}
}

func FuzzProcessEvent(f *testing.F) {
	f.Add(event(processFork, 3, 3, 7, 7))
	f.Add(event(processNone, 1)[:eventDataAt+8])
	f.Fuzz(func(t *testing.T, b []byte) {
		if e := parseProcessEvent(b); !e.ok && e != (processEvent{}) {
			t.Fatalf("%x: %+v", b, e)
		}
	})
}

// watched runs a Watch and gives the hints of one target.
func watched(t *testing.T, x Target) (*Watch, <-chan string) {
	t.Helper()
	w := NewWatch(nil)
	w.Want([]Target{x})
	ctx, cancel := context.WithCancel(t.Context())
	hints, done := make(chan string, 1000), make(chan error, 1)
	go func() { done <- w.Run(ctx, func(id string) { hints <- id }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return w, hints
}

// await waits for a hint after which the probe says want.
func await(t *testing.T, p Prober, x Target, hints <-chan string, want string) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		select {
		case <-hints:
			if strings.HasPrefix(said(p.Probe(t.Context(), x)), want) {
				return
			}
		case <-limit:
			t.Fatalf("no hint after which the probe says %q, but %q", want, said(p.Probe(t.Context(), x)))
		}
	}
}

// TestProcessNews: the start and the end of a process are heard of, by the kernel's events or, without these, its end.
func TestProcessNews(t *testing.T) {
	const mark = "86397.5"
	x := sleepers(mark, 1)
	cmd := sleeper(t, mark)
	w, hints := watched(t, x)
	p := processProber{w}
	await(t, p, x, hints, "up")
	_ = cmd.Process.Kill()
	await(t, p, x, hints, "down")
	if text := w.Problems(); len(text) > 0 {
		t.Skipf("the start of a process is not heard of here: %v", text)
	}
	sleeper(t, mark)
	await(t, p, x, hints, "up")
}

// TestPidfdNews is the same without the kernel's events.
func TestPidfdNews(t *testing.T) {
	const mark = "86397.75"
	x := sleepers(mark, 1)
	cmd := sleeper(t, mark)
	w := NewWatch(nil)
	w.Want([]Target{x})
	p := processProber{w}
	for deadline := time.Now().Add(10 * time.Second); !strings.HasPrefix(said(p.Probe(t.Context(), x)), "up"); {
		if time.Now().After(deadline) {
			t.Fatal("sleep does not run")
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	hints, done := make(chan string, 1000), make(chan error, 1)
	go func() { done <- w.byPidfd(ctx, func(id string) { hints <- id }) }()
	_ = cmd.Process.Kill()
	await(t, p, x, hints, "down")
	// A new one is found by a probe, and its end heard of.
	again := sleeper(t, mark)
	for deadline := time.Now().Add(10 * time.Second); !strings.HasPrefix(said(p.Probe(t.Context(), x)), "up"); {
		if time.Now().After(deadline) {
			t.Fatal("sleep does not run")
		}
	}
	_ = again.Process.Kill()
	await(t, p, x, hints, "down")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestFileNews: a file that is made, written, replaced and removed is asked about at once, also in a directory that is not there at first.
func TestFileNews(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	x := Target{ID: "f", Type: TypeFile, Machine: Machine{File: File{Path: path, Down: true}}}
	_, hints := watched(t, x)
	await(t, fileProber{}, x, hints, "down") // once it is watched
	write := func(to, text string) {
		if err := os.WriteFile(to, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(path, "up")
	await(t, fileProber{}, x, hints, "up")
	write(path, "down")
	await(t, fileProber{}, x, hints, "down: "+path+" says")
	write(path+".new", "3")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	await(t, fileProber{}, x, hints, "weight 3")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	await(t, fileProber{}, x, hints, "down: "+path+" is not there")
}

// FuzzProcessFiles has /proc show a process whose name and arguments somebody has chosen.
func FuzzProcessFiles(f *testing.F) {
	f.Add("haproxy", "/usr/sbin/haproxy\x00-f\x00x\x00", byte('S'))
	f.Add("a) Z (b", "", byte('R'))
	f.Add("", "\x00\x00", byte('Z'))
	proc := f.TempDir()
	if err := os.Mkdir(proc+"/7", 0o700); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, comm, line string, state byte) {
		p := newProcessTable()
		p.proc = proc
		if err := errors.Join(os.WriteFile(proc+"/7/stat", []byte("7 ("+comm+") "+string([]byte{state})+" 1 7 7 0"), 0o600), os.WriteFile(proc+"/7/cmdline", []byte(line), 0o600)); err != nil {
			t.Fatal(err)
		}
		x, alive := p.look(7)
		if ended := state == 'Z' || state == 'X' || state == 'x'; state != ')' && alive == ended {
			t.Fatalf("state %q: alive %v", state, alive)
		}
		if alive && state != ')' && x.comm != comm {
			t.Errorf("its name is %q, want %q", x.comm, comm)
		}
		if first, _, _ := strings.Cut(line, "\x00"); alive && line != "" && x.args[0] != first {
			t.Errorf("its program is %q, want %q", x.args, first)
		}
		if p := (Process{Name: "haproxy", Arguments: []string{"-f"}}); alive && x.is(p) && (len(x.args) < 2 || x.args[1] != "-f") {
			t.Errorf("%q %q is no %+v", comm, line, p)
		}
	})
}
