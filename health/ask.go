package health

import (
	"context"
)

// Ask probes a target once, from this machine's network, and says what an engine would have seen. Texts are as in a State. Targets with a Through
// are not asked. ctx may end it earlier than the target's timeout.
func Ask(ctx context.Context, t Target) (Answer, error) {
	t = t.withDefaults()
	p, ok := probers(dialTarget, nil)[t.Type]
	if !ok {
		p = unknownProber{}
	}
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	a, err := p.Probe(ctx, t)
	a.Detail = tidy(a.Detail)
	if err != nil {
		err = tidied{err}
	}
	return a, err
}

// tidied is an error with a text that is fit for a line.
type tidied struct{ error }

func (e tidied) Error() string { return tidy(e.error.Error()) }
func (e tidied) Unwrap() error { return e.error }
