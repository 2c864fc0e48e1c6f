package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate/api"
	"quorate/api/client"
	"quorate/api/crossing"
)

func (a *app) vrrpTakeover() *cobra.Command {
	return a.crossing(crossing.Takeover, &cobra.Command{
		Use:   "takeover VIP",
		Short: "Take a VIP in shadow over from keepalived and the like, step by step",
		Long: `Take a VIP that is in shadow over from the routers outside the cluster that have it: first it is looked at what speaks
against it, then the mode of the VIP becomes live, together with that of all that can only go with it (the VIPs of its
virtual router and of its group), and then it is made sure of: the owner's adverts are heard by the other nodes, the
routers outside the cluster have fallen silent, and the owner alone answers for the address.

What is not so within --wait is undone: the VIP goes back into shadow, unless --rollback=false. What blocks the way can
be overridden with --force. The configuration files have to be changed too, or the next apply takes it back: the command
says how. giveback is the way back.`,
		Example: `  quorate vrrp takeover web --check
  quorate vrrp takeover web
  quorate vrrp takeover web --wait 1m --rollback=false`,
	})
}

// crossingFlags are those of takeover and giveback.
type crossingFlags struct {
	wait            time.Duration
	force, rollback bool
	check           bool
}

// crossed is what they say as JSON.
type crossed struct {
	VIP        string               `json:"vip"`
	VIPs       []string             `json:"vips"` // all that can only go together
	Way        crossing.Way         `json:"way"`
	Mode       string               `json:"mode"` // at the end
	Objections []crossing.Objection `json:"objections"`
	Steps      []crossing.Step      `json:"steps,omitempty"`
	Done       bool                 `json:"done"`
	RolledBack bool                 `json:"rolled_back,omitempty"`
	Write      []string             `json:"write,omitempty"` // into the configuration files
	TookMS     int64                `json:"took_ms"`
	Note       string               `json:"note,omitempty"`
}

const (
	// lookPause is between two looks at the nodes, each of which takes some hundred milliseconds.
	lookPause = 200 * time.Millisecond
	// setLimit is how long a change of the mode may take that was begun: it is not left half-way when the command is interrupted.
	setLimit = 15 * time.Second
	// minWay is the shortest time to make sure.
	minWay = time.Second
)

func (a *app) crossing(way crossing.Way, cmd *cobra.Command) *cobra.Command {
	var f crossingFlags
	cmd.Args = needs("the name of a VIP")
	cmd.ValidArgsFunction = a.completeVIPs
	cmd.RunE = a.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
		if f.wait < minWay || f.wait > time.Hour {
			return &usageError{cmd, fmt.Errorf("--wait %v: want %v to %v", f.wait, minWay, time.Hour)}
		}
		return a.cross(cmd.Context(), c, way, args[0], f)
	})
	cmd.Flags().DurationVar(&f.wait, "wait", 30*time.Second, "time for all of it to be as it should")
	cmd.Flags().BoolVar(&f.force, "force", false, "do it although something speaks against it")
	cmd.Flags().BoolVar(&f.rollback, "rollback", true, "undo it when it is not as it should be in time")
	cmd.Flags().BoolVar(&f.check, "check", false, "only say what speaks against it")
	return cmd
}

// cross does the step, or says why not. Whatever happens, the answer says in which mode the VIP is.
func (a *app) cross(ctx context.Context, c *client.Client, way crossing.Way, vip string, f crossingFlags) error {
	began := time.Now()
	s, err := c.Sight(ctx, vip)
	if err != nil {
		return err
	}
	r := crossed{VIP: vip, Way: way, Mode: s.VIPs[0].Mode, Objections: crossing.Against(way, s)}
	for _, v := range s.VIPs {
		r.VIPs = append(r.VIPs, v.Name)
	}
	all := strings.Join(r.VIPs, ", ")
	if r.Objections == nil {
		r.Objections = []crossing.Objection{}
	}
	blocked := 0
	for _, o := range r.Objections {
		head := a.paint(warn, "note:")
		if o.Blocks {
			head = a.paint(bad, "against it:")
			blocked++
		}
		a.say("%s %s\n", head, oneLine(o.Text))
	}
	end := func(note string, err error) error {
		r.Note, r.TookMS = note, time.Since(began).Milliseconds()
		if perr := a.print(r, func(w io.Writer) {
			for _, l := range r.Write {
				fmt.Fprintf(w, "Write into the configuration file, or the next apply takes it back: %s\n", l)
			}
			if note != "" {
				fmt.Fprintln(w, note)
			}
		}); perr != nil {
			return perr
		}
		return err
	}
	switch {
	case crossing.There(way, s):
		r.Done = true
		return end(fmt.Sprintf("%s is %s already: nothing is changed.", all, way.Mode()), nil)
	case blocked > 0 && (f.check || !f.force):
		return end(fmt.Sprintf("Nothing is changed: %s. With --force it is done all the same.", plural(blocked, "reason")+" against it"), errSaid)
	case f.check:
		return end(fmt.Sprintf("Nothing speaks against the %s of %s.", way, all), nil)
	case ctx.Err() != nil:
		return end("Nothing is changed: it was interrupted.", errSaid)
	}
	set, err := a.setMode(ctx, c, vip, way, s.Version)
	if err != nil {
		return err
	}
	r.Mode, r.Write = way.Mode(), set.Write
	a.say("%s: the mode is %s now (configuration version %d).\n", all, way.Mode(), set.Version)
	seen := set.Version
	r.Steps, err = a.watch(ctx, c, way, vip, f.wait, &seen)
	back := fmt.Sprintf("`quorate vrrp %s %s` takes it back", way.Back(), vip)
	switch {
	case crossing.Done(r.Steps) && err == nil:
		r.Done = true
		return end(fmt.Sprintf("Done: the %s of %s is made sure of; %s.", way, all, back), nil)
	case ctx.Err() != nil:
		return end(fmt.Sprintf("Interrupted: %s is %s and stays so, and it is not made sure of; %s.", all, way.Mode(), back), errSaid)
	case errors.Is(err, errMoved):
		return end(fmt.Sprintf("Somebody has applied another configuration meanwhile: look at `quorate vip show %s`; nothing more is changed.", vip), errSaid)
	}
	why := fmt.Sprintf("within %v it was not as it should be", f.wait)
	if err != nil {
		why = err.Error()
	}
	if !f.rollback {
		return end(fmt.Sprintf("Not made sure of: %s. %s is %s and stays so; %s.", why, all, way.Mode(), back), errSaid)
	}
	a.say("Not made sure of: %s. It is undone.\n", why)
	if _, err := a.setMode(ctx, c, vip, way.Back(), seen); err != nil {
		return end(fmt.Sprintf("It could not be undone: %v. %s is %s; %s.", err, all, way.Mode(), back), errSaid)
	}
	r.Mode, r.RolledBack, r.Write = way.Back().Mode(), true, nil
	a.say("%s: the mode is %s again.\n", all, r.Mode)
	steps, err := a.watch(ctx, c, way.Back(), vip, f.wait, &seen)
	if err != nil || !crossing.Done(steps) {
		return end(fmt.Sprintf("Undone: %s is %s again, but that is not made sure of: look at `quorate status` and at the routers outside the cluster.", all, r.Mode), errSaid)
	}
	return end(fmt.Sprintf("Undone: everything is as it was before, %s is %s again.", all, r.Mode), errSaid)
}

