package keepalived

import (
	"fmt"
	"slices"
	"strings"

	"quorate/fsm"
)

// spell makes scripts alike that differ in the address or port of their server alone: those come from the environment then.
func (x *built) spell(sets [][]probe) {
	for _, ports := range []bool{false, true} {
		made := make([][]probe, len(sets))
		for i, ps := range sets {
			made[i] = slices.Clone(ps)
			for j, p := range ps {
				if p.check.Script != nil {
					script := *p.check.Script
					script.Command = generic(script.Command, x.service.Servers[i], ports)
					made[i][j].check.Script = &script
				}
			}
		}
		if !sameProbes(made) {
			continue
		}
		for i, ps := range made {
			copy(sets[i], ps)
			for _, p := range ps {
				if p.check.Script != nil {
					p.d.settle(Changed, "the servers' scripts differ in address and port alone, which a shell takes from QUORATE_ADDRESS, QUORATE_PORT and QUORATE_SERVER here, so that one check does for all", "")
				}
			}
		}
		return
	}
}

// generic puts variables into a command in place of the server's address and port.
func generic(command []string, s fsm.Server, ports bool) []string {
	var b strings.Builder
	b.WriteString("exec")
	changed := false
	for _, w := range command {
		b.WriteByte(' ')
		switch {
		case w == s.Address.Addr().String():
			b.WriteString(`"$QUORATE_ADDRESS"`)
		case w == s.Address.String():
			b.WriteString(`"$QUORATE_SERVER"`)
		case ports && w == fmt.Sprint(s.Address.Port()):
			b.WriteString(`"$QUORATE_PORT"`)
		default:
			b.WriteString(quote(w))
			continue
		}
		changed = true
	}
	if !changed {
		return command
	}
	return []string{"/bin/sh", "-c", b.String()}
}
