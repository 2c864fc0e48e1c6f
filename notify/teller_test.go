package notify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/fsm"
)

// stage is an agreed state with a director's own view of it, for Look.
type stage struct {
	s      *fsm.State
	open   map[string]bool // by address
	unable string
}

func newStage(notifiers ...fsm.Notifier) *stage {
	s := fsm.New()
	s.Config.VIPs = map[string]fsm.VIP{
		"web": {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24"), Group: "pair"}, "db": {Name: "db", Address: netip.MustParsePrefix("192.0.2.11/24"), Group: "pair"},
		"six": {Name: "six", Address: netip.MustParsePrefix("2001:db8::a/64")}}
	s.Config.Notifiers = map[string]fsm.Notifier{}
	for _, n := range notifiers {
		s.Config.Notifiers[n.Name] = n
	}
	return &stage{s: s, open: map[string]bool{}}
}

func (g *stage) look() Scene {
	return Look(g.s, "n1", Found{Open: func(a netip.Addr) bool { return g.open[a.String()] }, Unable: func(fsm.VIP) string { return g.unable }})
}

func TestLook(t *testing.T) {
	g := newStage(fsm.Notifier{Name: "pipe", FIFO: &fsm.FIFO{Path: "/run/pipe"}})
	addr := netip.MustParseAddrPort("10.0.0.1:8080")
	g.s.Config.Services = map[string]fsm.Service{
		"http": {Name: "http", VIP: "web", Port: 80, Protocol: fsm.TCP, Servers: []fsm.Server{{Address: addr}, {Address: netip.MustParseAddrPort("10.0.0.2:8080")}}},
		"mark": {Name: "mark", VIP: "web", Mark: 7},
		"both": {Name: "both", VIPs: []string{"db", "web"}, Ports: []fsm.PortRange{{From: 53, To: 53}, {From: 8000, To: 8099}}, Protocol: fsm.UDP}}
	g.s.Services = map[string]fsm.ServiceState{"http": {Quorum: true}, "mark": {}, "both": {Quorum: true}}
	g.s.Servers = map[fsm.ServerKey]fsm.ServerState{{Service: "http", Address: addr}: {Verdict: fsm.Down}}
	g.open["192.0.2.10"] = true
	var lines []string
	for x, state := range g.look() {
		lines = append(lines, strings.TrimSpace(Transition{x, state}.Line()))
	}
	slices.Sort(lines)
	want := []string{
		`GROUP "pair" BACKUP 100`, `INSTANCE "db" BACKUP 100`, `INSTANCE "six" BACKUP 100`, `INSTANCE "web" MASTER 100`, `RS [10.0.0.1]:tcp:8080 [192.0.2.10]:tcp:80 DOWN`, `VS FWM 7 DOWN`,
		`VS [192.0.2.10]:tcp:80 UP`, `VS [192.0.2.10]:udp:53 UP`, `VS [192.0.2.10]:udp:8000-8099 UP`, `VS [192.0.2.11]:udp:53 UP`, `VS [192.0.2.11]:udp:8000-8099 UP`}
	if !slices.Equal(lines, want) {
		t.Errorf("%s", strings.Join(lines, "\n"))
	}
	for _, c := range []struct {
		what string
		n    fsm.Notifier
		want string
	}{
		{"of the VIPs alone", fsm.Notifier{Script: &fsm.Script{}}, "GROUP INSTANCE"},
		{"of verdicts of another service", fsm.Notifier{FIFO: &fsm.FIFO{}, Services: []string{"mark"}}, "GROUP INSTANCE VS"},
		{"of verdicts", fsm.Notifier{FIFO: &fsm.FIFO{}, Events: []fsm.EventKind{fsm.EventHealth}}, "GROUP INSTANCE RS"},
		{"on another node", fsm.Notifier{FIFO: &fsm.FIFO{}, Nodes: []fsm.NodeID{"n2"}}, ""},
		{"by the leader", fsm.Notifier{Webhook: &fsm.Webhook{}}, ""},
	} {
		c.n.Name, g.s.Config.Notifiers = "x", map[string]fsm.Notifier{"x": c.n}
		kinds := map[string]bool{}
		for x := range g.look() {
			kinds[string(x.Kind)] = true
		}
		if got := strings.Join(slices.Sorted(maps.Keys(kinds)), " "); got != c.want {
			t.Errorf("%s: looked at %s, want %s", c.what, got, c.want)
		}
	}
	g.s.Config.Notifiers = map[string]fsm.Notifier{"pipe": {Name: "pipe", FIFO: &fsm.FIFO{}}}
	g.open["192.0.2.11"] = true
	if x := g.look(); x[Subject{Kind: Group, Name: "pair"}] != Master {
		t.Errorf("%v", x)
	}
	g.unable, g.open = "no lease", map[string]bool{"192.0.2.10": true}
	if x := g.look(); x[Subject{Kind: Group, Name: "pair"}] != Fault || x[Subject{Kind: Instance, Name: "web"}] != Master || x[Subject{Kind: Instance, Name: "six"}] != Fault {
		t.Errorf("%v", x)
	}
}

func shell(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// tell runs a teller whose memory is the file at path until stop is called.
func tell(t *testing.T, path string) (*Teller, func()) {
	t.Helper()
	return tellSaving(t, path, func(_ *Teller, path string, b []byte) error { return os.WriteFile(path, b, 0o600) })
}

// tellSaving is tell with another way of saving what was told.
func tellSaving(t *testing.T, path string, save func(teller *Teller, path string, b []byte) error) (*Teller, func()) {
	t.Helper()
	var teller *Teller
	teller, err := NewTeller("n1", path, func(path string, b []byte) error { return save(teller, path, b) }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = teller.Run(ctx)
	}()
	<-teller.Ready()
	return teller, func() {
		cancel()
		<-done
	}
}

// settled waits until nothing waits, and returns the lines of a file.
func settled(t *testing.T, teller *Teller, log string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := teller.settle(ctx); err != nil {
		t.Fatalf("it does not come to an end: %v: %+v", err, teller.Status())
	}
	b, _ := os.ReadFile(log)
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

// Scripts get keepalived's arguments, every transition in order and one at a time, once over restarts, STOP and DELETED included.
func TestScriptsOfANode(t *testing.T) {
	dir := t.TempDir()
	log, memory := filepath.Join(dir, "log"), filepath.Join(dir, "told")
	// Two at a time would be seen: mkdir fails.
	path := shell(t, `mkdir `+dir+`/busy || echo "TWO AT ONCE" >> `+log+`
echo "$@ [$QUORATE_TYPE $QUORATE_NAME $QUORATE_STATE $QUORATE_NODE]" >> `+log+`
sleep 0.02; rmdir `+dir+`/busy; exit 1`)
	n := fsm.Notifier{Name: "run", VIPs: []string{"web"}, Script: &fsm.Script{Command: []string{path, "extra arg"}}}
	g := newStage(n, fsm.Notifier{Name: "elsewhere", Nodes: []fsm.NodeID{"n2"}, Script: &fsm.Script{Command: []string{"/bin/false"}}})
	line := func(kind, name, state string) string {
		return "extra arg " + kind + " " + name + " " + state + " 100 [" + kind + " " + name + " " + state + " n1]"
	}
	teller, stop := tell(t, memory)
	teller.See(g.s, g.look())
	want := []string{line("INSTANCE", "web", "BACKUP"), line("GROUP", "pair", "BACKUP")}
	if got := settled(t, teller, log); !slices.Equal(got, want) {
		t.Fatalf("%q", got)
	}
	for i := range 20 { // faster than the scripts
		g.open["192.0.2.10"] = i%2 == 0
		teller.See(g.s, g.look())
		want = append(want, line("INSTANCE", "web", []string{"MASTER", "BACKUP"}[i%2]))
	}
	if got := settled(t, teller, log); !slices.Equal(got, want) {
		t.Fatalf("%q", got)
	}
	if st := teller.Status(); len(st) != 1 || st[0].Failed != 22 || !strings.Contains(st[0].Error, "exit status 1") {
		t.Errorf("%+v", st)
	}
	stop() // killed: nobody says STOP

	// The next agent of this node tells what is different, and nothing twice.
	teller, stop = tell(t, memory)
	g.open["192.0.2.10"] = true
	teller.See(g.s, g.look())
	teller.See(g.s, g.look())
	want = append(want, line("INSTANCE", "web", "MASTER"))
	if got := settled(t, teller, log); !slices.Equal(got, want) {
		t.Fatalf("after a restart %q", got[len(want)-1:])
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	teller.Stop(ctx)
	teller.See(g.s, g.look())
	want = append(want, line("INSTANCE", "web", "STOP"), line("GROUP", "pair", "STOP"))
	if got := settled(t, teller, log); !slices.Equal(got, want) {
		t.Fatalf("at the end %q", got)
	}
	stop()

	// An agent that was killed while it told something does not know whether that was heard: the next one says how it is.
	b, err := os.ReadFile(memory)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(memory, []byte(strings.ReplaceAll(string(b), `"STOP"`, `""`)), 0o600); err != nil {
		t.Fatal(err)
	}
	teller, stop = tell(t, memory)
	teller.See(g.s, g.look())
	want = append(want, line("INSTANCE", "web", "MASTER"), line("GROUP", "pair", "BACKUP"))
	if got := settled(t, teller, log); !slices.Equal(got, want) {
		t.Fatalf("after a kill %q", got[len(want)-2:])
	}
	stop()

	// A VIP that went away meanwhile is deleted; another one comes.
	teller, stop = tell(t, memory)
	defer stop()
	delete(g.s.Config.VIPs, "web")
	teller.See(g.s, g.look())
	want = append(want, line("INSTANCE", "web", "DELETED"))
	if got := settled(t, teller, log); !slices.Equal(got, want) {
		t.Fatalf("deleted: %q", got[len(want)-1:])
	}
	teller.See(g.s, g.look())
	if got := settled(t, teller, log); !slices.Equal(got, want) {
		t.Fatalf("twice: %q", got)
	}
}

// TestFault: a node that could not own a VIP says so as keepalived does, by its script's arguments and environment and by its pipe, and says when it could again.
func TestFault(t *testing.T) {
	dir := t.TempDir()
	log, path := filepath.Join(dir, "log"), filepath.Join(dir, "fifo")
	script := shell(t, `echo "$@ [$QUORATE_NOTIFIER $QUORATE_NODE $QUORATE_TYPE $QUORATE_NAME $QUORATE_STATE vip=$QUORATE_VIP $#]" >> `+log)
	g := newStage(fsm.Notifier{Name: "run", Script: &fsm.Script{Command: []string{script}}}, fsm.Notifier{Name: "pipe", FIFO: &fsm.FIFO{Path: path}})
	delete(g.s.Config.VIPs, "six")
	delete(g.s.Config.VIPs, "db")
	teller, stop := tell(t, filepath.Join(dir, "told"))
	defer stop()
	see := func(open bool, unable string) {
		g.open["192.0.2.10"], g.unable = open, unable
		teller.See(g.s, g.look())
	}
	see(true, "")
	see(false, "check haproxy fails")
	see(false, "another reason") // that is no other state
	see(false, "")
	see(true, "check haproxy fails") // it has it still
	var want, lines []string
	for _, state := range []string{"MASTER", "FAULT", "BACKUP", "MASTER"} {
		want = append(want, "INSTANCE web "+state+" 100 [run n1 INSTANCE web "+state+" vip=web 4]", "GROUP pair "+state+" 100 [run n1 GROUP pair "+state+" vip= 4]")
		lines = append(lines, `INSTANCE "web" `+state+" 100", `GROUP "pair" `+state+" 100")
	}
	if got := settled(t, teller, log); !slices.Equal(got, want) {
		t.Errorf("the script was told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	f, err := os.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_ = f.SetReadDeadline(time.Now().Add(10 * time.Second))
	r := bufio.NewScanner(f)
	for _, line := range lines {
		if !r.Scan() || r.Text() != line {
			t.Errorf("the pipe has %q, want %q", r.Text(), line)
		}
	}
}

// While the disk takes its time, all but the telling goes on.
func TestDiskThatIsSlow(t *testing.T) {
	dir := t.TempDir()
	g := newStage(fsm.Notifier{Name: "run", VIPs: []string{"six"}, Script: &fsm.Script{Command: []string{shell(t, "echo $3 >> "+dir+"/log")}}})
	writes := 0
	teller, stop := tellSaving(t, dir+"/told", func(teller *Teller, _ string, _ []byte) error {
		writes++
		teller.See(g.s, g.look())
		if st := teller.Status(); len(st) != 1 {
			t.Errorf("%+v", st)
		}
		return nil
	})
	teller.See(g.s, g.look())
	if got := settled(t, teller, dir+"/log"); !slices.Equal(got, []string{"BACKUP"}) {
		t.Errorf("%q", got)
	}
	stop()
	if writes < 2 {
		t.Errorf("%d writes, want one before and one after", writes)
	}
}

// A script that hangs is killed, and the next state is told.
func TestScriptThatHangs(t *testing.T) {
	dir := t.TempDir()
	path := shell(t, "[ $3 = MASTER ] || exec sleep 300; echo $3 >> "+dir+"/log")
	// As long as the script that does not hang may take on a machine that is busy.
	run := fsm.Notifier{Name: "run", VIPs: []string{"six"}, Script: &fsm.Script{Command: []string{path}, Timeout: 3 * time.Second}}
	g := newStage(run)
	teller, stop := tell(t, filepath.Join(dir, "told"))
	defer stop()
	teller.See(g.s, g.look())
	g.open["2001:db8::a"] = true
	teller.See(g.s, g.look())
	if got := settled(t, teller, dir+"/log"); !slices.Equal(got, []string{"MASTER"}) {
		t.Errorf("%q", got)
	}
	if st := teller.Status()[0]; st.Failed != 1 || st.Told != 1 || st.Error != "" {
		t.Errorf("%+v", st)
	}
	run.Script = &fsm.Script{Command: []string{path}, Timeout: 100 * time.Millisecond}
	if said, err := teller.Test(t.Context(), run); err == nil || !strings.Contains(err.Error(), "took too long") {
		t.Errorf("test: %q, %v", said, err)
	}
}

// The pipe is made, a reader that comes later finds what waits, and one that never reads holds back nobody: the oldest is dropped, the latest comes.
func TestPipe(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "fifo")
	g := newStage(fsm.Notifier{Name: "pipe", VIPs: []string{"web"}, Events: []fsm.EventKind{fsm.EventAssign}, FIFO: &fsm.FIFO{Path: path}})
	delete(g.s.Config.VIPs, "db")
	teller, stop := tell(t, filepath.Join(dir, "told"))
	defer stop()
	teller.See(g.s, g.look())
	settled(t, teller, "") // the pipe is there, with two lines
	const flaps = 6000     // a line is 28 bytes; 64 KiB hold 2,340
	began := time.Now()
	for i := range flaps {
		g.open["192.0.2.10"] = i%2 == 0
		teller.See(g.s, g.look())
	}
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("the node was held for %v", d)
	}
	st := teller.Status()[0]
	if st.Dropped == 0 || st.Waiting == 0 || st.Waiting > maxQueued+1 || st.Error != "" {
		t.Fatalf("%+v", st)
	}
	if fi, err := os.Lstat(path); err != nil || fi.Mode().Perm() != 0o600 || fi.Mode()&os.ModeNamedPipe == 0 {
		t.Fatalf("%v, %v", fi, err)
	}
	f, err := os.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var last string
	read := 0
	_ = f.SetReadDeadline(time.Now().Add(10 * time.Second))
	for r := bufio.NewScanner(f); r.Scan(); read++ {
		last = r.Text()
		if !strings.HasPrefix(last, `INSTANCE "web" `) && !strings.HasPrefix(last, `GROUP "pair" `) {
			t.Fatalf("line %q", last)
		}
		if uint64(read+1) == 2+2*flaps-st.Dropped {
			break
		}
	}
	if last != `GROUP "pair" BACKUP 100` {
		t.Errorf("of %d lines the last is %q", read+1, last)
	}
	// Somebody replaces the pipe.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	g.open["192.0.2.10"] = true
	teller.See(g.s, g.look())
	settled(t, teller, "")
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}

// Of 3,000 servers whose states come at once none is dropped. What flaps, and what goes away, fills no queue.
func TestQueueKeepsTheLatestOfEach(t *testing.T) {
	d := newDesk()
	server := func(i int) Subject { return Subject{Kind: Real, Name: fmt.Sprint(i), Service: "web"} }
	var all []Transition
	for i := range 3 * maxQueued {
		all = append(all, Transition{server(i), Up})
	}
	d.push(all)
	for i := range 4 * maxQueued {
		d.push([]Transition{{server(7), upOrDown(i%2 == 0)}, {server(8), upOrDown(i%2 == 0)}})
	}
	if most := 3*maxQueued + maxQueued/2; len(d.queue) > most || int(d.status.Dropped) != 11*maxQueued-len(d.queue) {
		t.Errorf("%d wait and %d were dropped", len(d.queue), d.status.Dropped)
	}
	if n := len(d.queue); d.queue[n-2] != (Transition{server(7), Down}) || d.queue[n-1] != (Transition{server(8), Down}) {
		t.Errorf("at the end %v", d.queue[n-2:])
	}
	told := map[Subject]State{}
	for _, x := range d.queue {
		told[x.Subject] = x.State
	}
	if !maps.Equal(told, d.last) {
		t.Errorf("%d of %d are told", len(told), len(d.last))
	}
	for i := range 2 * maxQueued {
		gone := Subject{Kind: Instance, Name: fmt.Sprint("gone", i)}
		d.push([]Transition{{gone, Backup}})
		d.push([]Transition{{gone, Deleted}})
	}
	if len(d.queue) > 3*maxQueued+maxQueued/2 {
		t.Errorf("%d wait", len(d.queue))
	}
}

func TestPipeThatIsNone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{file: "no named pipe", dir: "no named pipe", dir + "/none/fifo": "no such file"} {
		err := (&pipe{path: path}).tell(t.Context(), Transition{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if b, _ := os.ReadFile(file); len(b) != 0 {
		t.Errorf("it wrote %q", b)
	}
}

func TestMemoryThatCannotBeRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "told")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	teller, err := NewTeller("n1", path, func(string, []byte) error { return errors.New("full") }, slog.New(slog.DiscardHandler))
	if err == nil || teller == nil || len(teller.desks) != 0 {
		t.Errorf("%v, %v", teller, err)
	}
}