// say tells what happens as it happens; as JSON all is said at the end.
func (a *app) say(format string, args ...any) {
	if a.output != "json" {
		fmt.Fprintf(a.out, format, args...)
	}
}

// setMode changes the mode. Once it is asked for it is not interrupted: what has become of it would not be known. Where the answer does not say, as when the leader was
// lost meanwhile, the cluster is asked what it has, and only when it has not changed is it asked for once more.
func (a *app) setMode(ctx context.Context, c *client.Client, vip string, way crossing.Way, base uint64) (api.ModeSet, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), setLimit)
	defer cancel()
	for {
		set, err := c.SetMode(ctx, vip, api.ModeRequest{Mode: way.Mode(), Base: base})
		var refused *api.Error
		if err == nil || errors.As(err, &refused) && refused.Status < http.StatusInternalServerError {
			return set, err
		}
		for { // a look has the word of a quorum, so that nothing that was asked for before comes later
			s, lookErr := c.Sight(ctx, vip)
			switch {
			case ctx.Err() != nil:
				return set, fmt.Errorf("it is not known whether the mode of %s is %s now: look at `quorate vip show %[1]s`: %[3]w", vip, way.Mode(), err)
			case lookErr != nil:
				time.Sleep(lookPause)
				continue
			case crossing.There(way, s):
				return api.ModeSet{Version: s.Version, Changed: []string{vip}, Write: []string{"the modes that `quorate export` shows"}}, nil
			case s.Version != base:
				return set, fmt.Errorf("the mode of %s is not changed, and somebody has applied another configuration: %w", vip, err)
			}
			break
		}
	}
}

// errMoved: somebody has changed the modes meanwhile.
var errMoved = errors.New("another configuration was applied")

// watch looks until all steps are behind us, and says of each when it is. It returns how far it came. version is that of the configuration under which it looked last: others
// may apply theirs meanwhile, and what they change besides is no matter of this.
func (a *app) watch(ctx context.Context, c *client.Client, way crossing.Way, vip string, wait time.Duration, version *uint64) (steps []crossing.Step, err error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	said := map[string]bool{}
	for {
		s, err := c.Sight(ctx, vip)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			// An agent or the leader may be gone for a moment; the time limit is for that, too.
			steps = append(steps[:0:0], crossing.Step{Name: "look", Text: err.Error()})
		case !crossing.There(way, s):
			return steps, errMoved
		default:
			*version, steps = s.Version, crossing.Steps(way, s)
			for _, x := range steps {
				if x.Done && !said[x.Name] {
					said[x.Name] = true
					a.say("  %s %-8s %s (%v)\n", a.paint(good, "ok"), x.Name, oneLine(x.Text), time.Since(began).Round(10*time.Millisecond))
				}
			}
			if crossing.Done(steps) {
				return steps, nil
			}
		}
		t := time.NewTimer(lookPause)
		select {
		case <-ctx.Done():
			t.Stop()
			for _, x := range steps {
				if !x.Done {
					a.say("  %s %-8s %s\n", a.paint(bad, "--"), x.Name, oneLine(x.Text))
				}
			}
			if len(steps) == 0 {
				steps = []crossing.Step{{Name: "look", Text: "the nodes were not asked in time"}}
			}
			return steps, nil
		case <-t.C:
		}
	}
}
