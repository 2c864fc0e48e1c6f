package matrix

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"quorate/api"
	"quorate/integration/lab"
	"quorate/vip/gate"
)

// Result is what one fault did.
type Result struct {
	Row    string
	From   string        // who owned the VIPs
	Owners []string      // by decision, the first one first
	Gap    time.Duration // the longest time without an answer; of an outcome Ends, from the healing to the first answer
	Lost   int           // pings
	Dual   time.Duration // time from a new owner's first frame to the last of an earlier one; of a Foreign row, of its claims
	Apart  time.Duration // the shortest time between an owner's last claim and the next one's first; 0 = nothing moved
	Silent time.Duration // of an outcome Ends: from the fault to the owner's last frame
	Broken []string      // what is not as it must be
	Noted  []string      // what would be broken if this machine, or the fence of this cluster, were better
}

// String is one line for a person.
func (r Result) String() string {
	text := fmt.Sprintf("%q, silent for %s, %d pings lost, two owners for %s", r.Owners, lab.Millis(r.Gap), r.Lost, lab.Millis(r.Dual))
	if r.Apart > 0 {
		text += fmt.Sprintf(", claims %s apart", lab.Millis(r.Apart))
	}
	if r.Silent > 0 {
		text += fmt.Sprintf(", the owner spoke for %s", lab.Millis(r.Silent))
	}
	return text
}

const (
	settle      = 500 * time.Millisecond // after the cluster is whole again
	startUp     = 200 * time.Millisecond // of the pings before the fault
	patience    = 45 * time.Second       // for each wait
	moveLimit   = 5 * time.Second        // until another owner answers, on a machine that is busy
	growthLimit = 50                     // goroutines, and open files
)

// Once makes the fault, heals it, and says what came of it. An error means that there is no result: what was waited for
// did not come about, or the capture is no proof.
func (t *Trial) Once(ctx context.Context, row Row) (Result, error) {
	hold := row.Hold
	if t.brief && row.Brief > 0 {
		hold = row.Brief
	}
	ctx, cancel := context.WithTimeout(ctx, 3*patience+hold)
	defer cancel()
	s, err := t.place(ctx, row.Lead)
	if err != nil {
		return Result{}, fmt.Errorf("before %s: %w", row.Name, err)
	}
	r := run{Strike: s, row: row, hold: hold, result: Result{Row: row.Name, From: s.Owner.Name}}
	if err := r.do(ctx); err != nil {
		return r.result, fmt.Errorf("%s: %w", row.Name, err)
	}
	return r.result, nil
}

// run is one fault from its beginning to the verdict.
type run struct {
	*Strike
	row    Row
	hold   time.Duration
	result Result

	since  uint64 // entry before the fault
	fence  string // the weakest among the nodes
	ping   *lab.Probe
	began  lab.Instant
	healed lab.Instant
}

func (r *run) do(ctx context.Context) error {
	before, err := r.Bed.Status(ctx)
	if err != nil {
		return err
	}
	r.since, r.fence = before.Index, weakest(before)
	every := pingEvery
	if r.hold > time.Minute {
		every *= 2 // a probe has 65,536 pings
	}
	if r.ping, err = r.Bed.Client.StartProbe(VIPs()[0], every); err != nil {
		return err
	}
	defer r.ping.Close()
	if err := r.answered(ctx, lab.Now()); err != nil {
		return err
	}
	if err := lab.Sleep(ctx, startUp); err != nil {
		return err
	}
	if err := r.strike(ctx); err != nil {
		return err
	}
	if _, err := r.whole(ctx); err != nil {
		return err
	}
	if err := r.answered(ctx, lab.Now()); err != nil {
		return err
	}
	if err := lab.Sleep(ctx, settle); err != nil {
		return err
	}
	after, err := r.whole(ctx) // a fence may have been under way before
	if err != nil {
		return err
	}
	window := lab.Span{From: r.began, To: lab.Now()}
	r.noticed(window)
	if err := r.judge(ctx, window); err != nil {
		return err
	}
	return r.state(ctx, after)
}

// strike makes the fault, lets it last, and heals it in any case.
func (r *run) strike(ctx context.Context) error {
	r.began = lab.Now()
	err := r.row.Begin(ctx, r.Strike)
	if err == nil && r.row.Then == Moves {
		err = r.moved(ctx)
	}
	if err == nil {
		err = lab.Sleep(ctx, r.hold-lab.Since(r.began))
	}
	r.healed = lab.Now()
	if r.row.Heal != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		err = errors.Join(err, r.row.Heal(ctx, r.Strike))
	}
	return err
}

