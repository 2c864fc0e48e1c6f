package health

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// processTable knows the processes that targets are about. Where events tell of every start and end it is kept by these; else each probe reads /proc.
type processTable struct {
	proc string // where the kernel tells of processes

	mu      sync.Mutex
	live    bool // events tell of everything
	targets map[string]*processSet
	grown   func() // told of processes that were not known; nil = nobody
}

// processSet are the processes of one target.
type processSet struct {
	want Process
	pids map[int]bool
	// What was last said of it, and since when the opposite is true, for Process.Delay.
	known, well bool
	turned      time.Time
}

func newProcessTable() *processTable {
	return &processTable{proc: "/proc", targets: map[string]*processSet{}}
}

func (p *processTable) want(targets map[string]Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := map[string]*processSet{}
	for id, t := range targets {
		if t.Type != TypeProcess {
			continue
		}
		if s, ok := p.targets[id]; ok && s.want.same(t.Machine.Process) {
			next[id] = s
			continue
		}
		next[id] = &processSet{want: t.Machine.Process, pids: map[int]bool{}}
	}
	p.targets = next
	if p.live {
		p.scanLocked()
	}
}

// events says whether events tell of everything from now on.
func (p *processTable) events(live bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live = live
	p.scanLocked()
}

// scanLocked reads all of /proc. It returns the targets whose processes are others than before.
func (p *processTable) scanLocked() []string {
	found := map[string]map[int]bool{}
	for id := range p.targets {
		found[id] = map[int]bool{}
	}
	for _, pid := range p.all() {
		x, ok := p.look(pid)
		for id, s := range p.targets {
			if ok && x.is(s.want) {
				found[id][pid] = true
			}
		}
	}
	var changed []string
	for id, s := range p.targets {
		if !sameKeys(s.pids, found[id]) {
			s.pids = found[id]
			changed = append(changed, id)
		}
	}
	return changed
}

// appeared takes in a process that has started, or has become another program, and returns the targets that this changes.
func (p *processTable) appeared(pid int) (changed []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x, ok := p.look(pid)
	for id, s := range p.targets {
		if is := ok && x.is(s.want); is != s.pids[pid] {
			if delete(s.pids, pid); is {
				s.pids[pid] = true
			}
			changed = append(changed, id)
		}
	}
	return changed
}

// forked takes in a child: it is what its parent is, until it becomes another program.
func (p *processTable) forked(parent, child int) (changed []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, s := range p.targets {
		if s.pids[parent] && !s.pids[child] {
			s.pids[child] = true
			changed = append(changed, id)
		}
	}
	return changed
}

// ended takes in that a process has ended.
func (p *processTable) ended(pid int) (changed []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, s := range p.targets {
		if s.pids[pid] {
			delete(s.pids, pid)
			changed = append(changed, id)
		}
	}
	return changed
}

// rescan reads everything anew.
func (p *processTable) rescan() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.scanLocked()
}

// pids are all processes of all targets.
func (p *processTable) pids() map[int]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[int]bool{}
	for _, s := range p.targets {
		for pid := range s.pids {
			out[pid] = true
		}
	}
	return out
}

// delay is how long a change has to last for the target.
func (p *processTable) delay(id string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := p.targets[id]; ok {
		return s.want.Delay
	}
	return 0
}

// count is how many processes the target has now, and whether that is to be said: well is what was said before as long as a change has not lasted.
func (p *processTable) count(id string, want Process, now time.Time) (n int, well bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.targets[id]
	if !ok || !s.want.same(want) {
		s = &processSet{want: want, pids: map[int]bool{}}
	}
	before := len(s.pids)
	if ok && p.live {
		for pid := range s.pids { // an event may be on its way
			if x, alive := p.look(pid); !alive || !x.is(want) {
				delete(s.pids, pid)
			}
		}
	} else {
		clear(s.pids)
		for _, pid := range p.all() {
			if x, alive := p.look(pid); alive && x.is(want) {
				s.pids[pid] = true
			}
		}
	}
	n = len(s.pids)
	if ok && !p.live && n > 0 && p.grown != nil && (n != before || before == 0) {
		p.grown()
	}
	well = want.wants(n)
	switch {
	case !s.known || well == s.well:
		s.turned = time.Time{}
	case s.turned.IsZero() && want.Delay > 0:
		s.turned = now
		return n, s.well
	case want.Delay > 0 && now.Sub(s.turned) < want.Delay:
		return n, s.well
	default:
		s.turned = time.Time{}
	}
	s.known, s.well = true, well
	return n, well
}

// all are the processes that there are.
func (p *processTable) all() (pids []int) {
	d, err := os.Open(p.proc)
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// running is a process as /proc shows it.
type running struct {
	comm string   // at most 15 characters
	args []string // from the program's name on; none of kernel threads
	exe  func() string
}

// look reads one process; false when it has ended, also when its parent has not heard of that yet.
func (p *processTable) look(pid int) (running, bool) {
	dir := filepath.Join(p.proc, strconv.Itoa(pid))
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return running{}, false
	}
	// pid (comm) state …: the comm may hold anything, parentheses too (proc_pid_stat(5)).
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 0 || end < open || end+2 >= len(stat) || slices.Contains([]byte("ZXx"), stat[end+2]) {
		return running{}, false
	}
	x := running{comm: string(stat[open+1 : end]), exe: func() string {
		path, _ := os.Readlink(dir + "/exe")
		return strings.TrimSuffix(path, " (deleted)") // it has been replaced by a newer one
	}}
	line, err := os.ReadFile(dir + "/cmdline")
	if err == nil && len(line) > 0 {
		x.args = strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
	}
	return x, true
}

// commLength is what the kernel keeps of a name (TASK_COMM_LEN - 1).
const commLength = 15

// is reports whether the process is one of those that are wanted.
func (x running) is(p Process) bool {
	switch {
	case strings.HasPrefix(p.Name, "/"):
		if x.exe() != p.Name {
			return false
		}
	case len(p.Name) <= commLength && x.comm == p.Name:
	case len(x.args) == 0 || filepath.Base(x.args[0]) != p.Name:
		return false
	}
	return p.has(x.args)
}

// has reports whether a command line, which begins with the program's name, has the wanted arguments.
func (p Process) has(line []string) bool {
	want := p.Arguments
	if p.Match == MatchAll {
		return slices.Equal(line[min(1, len(line)):], want)
	}
	if len(line) < 1+len(want) {
		return len(want) == 0
	}
	have, last := line[1:1+len(want)], len(want)-1
	if p.Match == MatchPrefix && last >= 0 {
		return slices.Equal(have[:last], want[:last]) && strings.HasPrefix(have[last], want[last])
	}
	return slices.Equal(have, want)
}

// wants reports whether so many processes are as it should be.
func (p Process) wants(n int) bool {
	if p.Absent {
		return n == 0
	}
	return n >= p.Least && (p.Most == 0 || n <= p.Most)
}

func sameKeys(a, b map[int]bool) bool {
	if len(a) != len(b) {
		return false
	}
	for k := range a {
		if !b[k] {
			return false
		}
	}
	return true
}
