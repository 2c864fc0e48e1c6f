package keepalived

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"quorate/fsm"
)

// scriptCheck makes a check of a vrrp_script.
func scriptCheck(b *box, d *directive, _ int, turned bool) (c fsm.Check, wrong string) {
	s := d.one("script")
	if s == nil {
		d.leave(Mistake, "it has no script", "add one, then import again")
		return c, "it has no script"
	}
	command, wrong := commandOf(s.args)
	if wrong != "" {
		d.leave(Unsupported, wrong, "name a program by its absolute path, then import again")
		return c, wrong
	}
	c = fsm.NewCheck(fsm.CheckScript)
	if name, is := looksForProcess(command); is {
		c = fsm.NewCheck(fsm.CheckProcess)
		c.Process.Process, c.Process.Least = name, 1
		if turned {
			c.Process.Absent, c.Process.Least = true, 0
		}
		s.settle(Changed, fmt.Sprintf("it only looks whether %s runs: check \"process\" hears of that from the kernel, and starts no program", name), "")
	} else if at, is := opensPort(command); is && !turned {
		c = fsm.NewCheck(fsm.CheckTCP)
		c.Address, c.Port = at.Addr(), at.Port()
		s.settle(Changed, fmt.Sprintf("it only looks whether %s takes a connection, which check \"tcp\" does without a shell", at), "")
	} else if !strings.HasPrefix(command[0], "/") {
		wrong = fmt.Sprintf("%q has no absolute path, and there is no shell to look for it", shown(command[0], 60))
		d.leave(Unsupported, wrong, "name the program by its absolute path, then import again")
		return c, wrong
	} else {
		c.Script.Command = command
		if turned {
			c.Script.Command = append([]string{"/bin/sh", "-c", `! "$0" "$@"`}, command...)
			d.settle(Changed, "reverse: a shell turns the exit status round, so that the check fails while the script passes; a run that takes too long fails as well", "")
		}
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
	d.mapped("node_check")
	return c, ""
}

// opensPort recognises a shell's way to look whether a port takes connections: </dev/tcp/ADDRESS/PORT.
func opensPort(command []string) (at netip.AddrPort, is bool) {
	word := strings.Join(command, "")
	rest, is := strings.CutPrefix(word, "</dev/tcp/")
	if !is {
		return at, false
	}
	host, port, _ := strings.Cut(rest, "/")
	if host == "localhost" {
		host = "127.0.0.1"
	}
	a, err := netip.ParseAddr(host)
	n, err2 := strconv.ParseUint(port, 10, 16)
	if err != nil || err2 != nil || n == 0 || a.Zone() != "" {
		return at, false
	}
	return netip.AddrPortFrom(a, uint16(n)), true
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
