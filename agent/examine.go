package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"quorate/agent/target"
	"quorate/fsm"
	"quorate/health"
)

// examineLimit is how long a director has to look at the files of a configuration.
const examineLimit = time.Second

// examined is a check whose files a director is asked to look at.
type examined struct {
	Object string     `json:"object"`
	Check  fsm.Check  `json:"check"`
	nodes  []fsm.Node // that carry it out
	kept   bool       // it is in force already
}

// fault is what a director says of one of them.
type fault struct {
	Index int    `json:"index"`
	Text  string `json:"text"`
}

// usesFiles reports whether a check needs something of the directors that carry it out.
func usesFiles(c fsm.Check) bool {
	return c.Script != nil || c.File != nil || c.Process != nil || c.TLS != nil && cmp.Or(c.TLS.CA, c.TLS.Certificate, c.TLS.Key) != ""
}

// examinedIn lists the checks of a configuration that need files, each once where it stands in several places, by object.
func examinedIn(c fsm.Config, now *fsm.State) (out []examined) {
	directors := slices.DeleteFunc(slices.Collect(maps.Values(now.Nodes)), func(n fsm.Node) bool { return n.Role != fsm.Director || n.Leaving })
	add := func(object string, checks, before []fsm.Check, on func(fsm.Node) bool) {
		for i, x := range checks {
			if !usesFiles(x) {
				continue
			}
			nodes := slices.DeleteFunc(slices.Clone(directors), func(n fsm.Node) bool { return !on(n) })
			kept := slices.ContainsFunc(before, func(o fsm.Check) bool { return sameCheck(x, o) })
			out = append(out, examined{Object: object + ".check." + strconv.Itoa(i), Check: x, nodes: nodes, kept: kept})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.NodeChecks)) {
		add("node_check."+name, c.NodeChecks[name].Checks, now.Config.NodeChecks[name].Checks, c.NodeChecks[name].On)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		add("service."+name, c.Services[name].Checks, now.Config.Services[name].Checks, func(fsm.Node) bool { return true })
	}
	return out
}

// sameCheck reports whether both are written the same.
func sameCheck(a, b fsm.Check) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && string(x) == string(y)
}

// Examine implements api.Examiner: it asks the directors that would carry the checks out. What is wrong with a check that is in force already is a warning: it is
// as it was, and must not be in the way of another change.
func (b backend) Examine(ctx context.Context, c fsm.Config) (problems, warnings fsm.Problems) {
	all := examinedIn(c, b.a.node.State())
	if len(all) == 0 {
		return nil, nil
	}
	asked := map[fsm.NodeID][]int{}
	for i, x := range all {
		for _, n := range x.nodes {
			asked[n.ID] = append(asked[n.ID], i)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, examineLimit)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	said := map[fsm.NodeID][]fault{}
	silent := map[fsm.NodeID]error{}
	for id, which := range asked {
		wg.Go(func() {
			q := question{Examine: make([]examined, len(which))}
			for i, x := range which {
				q.Examine[i] = all[x]
			}
			faults, err := b.examineOn(ctx, id, q)
			mu.Lock()
			defer mu.Unlock()
			if said[id] = faults; err != nil {
				silent[id] = err
			}
		})
	}
	wg.Wait()
	return together(all, asked, said, silent)
}

// examineOn asks one director. One that does not answer at all is not waited for longer than the rest.
func (b backend) examineOn(ctx context.Context, id fsm.NodeID, q question) ([]fault, error) {
	type answer struct {
		faults []fault
		err    error
	}
	ch := make(chan answer, 1)
	go func() {
		var a answer
		a.err = b.a.node.Query(ctx, id, q, &a.faults)
		ch <- a
	}()
	select {
	case a := <-ch:
		return a.faults, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// together puts together what the directors said, the same of several into one.
func together(all []examined, asked map[fsm.NodeID][]int, said map[fsm.NodeID][]fault, silent map[fsm.NodeID]error) (problems, warnings fsm.Problems) {
	type where struct {
		check int
		text  string
	}
	on := map[where][]string{}
	for _, id := range slices.Sorted(maps.Keys(said)) {
		for _, f := range said[id] {
			if f.Index >= 0 && f.Index < len(asked[id]) {
				w := where{asked[id][f.Index], f.Text}
				on[w] = append(on[w], string(id))
			}
		}
	}
	order := slices.SortedFunc(maps.Keys(on), func(a, b where) int { return cmp.Or(cmp.Compare(a.check, b.check), strings.Compare(a.text, b.text)) })
	for _, w := range order {
		x := all[w.check]
		p := fsm.Problem{Object: x.Object, What: "on " + strings.Join(on[w], ", ") + ": " + w.text, Cure: "put it right there, and try again"}
		p.Key, p.Value = keyOfFault(x.Check, w.text)
		if i := strings.LastIndex(p.What, "; "); i >= 0 {
			p.What, p.Cure = p.What[:i], p.What[i+2:]
		}
		if x.kept {
			warnings = append(warnings, p)
		} else {
			problems = append(problems, p)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(silent)) {
		why := silent[id].Error()
		if errors.Is(silent[id], context.DeadlineExceeded) {
			why = fmt.Sprintf("it has not answered within %v", examineLimit)
		}
		warnings = append(warnings, fsm.Problem{Object: all[asked[id][0]].Object, What: fmt.Sprintf("%s could not be asked whether it has the files that its checks need: %s", id, why),
			Cure: fmt.Sprintf("run quorate plan again once %s answers", id)})
	}
	return problems, warnings
}

// keyOfFault is the key of a configuration that a fault is about, and its value.
func keyOfFault(c fsm.Check, text string) (key, value string) {
	word, _, _ := strings.Cut(text, " ")
	switch {
	case c.Script != nil && strings.Contains(text, `: user "`):
		return "user", c.Script.User
	case c.Script != nil:
		return "command", c.Script.Command[0]
	case c.File != nil:
		return "file", c.File.File
	case c.Process != nil:
		return "process", c.Process.Process
	case c.TLS != nil && word == "key":
		return "key", c.TLS.Key
	case c.TLS != nil && word == "certificate":
		return "certificate", c.TLS.Certificate
	case c.TLS != nil:
		return "ca", c.TLS.CA
	}
	return "", ""
}

// examine is what this node says of the files that checks need.
func (a *Agent) examine(checks []examined) []fault {
	out := []fault{}
	for i, x := range checks {
		t := target.Of(x.Check, netip.AddrPortFrom(loopback, 1))
		if err := a.inspect(t); err != nil {
			out = append(out, fault{i, err.Error()})
		}
	}
	return out
}

func (a *Agent) inspect(t health.Target) error { return a.means().Inspect(t) }
