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
	"quorate/fsm"
)

// crossedBy is one run of a step.
type crossedBy struct {
	*app
	client  *client.Client
	way     crossing.Way
	vip     string
	flags   crossingFlags
	began   time.Time
	was     fsm.Modes // as they were written before
	rest    []string  // VIPs that go together with those that it is about, and have the other mode
	alone   bool      // no virtual router has part in it
	changed bool      // it was begun: those have one mode now
	patient bool      // it waits for as long as the timers of the routers outside the cluster need, not for as long as it was told
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
	r.crossed = crossed{VIP: vip, Way: way, Mode: crossing.ModeOf(s), Objections: []crossing.Objection{}}
	r.VIPs, r.rest = crossing.Part(s)
	s, r.was = crossing.Of(s, r.VIPs), s.Modes
	r.alone = len(s.Routers) == 0
	if r.patient = r.flags.wait == 0; r.patient {
		r.flags.wait = crossing.Patience(way, s).Round(time.Second)
	}
	if crossing.There(way, s) {
		return r.there(ctx, s.Version)
	}
	if len(r.rest) > 0 {
		r.say("%s %s, which goes together with %s, is %s already: nothing of that is changed.\n", r.paint(warn, "note:"), firstOf(r.rest), r.all(), way.Mode())
	}
	if begin, err := r.judge(ctx, s); !begin {
		return err
	}
	// Who loses the terminal, or whoever reads along, has begun it all the same: it goes on, and is undone where it fails.
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	defer signal.Reset(syscall.SIGHUP, syscall.SIGPIPE)
	set, err := r.setMode(ctx, way, s.Version, nil)
	if conflict(err) {
		if s, lookErr := r.lookOnce(ctx); lookErr == nil && crossing.There(way, s) { // another one has begun it in the same moment; undoing is its matter
			r.rest = nil // all have that mode now
			return r.there(ctx, s.Version)
		}
	}
	if errors.Is(err, errUnknown) {
		return fmt.Errorf("it is not known whether the mode of %s is %s now: look at `quorate vip show %s`: %w", vip, way.Mode(), vip, err)
	}
	if err != nil {
		return err
	}
	r.Mode, r.Write, r.changed = way.Mode(), set.Write, true
	a.say("%s: the mode is %s now (configuration version %d).\n", r.all(), r.Mode, set.Version)
	if r.flags.wait > longWait {
		by := ""
		if r.patient {
			by = ", by the timers of the routers outside the cluster"
		}
		a.say("It takes up to %v to be sure%s; Ctrl-C leaves it as it is.\n", r.flags.wait, by)
	}
	return r.sure(ctx, set.Version)
}

// look is what is seen of the VIPs that it is about.
func (r *crossedBy) look(ctx context.Context) (api.Sight, error) {
	s, err := r.client.Sight(ctx, r.vip)
	return crossing.Of(s, r.VIPs), err
}

// lookOnce looks for no longer than an answer may take.
func (r *crossedBy) lookOnce(ctx context.Context) (api.Sight, error) {
	ctx, cancel := context.WithTimeout(ctx, r.flags.limit)
	defer cancel()
	return r.look(ctx)
}

// all are the VIPs that it is about.
func (r *crossedBy) all() string { return firstOf(r.VIPs) }

func firstOf(vips []string) string {
	if n := len(vips) - mostVIPs; n > 0 {
		return fmt.Sprintf("%s and %s more", strings.Join(vips[:mostVIPs], ", "), plural(n, "VIP"))
	}
	return strings.Join(vips, ", ")
}

