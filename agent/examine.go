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
	"quorate/notify"
	program "quorate/script"
)

// examineLimit is how long a director has to look at the files of a configuration.
const examineLimit = time.Second

// examined is a check or a notifier whose files a node is asked to look at.
type examined struct {
	Object   string        `json:"object"`
	Check    *fsm.Check    `json:"check,omitempty"`
	Notifier *fsm.Notifier `json:"notifier,omitempty"` // in place of a check
	nodes    []fsm.Node    // that carry it out
	kept     bool          // it is in force already
}

// fault is what a node says of one of them, and about which key of the configuration.
type fault struct {
	Index int    `json:"index"`
	Key   string `json:"key,omitempty"`
	Value string `json:"value,omitempty"`
	Text  string `json:"text"`
}

// usesFiles reports whether a check needs something of the directors that carry it out.
func usesFiles(c fsm.Check) bool {
	return c.Script != nil || c.File != nil || c.Process != nil || c.TLS != nil && cmp.Or(c.TLS.CA, c.TLS.Certificate, c.TLS.Key) != ""
}

// examinedIn lists what needs files in a configuration, by object: checks, and then notifiers. Checks, and notifiers of the nodes, are carried out by
// directors; those of the leader by any node, as any may lead one day.
func examinedIn(c fsm.Config, now *fsm.State) (out []examined) {
	all := slices.DeleteFunc(slices.Collect(maps.Values(now.Nodes)), func(n fsm.Node) bool { return n.Leaving })
	directors := slices.DeleteFunc(slices.Clone(all), func(n fsm.Node) bool { return n.Role != fsm.Director })
	add := func(object string, checks, before []fsm.Check, on func(fsm.Node) bool) {
		for i, x := range checks {
			if !usesFiles(x) {
				continue
			}
			nodes := slices.DeleteFunc(slices.Clone(directors), func(n fsm.Node) bool { return !on(n) })
			kept := slices.ContainsFunc(before, func(o fsm.Check) bool { return same(x, o) })
			out = append(out, examined{Object: object + ".check." + strconv.Itoa(i), Check: &x, nodes: nodes, kept: kept})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.NodeChecks)) {
		add("node_check."+name, c.NodeChecks[name].Checks, now.Config.NodeChecks[name].Checks, c.NodeChecks[name].On)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		add("service."+name, c.Services[name].Checks, now.Config.Services[name].Checks, func(fsm.Node) bool { return true })
	}
	for _, name := range slices.Sorted(maps.Keys(c.Notifiers)) {
		n := c.Notifiers[name]
		if !notify.UsesFiles(n) {
			continue
		}
		x := examined{Object: "notify." + name + "." + n.Channel(), Notifier: &n, nodes: all, kept: same(channelOf(n), channelOf(now.Config.Notifiers[name]))}
		if n.Where() == fsm.ByNode {
			x.nodes = slices.DeleteFunc(slices.Clone(directors), func(d fsm.Node) bool { return len(n.Nodes) > 0 && !slices.Contains(n.Nodes, d.ID) })
		}
		out = append(out, x)
	}
	return out
}

// channelOf is what says how a notifier tells, and who: not what, and how much of it.
func channelOf(n fsm.Notifier) fsm.Notifier {
	out := fsm.Notifier{By: n.Where(), Webhook: n.Webhook, Email: n.Email, Script: n.Script, FIFO: n.FIFO}
	if out.By == fsm.ByNode {
		out.Nodes = n.Nodes
	}
	return out
}

// same reports whether both are written the same.
func same[T any](a, b T) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && string(x) == string(y)
}

// Examine implements api.Examiner: it asks the nodes that would carry the checks and notifiers out. What is wrong with one that is in force already is a warning:
// it is as it was, and must not be in the way of another change.
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

// examineOn asks one node. One that does not answer at all is not waited for longer than the rest.
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

// together puts together what the nodes said, the same of several into one.
func together(all []examined, asked map[fsm.NodeID][]int, said map[fsm.NodeID][]fault, silent map[fsm.NodeID]error) (problems, warnings fsm.Problems) {
	type where struct {
		which            int
		key, value, text string
	}
	on := map[where][]string{}
	for _, id := range slices.Sorted(maps.Keys(said)) {
		for _, f := range said[id] {
			if f.Index >= 0 && f.Index < len(asked[id]) {
				w := where{asked[id][f.Index], f.Key, f.Value, f.Text}
				on[w] = append(on[w], string(id))
			}
		}
	}
	order := slices.SortedFunc(maps.Keys(on), func(a, b where) int {
		return cmp.Or(cmp.Compare(a.which, b.which), strings.Compare(a.key, b.key), strings.Compare(a.text, b.text))
	})
	for _, w := range order {
		x := all[w.which]
		p := fsm.Problem{Object: x.Object, Key: w.key, Value: w.value, What: "on " + strings.Join(on[w], ", ") + ": " + w.text, Cure: "put it right there, and try again"}
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
		warnings = append(warnings, fsm.Problem{Object: all[asked[id][0]].Object, What: fmt.Sprintf("%s could not be asked whether it has the files that it needs: %s", id, why),
			Cure: fmt.Sprintf("run quorate plan again once %s answers", id)})
	}
	return problems, warnings
}

// keyOfFault is the key of a check that a fault is about, and its value.
func keyOfFault(c fsm.Check, err error) (key, value string) {
	word, _, _ := strings.Cut(err.Error(), " ")
	switch {
	case c.Script != nil && errors.Is(err, program.ErrUser):
		return "user", c.Script.User
	case c.Script != nil && len(c.Script.Command) > 0:
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

// examine is what this node says of the files that checks and notifiers need.
func (a *Agent) examine(all []examined) []fault {
	out := []fault{}
	for i, x := range all {
		if x.Check != nil {
			if err := a.inspect(target.Of(*x.Check, netip.AddrPortFrom(loopback, 1))); err != nil {
				key, value := keyOfFault(*x.Check, err)
				out = append(out, fault{i, key, value, err.Error()})
			}
		}
		if x.Notifier != nil {
			for _, f := range notify.Inspect(*x.Notifier) {
				out = append(out, fault{i, f.Key, f.Value, f.Err.Error()})
			}
		}
	}
	return out
}

func (a *Agent) inspect(t health.Target) error { return a.means().Inspect(t) }
