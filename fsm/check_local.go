package fsm

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The parts of checks that ask the machine on which they run, in place of a server.

// ScriptCheck is the part of a Check that only script has.
type ScriptCheck struct {
	Command []string `json:"command"`        // the program's absolute path and its arguments; no shell
	User    string   `json:"user,omitempty"` // that it runs as; "" = see package health
	// DynamicWeight takes the exit codes 2 to 255 for the weights 0 to 253.
	DynamicWeight bool `json:"dynamic_weight,omitempty"`
}

// FileCheck is the part of a Check that only file has.
type FileCheck struct {
	File       string `json:"file"`                 // absolute path
	Missing    string `json:"missing,omitempty"`    // FileDown, or "" = up
	Multiplier int    `json:"multiplier,omitempty"` // of a number in the file; 0 = 1
}

// FileDown says that a file which is not there means down.
const FileDown = "down"

// ProcessCheck is the part of a Check that only process has.
type ProcessCheck struct {
	Process   string        `json:"process"`             // name of the program
	Arguments []string      `json:"arguments,omitempty"` // with which its arguments begin
	Match     ArgumentMatch `json:"match,omitempty"`     // "" = MatchFirst
	Least     int           `json:"least"`               // number of such processes, at least
	Most      int           `json:"most,omitempty"`      // and at most; 0 = any number
	Absent    bool          `json:"absent,omitempty"`    // in place of the two: there must be none
	Delay     time.Duration `json:"delay,omitempty"`     // that a change has to last
}

// ArgumentMatch says how the arguments of a process have to be those that are wanted.
type ArgumentMatch string

// The ways to match arguments.
const (
	MatchFirst  ArgumentMatch = "first"  // its first ones are these
	MatchAll    ArgumentMatch = "all"    // they are these and no others
	MatchPrefix ArgumentMatch = "prefix" // its first ones are these, the last of which may go on
)

// LinkCheck is the part of a Check that only interface has.
type LinkCheck struct {
	Interface string `json:"interface"`
}

const maxText = 4096 // characters of a path or an argument

func (s *ScriptCheck) validate(ps *Problems, object string) {
	switch {
	case len(s.Command) == 0 || s.Command[0] == "":
		ps.add(object, "command", "", "it is missing", `write it like command = ["/usr/local/lib/checks/web", "-v"]`)
	case !plainPath(s.Command[0]):
		ps.add(object, "command", s.Command[0], "the program has no absolute path, and there is no shell to look for it", `write it like "/usr/local/lib/checks/web"`)
	}
	if len(s.Command) > 64 || slices.ContainsFunc(s.Command, func(x string) bool { return len(x) > maxText || strings.ContainsRune(x, 0) }) {
		ps.add(object, "command", "", "it has more than 64 words, or one of more than 4096 characters, or a zero byte", "put what is long into a script of your own")
	}
	if strings.ContainsAny(s.User, ":/\x00\n ") || len(s.User) > 256 {
		ps.add(object, "user", s.User, "this is no name of a user", "use a name that `getent passwd` shows")
	}
}

func (s *ScriptCheck) fields(f fields) {
	f.set("command", strings.Join(quotedAll(s.Command), ", "))
	f.set("user", s.User)
	f.flag("dynamic_weight", s.DynamicWeight)
}

func (c *FileCheck) validate(ps *Problems, object string) {
	if !plainPath(c.File) {
		ps.add(object, "file", c.File, "this is no absolute path of a file", `write it like "/run/quorate/maintenance"`)
	}
	oneOf(ps, object, "missing", c.Missing, "", "up", FileDown)
	inRange(ps, object, "multiplier", c.Multiplier, 0, MaxWeight)
}

func (c *FileCheck) fields(f fields) {
	f.set("file", c.File)
	f.set("missing", c.Missing)
	f.count("multiplier", c.Multiplier)
}

func (p *ProcessCheck) validate(ps *Problems, object string) {
	if p.Process == "" || len(p.Process) > 255 || !plainText(p.Process) {
		ps.add(object, "process", p.Process, "this is no name of a program", `write it like "haproxy"`)
	}
	if strings.Contains(p.Process, "/") && !plainPath(p.Process) {
		ps.add(object, "process", p.Process, "this is neither a name nor an absolute path", `write it like "haproxy" or "/usr/sbin/haproxy"`)
	}
	if len(p.Arguments) > 64 || slices.ContainsFunc(p.Arguments, func(x string) bool { return len(x) > maxText || strings.ContainsRune(x, 0) }) {
		ps.add(object, "arguments", "", "these are more than 64, or one has more than 4096 characters or a zero byte", "name the first few that tell the process from others")
	}
	oneOf(ps, object, "match", string(p.Match), "", string(MatchFirst), string(MatchAll), string(MatchPrefix))
	if p.Match == MatchPrefix && len(p.Arguments) == 0 {
		ps.add(object, "match", string(p.Match), "there are no arguments that could go on", "add arguments, or leave it out")
	}
	inRange(ps, object, "least", p.Least, 0, 1<<20)
	inRange(ps, object, "most", p.Most, 0, 1<<20)
	switch {
	case p.Absent && (p.Most != 0 || p.Least > 1):
		ps.add(object, "absent", "true", "there must be no such process, so that there is nothing to count", "leave it out, or least and most")
	case p.Absent:
	case p.Most != 0 && p.Most < p.Least:
		ps.add(object, "most", strconv.Itoa(p.Most), fmt.Sprintf("it is less than least, which is %d", p.Least), "use a larger number, or leave it out")
	case p.Most == 0 && p.Least == 0:
		ps.add(object, "least", "0", "any number of processes would do", "use 1 or more, or set most, or absent = true if there must be none")
	}
	inRange(ps, object, "delay", p.Delay, 0, time.Hour)
}

func (p *ProcessCheck) fields(f fields) {
	f.set("process", p.Process)
	f.set("arguments", strings.Join(quotedAll(p.Arguments), ", "))
	f.set("match", string(p.Match))
	f.set("least", strconv.Itoa(p.Least))
	f.count("most", p.Most)
	f.flag("absent", p.Absent)
	f.span("delay", p.Delay)
}

func (l *LinkCheck) validate(ps *Problems, object string) {
	if i := l.Interface; i == "" || !linkName(i) {
		ps.add(object, "interface", i, "this is no name of a network interface", "use a name that `ip link` shows")
	}
}

func (l *LinkCheck) fields(f fields) { f.set("interface", l.Interface) }

// linkName reports whether a network interface may have the name; "" is none.
func linkName(i string) bool {
	return len(i) <= 15 && !strings.ContainsAny(i, "/: \t\n\x00") && i != "." && i != ".." && plainText(i)
}

// plainPath reports whether p is an absolute path of a file, written plainly.
func plainPath(p string) bool {
	return strings.HasPrefix(p, "/") && path.Clean(p) == p && p != "/" && len(p) <= maxText && !strings.ContainsRune(p, 0)
}

func quotedAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strconv.Quote(s)
	}
	return out
}
