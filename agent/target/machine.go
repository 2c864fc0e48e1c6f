package target

import (
	"quorate/fsm"
	"quorate/health"
)

// machineOf is what a check asks of this machine.
func machineOf(c fsm.Check) (m health.Machine) {
	switch {
	case c.Script != nil:
		m.Script = health.Script{Command: c.Script.Command, User: c.Script.User, Dynamic: c.Script.DynamicWeight}
	case c.File != nil:
		m.File = health.File{Path: c.File.File, Down: c.File.Missing == fsm.FileDown, Multiplier: c.File.Multiplier}
	case c.Process != nil:
		m.Process = health.Process{Name: c.Process.Process, Arguments: c.Process.Arguments, Match: health.ArgumentMatch(c.Process.Match), Least: c.Process.Least, Most: c.Process.Most, Absent: c.Process.Absent, Delay: c.Process.Delay}
	case c.Link != nil:
		m.Link = c.Link.Interface
	}
	return m
}
