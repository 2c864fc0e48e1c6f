package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"quorate/agent/target"
	"quorate/fsm"
	"quorate/health"
)

// trial is one check of one server or of this machine, and what came of it.
type trial struct {
	Service   string         `json:"service,omitempty"`
	NodeCheck string         `json:"node_check,omitempty"` // in place of a service
	Server    string         `json:"server,omitempty"`
	Check     int            `json:"check"` // its number in the service or the node check
	Type      string         `json:"type"`
	Address   netip.AddrPort `json:"address,omitzero"` // that was asked
	Result    outcome        `json:"result"`
	Latency   string         `json:"latency,omitempty"`
	Detail    string         `json:"detail,omitempty"`
	Weight    health.Weight  `json:"weight,omitzero"` // that the server asks for

	target health.Target
}

// outcome is how a trial ended.
type outcome string

const (
	passed   outcome = "ok"
	failed   outcome = "failed"
	notAsked outcome = "not asked" // this machine could not
	notTried outcome = "not tried" // it was interrupted before, or meanwhile
)

func (o outcome) tone() tone {
	switch o {
	case passed:
		return good
	case failed:
		return bad
	default:
		return warn
	}
}

// lack is what a check needs of this machine and does not find, whichever server it is for.
type lack struct {
	Service   string `json:"service,omitempty"`
	NodeCheck string `json:"node_check,omitempty"`
	Check     int    `json:"check"`
	Type      string `json:"type"`
	Text      string `json:"text"`
}

// maxTrials bounds the checks that are tried at the same time, so that no script waits for its turn: an agent does not run more of them at once.
const maxTrials = health.MaxScripts

func newTrial(t trial, c fsm.Check, at health.Target) trial {
	t.Type, t.target, t.Result = string(c.Type), at, notTried
	if slices.Contains(fsm.NetworkChecks(), c.Type) {
		t.Address = at.Addr
	}
	return t
}

// nodeLimit is how long the agent of this machine is asked for its name.
const nodeLimit = time.Second

// nodeHere is the name of this machine's node, as its agent has it, or would have it if there is none that answers.
func (a *app) nodeHere(ctx context.Context) fsm.NodeID {
	ctx, cancel := context.WithTimeout(ctx, nodeLimit)
	defer cancel()
	if c, err := a.client(); err == nil {
		defer c.Close()
		if n, err := c.Node(ctx); err == nil {
			return n.Node
		}
	}
	host, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return fsm.NodeID(strings.ToLower(host))
}

// try runs the checks as the node does, and prints what they lack and saw.
func (a *app) try(ctx context.Context, node fsm.NodeID, trials []trial) error {
	asker := health.NewAsker(health.Local{Runner: target.Scripts{Node: node}})
	lacks := lacking(asker, trials)
	var group errgroup.Group
	group.SetLimit(maxTrials)
	for i := range trials {
		group.Go(func() error {
			trials[i].run(ctx, asker)
			return nil
		})
	}
	_ = group.Wait()
	count := map[outcome]int{}
	for _, t := range trials {
		count[t.Result]++
	}
	err := a.print(struct {
		Lacks  []lack  `json:"lacks,omitempty"`
		Checks []trial `json:"checks"`
		Failed int     `json:"failed"`
	}{lacks, trials, len(trials) - count[passed]}, func(w io.Writer) {
		a.writeTrials(w, lacks, trials)
		fmt.Fprintf(w, "\n%d of %d checks passed.\n", count[passed], len(trials))
		if os.Geteuid() != 0 && count[passed] < len(trials) {
			fmt.Fprintln(w, "This is not root: an agent, which is, may see more.")
		}
	})
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted: %d of %d checks were not tried", count[notTried], len(trials))
	case count[passed] < len(trials) || len(lacks) > 0:
		return errSaid
	}
	return nil
}

// lacking looks at what the checks need of this machine, at each check once.
func lacking(asker health.Asker, trials []trial) (out []lack) {
	seen := map[lack]bool{}
	for _, t := range trials {
		l := t.lack("")
		if seen[l] {
			continue
		}
		seen[l] = true
		if err := asker.Inspect(t.target); err != nil {
			l.Text = err.Error()
			out = append(out, l)
		}
	}
	return out
}

func (t trial) lack(text string) lack {
	return lack{Service: t.Service, NodeCheck: t.NodeCheck, Check: t.Check, Type: t.Type, Text: text}
}

func (a *app) writeTrials(w io.Writer, lacks []lack, trials []trial) {
	for _, l := range lacks {
		fmt.Fprintf(w, "%s %s, check %d %s: %s\n", a.paint(bad, "On this machine:"), of(l.Service, l.NodeCheck), l.Check, l.Type, oneLine(l.Text))
	}
	if len(lacks) > 0 {
		fmt.Fprintln(w)
	}
	t := a.table("OF", "SERVER", "CHECK", "RESULT", "LATENCY", "DETAIL")
	for _, x := range trials {
		detail := x.Detail
		if slices.ContainsFunc(lacks, func(l lack) bool { return x.Result == notAsked && l == x.lack(l.Text) }) {
			detail = "for what is said above"
		}
		t.row(of(x.Service, x.NodeCheck), x.Server, fmt.Sprintf("%d %s", x.Check, x.Type), cell{string(x.Result), x.Result.tone()}, x.Latency, detail)
	}
	t.write(w, "")
}

func of(service, nodeCheck string) string {
	if nodeCheck != "" {
		return "node_check " + nodeCheck
	}
	return service
}

func (t *trial) run(ctx context.Context, asker health.Asker) {
	if ctx.Err() != nil {
		return
	}
	start := time.Now()
	answer, err := asker.Ask(ctx, t.target)
	took := time.Since(start)
	switch {
	case err != nil && ctx.Err() != nil:
		return // of whatever it says, that is why
	case errors.Is(err, health.ErrNotAsked):
		t.Result, t.Detail = notAsked, strings.TrimPrefix(err.Error(), health.ErrNotAsked.Error()+": ")
	case err != nil:
		t.Result, t.Detail = failed, err.Error()
	default:
		t.Result, t.Detail, t.Weight = passed, answer.Detail, answer.Weight
	}
	t.Latency = took.Round(10 * time.Microsecond).String()
}
