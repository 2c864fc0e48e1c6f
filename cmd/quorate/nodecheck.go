package main

import (
	"fmt"
	"io"

	"quorate/api"
	"quorate/fsm"
)

// writeNodeChecks shows the checks of a node, and below each with several parts what each of them saw.
func (a *app) writeNodeChecks(w io.Writer, checks []api.NodeCheckStatus) {
	if len(checks) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := a.table("CHECK", "VERDICT", "SINCE", "WHILE IT IS DOWN", "SAW")
	for _, c := range checks {
		costs := fmt.Sprintf("loses %d", -c.Weight)
		if c.Required {
			costs = "owns nothing"
		}
		saw := c.Detail
		if len(c.Probes) == 1 {
			saw = first(saw, c.Probes[0].Detail)
		}
		t.row(c.Name, verdictCell(c.Verdict), held(c.Since), costs, saw)
		if len(c.Probes) < 2 {
			continue
		}
		for _, p := range c.Probes {
			t.row("  "+string(p.Type), verdictCell(p.Verdict), "", "", p.Detail)
		}
	}
	t.write(w, "")
}

func verdictCell(v fsm.Verdict) cell {
	switch v {
	case fsm.Up:
		return cell{string(v), good}
	case fsm.Down:
		return cell{string(v), bad}
	default:
		return cell{string(v), warn}
	}
}
