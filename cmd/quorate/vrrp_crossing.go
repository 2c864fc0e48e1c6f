package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"quorate/api"
	"quorate/api/client"
	"quorate/api/crossing"
)

// crossedBy is one run of a step.
type crossedBy struct {
	*app
	client  *client.Client
	way     crossing.Way
	vip     string
	flags   crossingFlags
	began   time.Time
	alone   bool // no virtual router has part in it
	patient bool // it waits for as long as the timers of the routers outside the cluster need, not for as long as it was told
	crossed
}

// cross does the step, or says why not. Whatever happens, the answer says in which mode the VIP is.
func (a *app) cross(ctx context.Context, c *client.Client, way crossing.Way, vip string, f crossingFlags) error {
	r := crossedBy{app: a, client: c, way: way, vip: vip, flags: f, began: time.Now()}
	s, err := c.Sight(ctx, vip)
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted: nothing is changed")
	case err != nil:
		return err
	}
	r.crossed = crossed{VIP: vip, Way: way, Mode: s.VIPs[0].Mode, Objections: []crossing.Objection{}}
	for _, v := range s.VIPs {
		r.VIPs = append(r.VIPs, v.Name)
	}
	r.alone = len(s.Routers) == 0
	if r.patient = r.flags.wait == 0; r.patient {
		r.flags.wait = crossing.Patience(way, s).Round(time.Second)
	}
	if crossing.There(way, s) {
		return r.there(ctx, s.Version)
	}
	if begin, err := r.judge(ctx, s); !begin {
		return err
	}
	// Who loses the terminal, or whoever reads along, has begun it all the same: it goes on, and is undone where it fails.
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	defer signal.Reset(syscall.SIGHUP, syscall.SIGPIPE)
	set, err := a.setMode(ctx, c, vip, way, s.Version, f.limit)
	if refused := new(api.Error); errors.As(err, &refused) && refused.Status == http.StatusConflict {
		if s, lookErr := c.Sight(ctx, vip); lookErr == nil && crossing.There(way, s) { // another one has begun it in the same moment; undoing is its matter
			return r.there(ctx, s.Version)
		}
	}
	if err != nil {
		return err
	}
	r.Mode, r.Write = way.Mode(), set.Write
	a.say("%s: the mode is %s now (configuration version %d).\n", r.all(), r.Mode, set.Version)
	if r.flags.wait > longWait {
		a.say("It takes up to %v to be sure, by the timers of the routers outside the cluster; Ctrl-C leaves it as it is.\n", r.flags.wait)
	}
	return r.sure(ctx, set.Version)
}

// all are the VIPs that can only go together.
func (r *crossedBy) all() string {
	if n := len(r.VIPs) - mostVIPs; n > 0 {
		return fmt.Sprintf("%s and %s more", strings.Join(r.VIPs[:mostVIPs], ", "), plural(n, "VIP"))
	}
	return strings.Join(r.VIPs, ", ")
}

// back is how it is taken back.
func (r *crossedBy) back() string {
	if r.alone && r.way == crossing.Takeover { // a giveback is to somebody
		return "mode = \"shadow\" in its configuration takes it back"
	}
	return fmt.Sprintf("`quorate vrrp %s %s` takes it back", r.way.Back(), r.vip)
}

// end says how it ended.
func (r *crossedBy) end(err error, note string, args ...any) error {
	r.Note, r.TookMS = fmt.Sprintf(note, args...), time.Since(r.began).Milliseconds()
	if perr := r.print(r.crossed, func(w io.Writer) {
		for _, l := range r.Write {
			fmt.Fprintf(w, "Write into the configuration file, or the next apply takes it back: %s\n", l)
		}
		fmt.Fprintln(w, r.Note)
	}); perr != nil && !errors.Is(perr, syscall.EPIPE) { // nobody reads on; the exit code says how it ended
		return perr
	}
	return err
}

// there looks whether all is as it should be where the mode is the wanted one already. It changes nothing.
func (r *crossedBy) there(ctx context.Context, version uint64) (err error) {
	r.Mode = r.way.Mode()
	r.say("%s is %s already: nothing is changed.\n", r.all(), r.Mode)
	if r.flags.check {
		r.Done = true
		return r.end(nil, "There is nothing to do.")
	}
	r.Steps, err = r.watch(ctx, r.client, r.way, r.vip, r.flags.wait, &version)
	switch {
	case crossing.Done(r.Steps) && err == nil:
		r.Done = true
		return r.end(nil, "All is as it should be; %s.", r.back())
	case errors.Is(err, errMoved):
		return r.moved(ctx)
	case ctx.Err() != nil:
		return r.end(errSaid, "Interrupted: nothing is changed, and %s is %s; %s.", r.all(), r.Mode, r.back())
	}
	return r.end(errSaid, "Not all is as it should be. Nothing is changed: %s is %s and stays so; %s.", r.all(), r.Mode, r.back())
}

// judge says what speaks against it, and whether it is begun.
func (r *crossedBy) judge(ctx context.Context, s api.Sight) (begin bool, err error) {
	r.Objections = append(r.Objections, crossing.Against(r.way, s)...)
	blocked := 0
	for i, o := range r.Objections {
		if o.Blocks {
			blocked++
		}
		if i == mostObjections {
			r.say("and %d more: --output json has all of them\n", len(r.Objections)-i)
		}
		if i >= mostObjections {
			continue
		}
		head := r.paint(warn, "note:")
		if o.Blocks {
			head = r.paint(bad, "against it:")
		}
		r.say("%s %s\n", head, oneLine(o.Text))
	}
	switch {
	case blocked > 0 && (r.flags.check || !r.flags.force):
		return false, r.end(errSaid, "Nothing is changed: %s against it. With --force it is done all the same.", plural(blocked, "reason"))
	case r.flags.check:
		return false, r.end(nil, "Nothing speaks against the %s of %s.", r.way, r.all())
	case ctx.Err() != nil:
		return false, r.end(errSaid, "Nothing is changed: it was interrupted.")
	}
	return true, nil
}

