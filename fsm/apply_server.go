package fsm

import (
	"fmt"
	"time"
)

func (e *entry) setAdmin(c SetAdmin) error {
	switch c.Admin {
	case Enabled, Drain, Disabled:
	default:
		return fmt.Errorf("server state %q: %w: use %q, %q or %q", clip(string(c.Admin), 80), ErrInvalid, Enabled, Drain, Disabled)
	}
	if t := c.Timeout; t != nil && (c.Admin != Drain || *t != 0 && *t < time.Second || *t > MaxDrainTimeout) {
		return fmt.Errorf("timeout %v of server %s: %w: a drain may have one of 1s to %v, or 0 for none",
			*t, clip(c.Server.String(), 160), ErrInvalid, MaxDrainTimeout)
	}
	was, ok := e.next.Servers[c.Server]
	if !ok {
		return fmt.Errorf("server %s: %w; `quorate server list` shows them", clip(c.Server.String(), 160), ErrUnknown)
	}
	if was.Admin == c.Admin && (c.Admin != Drain || c.Timeout == nil) {
		return nil
	}
	st := was
	st.Admin, st.Why, st.Drain, st.Deadline, st.Quiet = c.Admin, "", 0, time.Time{}, nil
	var text string
	switch c.Admin {
	case Enabled:
		text = "%s is enabled: it gets new connections again when it is up"
		// It was out of the table, as one that was down.
		if was.Admin == Disabled {
			st.Recovered = time.Time{}
			if st.Verdict == Up && e.next.recovers(e.next.Config.Services[c.Server.Service], c.Server) {
				st.Recovered = e.at
			}
		}
	case Disabled:
		text = "%s is disabled: no connections"
	case Drain:
		text = "%s is drained: no new connections, established ones go on" + e.drain(&st, c)
	}
	e.setServer(c.Server, st)
	e.event(Event{Kind: EventServer, Server: c.Server.String(), Text: fmt.Sprintf(text, c.Server)})
	return nil
}

// drain notes when the drain of a server ends, and is the end of a sentence about it.
func (e *entry) drain(st *ServerState, c SetAdmin) string {
	if e.next.Schema < schemaLVS {
		return ""
	}
	limit := e.next.Config.Services[c.Server.Service].DrainTimeout
	if c.Timeout != nil {
		limit = *c.Timeout
	}
	st.Drain = e.index
	if limit == 0 {
		return ""
	}
	st.Deadline = e.at.Add(limit)
	return fmt.Sprintf(" for %v at the most", limit)
}

// setServer changes the state of a server.
func (e *entry) setServer(k ServerKey, st ServerState) {
	e.servers()[k] = st
	if e.unsettled == nil {
		e.unsettled = map[string]bool{}
	}
	e.unsettled[k.Service] = true
}

func (e *entry) setHealth(c SetHealth) error {
	for _, v := range c.Verdicts {
		if v.Verdict != Up && v.Verdict != Down && v.Verdict != Unknown {
			return fmt.Errorf("verdict %q of server %s: %w", clip(string(v.Verdict), 80), clip(v.Server.String(), 160), ErrInvalid)
		}
	}
	before := *e.next // what comes back in one entry comes back together
	for _, v := range c.Verdicts {
		st, ok := e.next.Servers[v.Server]
		svc := e.next.Config.Services[v.Server.Service]
		// A late verdict must not take out a server whose service has no checks any more: nobody would take it back.
		if !ok || len(svc.Checks) == 0 {
			continue
		}
		if v.Asked = v.Asked.cleaned(); v.Verdict != Up {
			v.Asked = Asked{}
		}
		if v.Asked != st.Asked {
			e.ask(v.Server, &st, svc, v)
		}
		if st.Verdict == v.Verdict {
			continue
		}
		text := fmt.Sprintf("%s: %s → %s", v.Server, st.Verdict, v.Verdict)
		// A server that is new, with its service or by a change of the configuration, has not come back from anywhere.
		back := st.Verdict == Down && v.Verdict == Up && !st.Kept && before.recovers(svc, v.Server)
		if st.Recovered = (time.Time{}); back {
			st.Recovered = e.at
		}
		if st.Verdict == Up && v.Verdict == Down && e.next.believes() {
			st = svc.Health.fallen(st, e.at)
			e.fall(v.Server)
		}
		st.Verdict, st.Detail, st.Since = v.Verdict, clip(v.Detail, 512), e.at
		if st.Detail != "" {
			text += ": " + st.Detail
		}
		e.setServer(v.Server, st)
		e.event(Event{Kind: EventHealth, Server: v.Server.String(), Text: text})
	}
	return nil
}

// ask notes another weight that a server asks for. Only that it begins or ceases to ask for no connections is news.
func (e *entry) ask(k ServerKey, st *ServerState, svc Service, v ServerVerdict) {
	weight := 0
	for _, server := range svc.Servers {
		if server.Address == k.Address {
			weight = server.Weight
		}
	}
	was, is := st.Asked.Of(weight), v.Asked.Of(weight)
	st.Asked, st.AskedAt = v.Asked, e.at
	e.setServer(k, *st)
	if v.Verdict != Up || st.Verdict != Up || (was == 0) == (is == 0) {
		return
	}
	text := fmt.Sprintf("%s asks for no new connections (%s)", k, v.Asked)
	if is > 0 {
		text = fmt.Sprintf("%s asks for new connections again", k)
	}
	e.event(Event{Kind: EventHealth, Server: k.String(), Text: text})
}

// fall notes that the server went down with this entry.
func (e *entry) fall(k ServerKey) {
	if e.fallen == nil {
		e.fallen = map[ServerKey]bool{}
	}
	e.fallen[k] = true
}
