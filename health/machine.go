package health

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"quorate/health/bfd"
)

// The kinds of probe that ask this machine in place of a server.
const (
	TypeScript    Type = "script"    // run a program, exit code 0
	TypeFile      Type = "file"      // read what a file says
	TypeProcess   Type = "process"   // count the processes of a program
	TypeInterface Type = "interface" // look at a link
)

// Machine is the part of a Target that asks this machine; one of its parts is set, as the type says.
type Machine struct {
	Script  Script  `json:"script,omitzero"`
	File    File    `json:"file,omitzero"`
	Process Process `json:"process,omitzero"`
	Link    string  `json:"link,omitempty"` // name of the interface
}

// Script is a program to run.
type Script struct {
	Command []string `json:"command,omitempty"` // absolute path and arguments
	User    string   `json:"user,omitempty"`    // "" = the runner's choice
	Dynamic bool     `json:"dynamic,omitempty"` // exit codes 2 to 255 ask for the weights 0 to 253
	Env     []string `json:"env,omitempty"`     // NAME=value, besides those that each has
}

// File is a file to read.
type File struct {
	Path       string `json:"path,omitempty"`
	Down       bool   `json:"down,omitempty"`       // what it means that there is none
	Multiplier int    `json:"multiplier,omitempty"` // of a number; 1
	// Switch takes the weight 0 for a failure: what is asked about has no weight.
	Switch bool `json:"switch,omitempty"`
}

// Process is a program that should run.
type Process struct {
	Name      string        `json:"name,omitempty"` // of the program, or its absolute path
	Arguments []string      `json:"arguments,omitempty"`
	Match     ArgumentMatch `json:"match,omitempty"`
	Least     int           `json:"least,omitempty"`
	Most      int           `json:"most,omitempty"`   // 0 = any number
	Absent    bool          `json:"absent,omitempty"` // there must be none; Least and Most do not count
	Delay     time.Duration `json:"delay,omitempty"`  // that a change of the answer has to last
}

// ArgumentMatch says how the arguments of a process have to be those that are wanted; any other value means MatchFirst.
type ArgumentMatch string

// The ways to match arguments.
const (
	MatchFirst  ArgumentMatch = "first"  // its first ones are these
	MatchAll    ArgumentMatch = "all"    // they are these and no others
	MatchPrefix ArgumentMatch = "prefix" // its first ones are these, the last of which may go on
)

// IsZero reports whether nothing is set.
func (m Machine) IsZero() bool {
	return m.same(Machine{})
}

// cheapPause is the least time between two probes for hints of what costs next to nothing to ask.
const cheapPause = 10 * time.Millisecond

func (m Machine) cheap() bool { return m.File != File{} || m.Link != "" || m.Process.Name != "" }

func (m Machine) same(o Machine) bool {
	return slices.Equal(m.Script.Command, o.Script.Command) && m.Script.User == o.Script.User && m.Script.Dynamic == o.Script.Dynamic &&
		slices.Equal(m.Script.Env, o.Script.Env) && m.File == o.File && m.Link == o.Link && m.Process.same(o.Process)
}

func (p Process) same(o Process) bool {
	return p.Name == o.Name && slices.Equal(p.Arguments, o.Arguments) && p.Match == o.Match && p.Least == o.Least && p.Most == o.Most && p.Absent == o.Absent && p.Delay == o.Delay
}

// Runner runs the programs of scripts.
type Runner interface {
	// Check says why the script must not be run, with the cure.
	Check(s Script) error
	// Run runs it and gives its exit code and what it printed. When ctx ends it kills all that the program has started, and returns an error.
	Run(ctx context.Context, s Script) (exit int, output string, err error)
}

// Local are the means to ask this machine. With the zero value scripts are not asked, and the rest without news: see Watch.
type Local struct {
	Runner Runner
	Watch  *Watch
}

func (l Local) probers() map[Type]Prober {
	return map[Type]Prober{
		TypeScript:    newScriptProber(l.Runner),
		TypeFile:      fileProber{},
		TypeProcess:   processProber{l.Watch.orNew()},
		TypeInterface: linkProber{},
		TypeBFD:       bfdProber{l.Watch, bfd.Sockets{}},
	}
}

// Inspect is health.Inspect for all types.
func (l Local) Inspect(t Target) error {
	if i, ok := l.probers()[t.Type].(inspector); ok {
		return i.Inspect(t)
	}
	return Inspect(t)
}

// withLocal are the probers with those that ask this machine.
func withLocal(all map[Type]Prober, l Local) map[Type]Prober {
	maps.Copy(all, l.probers())
	return all
}

// unasked is ErrNotAsked for a reason.
func unasked(err error) error {
	if errors.Is(err, ErrNotAsked) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNotAsked, err)
}