// moved waits until another node than the owner speaks for the VIPs and the client hears it.
func (r *run) moved(ctx context.Context) error {
	others := names(r.Others)
	for _, a := range VIPs() {
		err := lab.Await(ctx, time.Millisecond, func(context.Context) error {
			if len(r.capture.Frames(a, lab.Span{From: r.began, To: lab.Now()}, others...)) == 0 {
				return fmt.Errorf("no other node than %s speaks for %s", r.Owner.Name, a)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return r.answered(ctx, lab.Now())
}

func (r *run) answered(ctx context.Context, since lab.Instant) error {
	return answers(ctx, r.ping, since)
}

// answers waits until a ping was answered at or after a moment.
func answers(ctx context.Context, p *lab.Probe, since lab.Instant) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return lab.Await(ctx, time.Millisecond, func(context.Context) error {
		if !p.Answered(since) {
			return fmt.Errorf("%s does not answer the client", p.Target)
		}
		return nil
	})
}

// noticed is what the client saw.
func (r *run) noticed(window lab.Span) {
	r.result.Lost = r.ping.Lost(lab.Span{From: window.From, To: window.To.Add(-20 * time.Millisecond)}) // the last may be under way
	gap := r.ping.Gap(window)
	if r.row.Then == Ends {
		gap = r.ping.Gap(lab.Span{From: r.healed, To: window.To})
		for _, f := range r.capture.Frames(VIPs()[0], lab.Span{From: r.began, To: r.healed}, r.Owner.Name) {
			r.result.Silent = f.At.Sub(r.began)
		}
	}
	r.result.Gap = gap.Duration()
}

// judge compares what was on the wire with what was decided.
func (r *run) judge(ctx context.Context, window lab.Span) error {
	hosts := names(r.Bed.Directors)
	grace := time.Duration(0)
	if r.row.Planned {
		grace = linger
	}
	for i, a := range VIPs() {
		owners, err := r.decided(ctx, []string{vipName, "web6"}[i], r.since, r.Owner.ID())
		if err != nil {
			return err
		}
		if i == 0 {
			r.result.Owners = owners
		}
		for _, h := range r.capture.Handovers(a, window, hosts...) {
			if apart := h.First.At.Sub(h.Last.At); r.result.Apart == 0 || apart < r.result.Apart {
				r.result.Apart = apart
			}
		}
		if o := r.capture.Overlap(a, window, owners, grace, hosts...); o.Frames > 0 {
			r.result.Dual = max(r.result.Dual, o.Lasted)
			r.overlapped(a, o, window)
		}
		if r.row.Foreign {
			o := r.capture.Overlap(a, window, owners, 0, append(hosts, r.squatter.Name)...)
			r.result.Dual = max(r.result.Dual, o.Lasted)
		}
		switch moved := len(owners) > 1; {
		case r.row.Then == Moves && !moved:
			r.broken("%s was not given to another node", a)
		case r.row.Then == Stays && moved:
			r.strained(window, "%s was moved without need: %q", a, owners)
		}
	}
	if r.row.Then == Ends && r.result.Silent > time.Second {
		r.strained(window, "the owner spoke for %s without a majority", lab.Millis(r.result.Silent))
	}
	if r.row.Then == Moves && r.result.Gap > moveLimit {
		r.broken("silent for %s", lab.Millis(r.result.Gap))
	}
	return r.capture.Err()
}

// overlapped judges two owners of an address. A node whose only fence is the lifetime of its addresses, in whole seconds, cannot
// keep the promise when its agent is gone or gets no processor, and says so in its status.
func (r *run) overlapped(a netip.Addr, o lab.Overlap, window lab.Span) {
	const lifetime = 4 * time.Second
	dead := r.row.Name == "kill" || r.row.Name == "freeze"
	switch {
	case r.fence == lifetimeOnly && dead && o.Lasted < lifetime:
		r.note("%s: %s; the fence of the nodes is %q", a, o, r.fence)
	case r.fence == lifetimeOnly:
		r.strained(window, "%s: %s", a, o)
	default:
		r.broken("%s: %s", a, o)
	}
}

// strained notes what may be this machine's doing, and is broken otherwise.
func (r *run) strained(window lab.Span, format string, args ...any) {
	if wait := r.strain.Longest(window); wait.Length > 50*time.Millisecond {
		r.note(format+"; but %s", append(args, wait)...)
		return
	}
	r.broken(format, args...)
}

func (r *run) broken(format string, args ...any) {
	r.result.Broken = append(r.result.Broken, fmt.Sprintf(format, args...))
}

func (r *run) note(format string, args ...any) {
	r.result.Noted = append(r.result.Noted, fmt.Sprintf(format, args...))
}

// state looks at what the fault left behind.
func (r *run) state(ctx context.Context, s api.Status) error {
	for _, d := range r.Bed.Directors {
		for _, v := range s.VIPs {
			has, err := d.Carries(v.Address)
			if err != nil {
				return err
			}
			if owns := v.Owner == d.ID(); has != owns {
				r.broken("after it %s owns %s: %v, and carries it: %v", d.Name, v.Address, owns, has)
			}
		}
		now, err := use(ctx, d)
		if err != nil {
			return err
		}
		first := r.agents[d.Name]
		if now.goroutines > first.goroutines+growthLimit {
			r.broken("the agent of %s has %.0f goroutines, at first it had %.0f", d.Name, now.goroutines, first.goroutines)
		}
		if now.files > first.files+growthLimit {
			r.broken("the agent of %s has %.0f open files, at first it had %.0f", d.Name, now.files, first.files)
		}
		if !slices.Equal(now.gate, first.gate) {
			r.broken("the kernel of %s has of the gate %q, at first it had %q", d.Name, now.gate, first.gate)
		}
	}
	if now := weakest(s); now != r.fence {
		r.broken("the fence was %q and is %q", r.fence, now)
	}
	return nil
}

// lifetimeOnly is the fence that a dead agent outlasts.
const lifetimeOnly = string(gate.KindLifetime)

// weakest is the kind of the weakest fence of a cluster: its nodes differ, or one has but the lifetime.
func weakest(s api.Status) string {
	kind := ""
	for _, n := range s.Nodes {
		if kind == "" || n.Fence.Kind == lifetimeOnly {
			kind = n.Fence.Kind
		}
	}
	return kind
}

func names(list []*lab.Director) []string {
	var out []string
	for _, d := range list {
		out = append(out, d.Name)
	}
	return slices.Clip(out)
}
