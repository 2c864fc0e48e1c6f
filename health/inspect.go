package health

import "time"

// inspector is a Prober that needs something of this machine before it can ask: files, programs.
type inspector interface {
	// Inspect says what is missing, each fault with its cure.
	Inspect(t Target) error
}

// Inspect says what the target needs of this machine and does not find: the same that has a probe of it end with ErrNotAsked. It asks no server.
func Inspect(t Target) error {
	t = t.withDefaults()
	p, ok := probers(nil, nil)[t.Type]
	if !ok {
		p = unknownProber{}
	}
	if i, ok := p.(inspector); ok {
		return i.Inspect(t)
	}
	return nil
}

// inspectTLS is the Inspect of a prober that speaks TLS.
func inspectTLS(t Target) error { return t.TLS.inspect(time.Now()) }
