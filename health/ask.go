package health

import (
	"context"
)

// Asker asks targets once each, without an engine. Its methods may be called from any goroutine.
type Asker struct{ probers map[Type]Prober }

// NewAsker returns one that asks from this machine's network, and this machine itself by the means given.
func NewAsker(l Local) Asker {
	return Asker{withLocal(probers(dialTarget, nil), l)}
}

// Ask probes a target once, and says what an engine would have seen. Texts are as in a State. Targets with a Through
// are not asked. ctx may end it earlier than the target's timeout.
func (a Asker) Ask(ctx context.Context, t Target) (Answer, error) {
	t = t.withDefaults()
	p, ok := a.probers[t.Type]
	if !ok {
		p = unknownProber{}
	}
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	x, err := p.Probe(ctx, t)
	x.Detail = tidy(x.Detail)
	if err != nil {
		err = tidied{err}
	}
	return x, err
}

// Inspect says what the target needs of this machine and does not find; see the function of that name.
func (a Asker) Inspect(t Target) error {
	if i, ok := a.probers[t.Type].(inspector); ok {
		return i.Inspect(t.withDefaults())
	}
	return nil
}

// Ask is Asker.Ask without the means to ask this machine itself.
func Ask(ctx context.Context, t Target) (Answer, error) { return NewAsker(Local{}).Ask(ctx, t) }

// tidied is an error with a text that is fit for a line.
type tidied struct{ error }

func (e tidied) Error() string { return tidy(e.error.Error()) }
func (e tidied) Unwrap() error { return e.error }
