package keepalived

import (
	"time"

	"quorate/fsm"
)

// processCheck makes a check of a vrrp_track_process.
func processCheck(_ *box, d *directive, _ int, turned bool) (c fsm.Check, wrong string) {
	p := d.one("process")
	if p == nil {
		d.leave(Mistake, "it names no process", "add one, then import again")
		return c, "it names no process"
	}
	c = fsm.NewCheck(fsm.CheckProcess)
	c.Interval, c.Timeout, c.Rise, c.Fall = 2*time.Second, time.Second, 1, 1
	w := c.Process
	w.Process, w.Arguments, w.Least = p.arg(0), p.args[1:], 1
	if len(w.Arguments) == 0 {
		w.Arguments = nil
	}
	p.mapped(`check "process": process, arguments`)
	if q := d.one("quorum"); q != nil {
		w.Least = int(q.number(0))
		q.mapped("check: least")
	}
	if q := d.one("quorum_max"); q != nil {
		w.Most = int(q.number(0))
		q.mapped("check: most")
		if w.Most == 0 {
			w.Absent, w.Least = true, 0
			q.mapped("check: absent = true")
		}
	}
	if wrong := turnProcess(w, turned); wrong != "" {
		return c, wrong
	}
	delays(d, w)
	matching(d, p, w)
	if f := d.one("full_command"); f != nil {
		f.settle(Ignored, "a name is compared with the command line as well", "")
	}
	d.mapped("node_check")
	return c, ""
}

// turnProcess makes a check pass where it would fail.
func turnProcess(w *fsm.ProcessCheck, turned bool) (wrong string) {
	switch {
	case !turned:
	case w.Absent:
		w.Absent, w.Least = false, 1
	case w.Most == 0 && w.Least == 1:
		w.Absent, w.Least = true, 0
	case w.Most == 0:
		w.Least, w.Most = 0, w.Least-1
	case w.Least <= 1:
		w.Least, w.Most = w.Most+1, 0
	default:
		return "reverse of a quorum and a quorum_max: a number of processes cannot be outside of a range"
	}
	return ""
}

// delays reads how long a change has to last.
func delays(d *directive, w *fsm.ProcessCheck) {
	up, down := d.one("fork_delay"), d.one("terminate_delay")
	if x := d.one("delay"); x != nil {
		x.mapped("check: delay")
		w.Delay = x.duration(0)
	}
	same := up != nil && down != nil && up.duration(0) == down.duration(0)
	for _, x := range []*directive{up, down} {
		if x == nil {
			continue
		}
		w.Delay = max(w.Delay, x.duration(0))
		x.mapped("check: delay")
		if !same {
			x.settle(Changed, "there is one delay for both directions, and the longer one was taken", "see rise, fall and fast_interval, if the directions have to differ")
		}
	}
}

// matching reads how the arguments have to be.
func matching(d, process *directive, w *fsm.ProcessCheck) {
	m := d.one("param_match")
	switch {
	case m == nil && w.Arguments == nil:
	case m == nil:
		w.Match = fsm.MatchAll
		process.mapped("check: match")
	case w.Arguments == nil:
		w.Match = fsm.MatchAll // none
	case m.arg(0) == "initial":
		w.Match = fsm.MatchPrefix
	}
	if m != nil {
		m.mapped("check: match")
	}
}
