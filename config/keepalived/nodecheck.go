package keepalived

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"quorate/fsm"
)

// scriptCheck makes a check of a vrrp_script.
func scriptCheck(b *box, d *directive) (fsm.Check, bool) {
	s := d.one("script")
	if s == nil {
		d.leave(Mistake, "it has no script", "add one, then import again")
		return fsm.Check{}, false
	}
	command, wrong := commandOf(s.args)
	if wrong != "" {
		d.leave(Unsupported, wrong, "name a program by its absolute path, then import again")
		return fsm.Check{}, false
	}
	d.mapped("node_check")
	c := fsm.NewCheck(fsm.CheckScript)
	if name, is := looksForProcess(command); is {
		c = fsm.NewCheck(fsm.CheckProcess)
		c.Process.Process, c.Process.Least = name, 1
		s.settle(Changed, fmt.Sprintf("it only looks whether %s runs: check \"process\" hears of that from the kernel, and starts no program", name), "")
	} else if !strings.HasPrefix(command[0], "/") {
		d.out = nil
		d.leave(Unsupported, fmt.Sprintf("%q has no absolute path, and there is no shell to look for it", shown(command[0], 60)), "name the program by its absolute path, then import again")
		return fsm.Check{}, false
	} else {
		c.Script.Command = command
		c.Script.User = b.scriptUser(d, s)
		s.mapped(`check "script": command`)
	}
	c.Interval, c.Rise, c.Fall = time.Second, 1, 1
	if x := d.one("interval"); x != nil {
		x.mapped("check: interval")
		c.Interval = clamp(x, "interval", x.duration(0), 50*time.Millisecond, time.Hour)
	}
	c.Timeout = c.Interval
	if x := d.one("timeout"); x != nil {
		x.mapped("check: timeout")
		c.Timeout = clamp(x, "timeout", x.duration(0), time.Millisecond, c.Interval)
	}
	if x := d.one("rise"); x != nil {
		x.mapped("check: rise")
		c.Rise = count(x, "rise")
	}
	if x := d.one("fall"); x != nil {
		x.mapped("check: fall")
		c.Fall = count(x, "fall")
	}
	if x := d.one("user"); x != nil {
		x.settle(Ignored, "no program is run", "")
	}
	return c, true
}

// count is a number of results in a row.
func count(d *directive, key string) int {
	n := int(min(d.number(0), 100))
	if d.number(0) > 100 {
		d.settle(Changed, key+" is 100 at most", "")
	}
	return n
}

// commandOf makes a command of the values of a script: the first one is cut into words once more, as keepalived does.
func commandOf(args []string) (command []string, wrong string) {
	words, err := shellWords(args[0])
	switch {
	case err != nil:
		return nil, err.Error()
	case len(words) == 0:
		return nil, "the script is empty"
	}
	return append(words, args[1:]...), ""
}

// looksForProcess recognises the commands that people use to see whether a program runs.
func looksForProcess(command []string) (name string, is bool) {
	switch path.Base(command[0]) {
	case "killall":
		if len(command) == 3 && slices.Contains([]string{"-0", "-s0"}, command[1]) {
			return command[2], plainProcess(command[2])
		}
		if len(command) == 4 && command[1] == "-s" && command[2] == "0" {
			return command[3], plainProcess(command[3])
		}
	case "pidof":
		if len(command) == 2 {
			return command[1], plainProcess(command[1])
		}
		if len(command) == 3 && command[1] == "-x" {
			return "", false // a script by its name
		}
	case "pgrep":
		if len(command) == 3 && command[1] == "-x" {
			return command[2], plainProcess(command[2])
		}
	}
	return "", false
}

func plainProcess(s string) bool {
	return s != "" && len(s) <= 255 && !strings.HasPrefix(s, "-") && !strings.ContainsAny(s, " \t*?[]^$()|\\")
}

// scriptUser is the user that a script runs as.
func (b *box) scriptUser(d, script *directive) string {
	for _, x := range []*directive{d.one("user"), b.global.one("script_user")} {
		if x != nil {
			x.mapped("user")
			if x.arg(1) != "" {
				x.settle(Changed, "a script runs with the groups of its user", "make another user, if the group is needed")
			}
			return x.arg(0)
		}
	}
	script.settle(Changed, "it runs as quorate_script where there is such a user, else as nobody; keepalived takes keepalived_script, else root", `set user = "…" if that does not do`)
	return ""
}

// processCheck makes a check of a vrrp_track_process.
func processCheck(_ *box, d *directive) (fsm.Check, bool) {
	p := d.one("process")
	if p == nil {
		d.leave(Mistake, "it names no process", "add one, then import again")
		return fsm.Check{}, false
	}
	c := fsm.NewCheck(fsm.CheckProcess)
	c.Interval, c.Timeout, c.Rise, c.Fall = 2*time.Second, time.Second, 1, 1
	c.Process.Process, c.Process.Arguments, c.Process.Least = p.arg(0), p.args[1:], 1
	if len(c.Process.Arguments) == 0 {
		c.Process.Arguments = nil
	}
	if q := d.one("quorum_max"); q != nil {
		if q.number(0) == 0 {
			d.leave(Unsupported, "quorum_max 0: a check cannot fail because a program runs", "write a script for it, then import again")
			return fsm.Check{}, false
		}
		c.Process.Most = int(q.number(0))
		q.mapped("check: most")
	}
	d.mapped("node_check")
	p.mapped(`check "process": process, arguments`)
	if q := d.one("quorum"); q != nil {
		c.Process.Least = int(q.number(0))
		q.mapped("check: least")
	}
	for _, word := range []string{"delay", "fork_delay", "terminate_delay"} {
		if x := d.one(word); x != nil {
			x.mapped("check: delay")
			if word != "delay" {
				x.settle(Changed, "there is one delay for both directions, and the longer one was taken", "")
			}
			c.Process.Delay = max(c.Process.Delay, x.duration(0))
		}
	}
	if m := d.one("param_match"); m != nil {
		switch {
		case m.arg(0) == "partial" || m.arg(0) == "initial":
			m.settle(Changed, "the arguments are what the command line begins with", "")
		default:
			m.settle(Unsupported, "a program without arguments cannot be told from one with some", "")
		}
	} else if len(c.Process.Arguments) > 0 {
		p.settle(Changed, "the arguments are what the command line begins with; keepalived wants these and no more", "")
	}
	if f := d.one("full_command"); f != nil {
		f.settle(Ignored, "a name is compared with the command line as well", "")
	}
	return c, true
}

// fileCheck says why a track_file has no check of ours: its numbers mean the contrary.
func fileCheck(_ *box, d *directive) (fsm.Check, bool) {
	file := d.one("file").arg(0)
	d.leave(Unsupported, "keepalived adds the number in the file, times the weight, to the priority, or takes what is not 0 for a failure; check \"file\" reads a word, and 0 is a failure",
		fmt.Sprintf("add node_check %q with check \"file\" { file = %q } and required = true, and have up or drain written into that file", plain(d.arg(0)), shown(file, 60)+".quorate"))
	return fsm.Check{}, false
}

// checkedFiles are the track_files that a FILE_CHECK of a real server names.
func (b *box) checkedFiles() map[string]bool {
	found := map[string]bool{}
	eachIn(b.file.inside, func(d *directive) {
		if d.word == "track_file" && d.parent != nil && d.parent.word == "FILE_CHECK" {
			found[d.arg(0)] = true
		}
	})
	return found
}