// back is how it is taken back.
func (r *crossedBy) back() string {
	if r.alone && r.way == crossing.Takeover { // a giveback is to somebody
		return "mode = \"shadow\" in its configuration takes it back"
	}
	back := fmt.Sprintf("`quorate vrrp %s %s` takes it back", r.way.Back(), r.vip)
	if r.changed && len(r.rest) > 0 {
		back += ", and " + firstOf(r.rest) + " with it"
	}
	return back
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
	if len(r.rest) > 0 {
		r.say("%s %s, which goes together with it, is in mode %s: name that to change it.\n", r.paint(warn, "note:"), firstOf(r.rest), r.way.Back().Mode())
	}
	if r.flags.check {
		r.Done = true
		return r.end(nil, "There is nothing to do.")
	}
	r.Steps, err = r.watch(ctx, r.way, r.flags.wait, &version)
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
	blocked, how := 0, " With --force it is done all the same."
	for i, o := range r.Objections {
		if o.Blocks {
			blocked++
		}
		if o.Code == crossing.Refused {
			how = " What the configuration is refused for is refused with --force, too."
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
		return false, r.end(errSaid, "Nothing is changed: %s against it.%s", plural(blocked, "reason"), how)
	case r.flags.check:
		return false, r.end(nil, "Nothing speaks against the %s of %s.", r.way, r.all())
	case ctx.Err() != nil:
		return false, r.end(errSaid, "Nothing is changed: it was interrupted.")
	}
	return true, nil
}

// sure makes sure of what was begun, or undoes it. version is that of the configuration with which it began.
func (r *crossedBy) sure(ctx context.Context, version uint64) (err error) {
	r.Steps, err = r.watch(ctx, r.way, r.flags.wait, &version)
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
	set, err := r.undo(ctx, version)
	switch {
	case errors.Is(err, errUnknown):
		r.Mode, r.Write = "", nil
		return r.end(errSaid, "It is not known whether it was undone: look at `quorate vip show %s`; `quorate vrrp %s %[1]s` undoes it. %[3]v", r.vip, r.way.Back(), err)
	case err != nil:
		return r.end(errSaid, "It could not be undone: %s is %s, and the cluster acts on that as soon as it can; %s. %v", r.all(), r.Mode, r.back(), err)
	}
	r.Mode, r.RolledBack, r.Write = r.way.Back().Mode(), true, set.Write
	r.say("%s: the mode is %s again.\n", r.all(), r.Mode)
	wait := r.flags.wait
	if s, err := r.lookOnce(ctx); err == nil && r.patient {
		wait = max(wait, crossing.Patience(r.way.Back(), s).Round(time.Second))
	}
	steps, err := r.watch(ctx, r.way.Back(), wait, &set.Version)
	switch {
	case err != nil || !crossing.Done(steps):
		return r.end(errSaid, "Undone: %s is %s again, but that is not made sure of: look at `quorate status` and at the routers outside the cluster.", r.all(), r.Mode)
	case len(r.Write) > 0: // another configuration was applied meanwhile
		return r.end(errSaid, "Undone: %s is %s again.", r.all(), r.Mode)
	}
	return r.end(errSaid, "Undone: everything is as it was before, %s is %s again.", r.all(), r.Mode)
}

// undo puts the modes back, also where somebody has applied a configuration right now that has nothing to do with it.
func (r *crossedBy) undo(ctx context.Context, version uint64) (api.ModeSet, error) {
	for tries := 1; ; tries++ {
		set, err := r.setMode(ctx, r.way.Back(), version, &api.ModeUndo{VIPs: r.VIPs, Was: r.was})
		if tries == undoTries || !conflict(err) {
			return set, err
		}
		s, lookErr := r.lookOnce(context.WithoutCancel(ctx))
		if lookErr != nil {
			return set, err
		}
		version = s.Version
	}
}

// conflict reports whether a change was refused since the configuration is another one by now.
func conflict(err error) bool {
	var refused *api.Error
	return errors.As(err, &refused) && refused.Status == http.StatusConflict
}

// moved ends it where another has changed the modes meanwhile: what is so now is that one's matter.
func (r *crossedBy) moved(ctx context.Context) error {
	r.Mode, r.Write = "", nil
	if s, err := r.lookOnce(context.WithoutCancel(ctx)); err == nil {
		r.Mode = crossing.ModeOf(s)
	}
	return r.end(errSaid, "Somebody has taken it back meanwhile, or applied another configuration: look at `quorate vip show %s`; nothing more is changed.", r.vip)
}

// say tells what happens as it happens; as JSON all is said at the end.
func (a *app) say(format string, args ...any) {
	if a.output != "json" {
		fmt.Fprintf(a.out, format, args...)
	}
}

// errUnknown: no answer says what has become of a change.
var errUnknown = errors.New("no answer says what has become of it")

// setMode changes the mode, or undoes a change. Once it is asked for it is not interrupted: what has become of it would not be known. Where the answer does not say, as when
// the leader was lost meanwhile, the cluster is asked what it has, and only while it has not changed is it asked for once more. What was asked for before may still come later,
// out of the socket of a leader that stood still: of the same base but one is ever agreed on, and where another of ours is refused for that, it was ours that is.
func (r *crossedBy) setMode(ctx context.Context, way crossing.Way, base uint64, undo *api.ModeUndo) (api.ModeSet, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.flags.limit)
	defer cancel()
	for unsure := false; ; unsure = true {
		set, err := r.client.SetMode(ctx, r.vip, api.ModeRequest{Mode: way.Mode(), Base: base, Undo: undo})
		var refused *api.Error
		if err == nil || errors.As(err, &refused) && refused.Status < http.StatusInternalServerError && !(unsure && conflict(err)) {
			return set, err
		}
		for {
			s, lookErr := r.look(ctx)
			switch {
			case ctx.Err() != nil:
				if errors.Is(err, context.DeadlineExceeded) {
					return set, errUnknown
				}
				return set, fmt.Errorf("%w: %w", errUnknown, err)
			case lookErr != nil:
				rest(ctx, lookPause)
				continue
			case crossing.There(way, s):
				set = api.ModeSet{Version: s.Version, Changed: r.VIPs}
				if undo == nil || !undo.Was.Equal(s.Modes) {
					set.Write = []string{"the modes that `quorate export` shows"}
				}
				return set, nil
			case s.Version != base:
				return set, fmt.Errorf("the mode of %s is not changed, and somebody has applied another configuration: %w", r.vip, err)
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
func (r *crossedBy) watch(ctx context.Context, way crossing.Way, wait time.Duration, version *uint64) (steps []crossing.Step, err error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	said, pause := map[string]bool{}, max(lookPause, wait/500)
	for {
		s, err := r.look(ctx)
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
					r.say("  %s %-8s %s (%v)\n", r.paint(good, "ok"), x.Name, oneLine(x.Text), time.Since(began).Round(10*time.Millisecond))
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
				r.say("  %s %-8s %s\n", r.paint(bad, "--"), x.Name, oneLine(x.Text))
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