// sure makes sure of what was begun, or undoes it. version is that of the configuration with which it began.
func (r *crossedBy) sure(ctx context.Context, version uint64) (err error) {
	r.Steps, err = r.watch(ctx, r.client, r.way, r.vip, r.flags.wait, &version)
	switch {
	case crossing.Done(r.Steps) && err == nil:
		r.Done = true
		return r.end(nil, "Done: the %s of %s is made sure of; %s.", r.way, r.all(), r.back())
	case errors.Is(err, errMoved):
		return r.moved(ctx)
	case ctx.Err() != nil:
		return r.end(errSaid, "Interrupted: %s is %s and stays so, and it is not made sure of: `quorate vrrp %s %s` looks again; %s.", r.all(), r.Mode, r.way, r.vip, r.back())
	case !r.flags.rollback:
		return r.end(errSaid, "Not made sure of: within %v it was not as it should be. %s is %s and stays so; %s.", r.flags.wait, r.all(), r.Mode, r.back())
	}
	r.say("Not made sure of: within %v it was not as it should be. It is undone.\n", r.flags.wait)
	if err := r.undo(ctx, version); err != nil {
		return r.end(errSaid, "It could not be undone: %s is %s, and the cluster acts on that as soon as it can; %s. %v", r.all(), r.Mode, r.back(), err)
	}
	r.Mode, r.RolledBack, r.Write = r.way.Back().Mode(), true, nil
	r.say("%s: the mode is %s again.\n", r.all(), r.Mode)
	wait := r.flags.wait
	if s, err := r.client.Sight(ctx, r.vip); err == nil && r.patient {
		wait = max(wait, crossing.Patience(r.way.Back(), s).Round(time.Second))
	}
	steps, err := r.watch(ctx, r.client, r.way.Back(), r.vip, wait, &version)
	if err != nil || !crossing.Done(steps) {
		return r.end(errSaid, "Undone: %s is %s again, but that is not made sure of: look at `quorate status` and at the routers outside the cluster.", r.all(), r.Mode)
	}
	return r.end(errSaid, "Undone: everything is as it was before, %s is %s again.", r.all(), r.Mode)
}

// undo changes the mode back, also where somebody has applied a configuration right now that has nothing to do with it.
func (r *crossedBy) undo(ctx context.Context, version uint64) error {
	for tries := 1; ; tries++ {
		_, err := r.setMode(ctx, r.client, r.vip, r.way.Back(), version, r.flags.limit)
		if refused := new(api.Error); tries == undoTries || !errors.As(err, &refused) || refused.Status != http.StatusConflict {
			return err
		}
		s, lookErr := r.client.Sight(context.WithoutCancel(ctx), r.vip)
		if lookErr != nil {
			return err
		}
		version = s.Version
	}
}

// moved ends it where another has changed the modes meanwhile: what is so now is that one's matter.
func (r *crossedBy) moved(ctx context.Context) error {
	r.Mode, r.Write = "", nil
	if s, err := r.client.Sight(context.WithoutCancel(ctx), r.vip); err == nil {
		r.Mode = s.VIPs[0].Mode
	}
	return r.end(errSaid, "Somebody has taken it back meanwhile, or applied another configuration: look at `quorate vip show %s`; nothing more is changed.", r.vip)
}

// say tells what happens as it happens; as JSON all is said at the end.
func (a *app) say(format string, args ...any) {
	if a.output != "json" {
		fmt.Fprintf(a.out, format, args...)
	}
}

// setMode changes the mode. Once it is asked for it is not interrupted: what has become of it would not be known. Where the answer does not say, as when the leader was
// lost meanwhile, the cluster is asked what it has, and only when it has not changed is it asked for once more.
func (a *app) setMode(ctx context.Context, c *client.Client, vip string, way crossing.Way, base uint64, limit time.Duration) (api.ModeSet, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
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
				rest(ctx, lookPause)
				continue
			case crossing.There(way, s):
				return api.ModeSet{Version: s.Version, Changed: []string{vip}, Write: []string{"the modes that `quorate export` shows"}}, nil
			case s.Version != base:
				return set, fmt.Errorf("the mode of %s is not changed, and somebody has applied another configuration: %w", vip, err)
			}
			break
		}
		rest(ctx, lookPause)
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
	said, pause := map[string]bool{}, max(lookPause, wait/500)
	for {
		s, err := c.Sight(ctx, vip)
		refused := new(api.Error)
		switch {
		case ctx.Err() != nil:
		case errors.As(err, &refused) && refused.Status == http.StatusNotFound:
			return steps, errMoved
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
		if rest(ctx, pause) {
			continue
		}
		for _, x := range steps {
			if !x.Done {
				a.say("  %s %-8s %s\n", a.paint(bad, "--"), x.Name, oneLine(x.Text))
			}
		}
		if len(steps) == 0 {
			steps = []crossing.Step{{Name: "look", Text: "the nodes were not asked in time"}}
		}
		return steps, nil
	}
}

// rest waits for d; false if ctx ended meanwhile.
func rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
