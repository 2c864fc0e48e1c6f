package fsm

import "fmt"

func (e *entry) setAdmin(c SetAdmin) error {
	if c.Admin != Enabled && c.Admin != Drain {
		return fmt.Errorf("server state %q: %w: use %q or %q", clip(string(c.Admin), 80), ErrInvalid, Enabled, Drain)
	}
	st, ok := e.next.Servers[c.Server]
	if !ok {
		return fmt.Errorf("server %s: %w; `quorate server list` shows them", clip(c.Server.String(), 160), ErrUnknown)
	}
	if st.Admin == c.Admin {
		return nil
	}
	st.Admin = c.Admin
	e.servers()[c.Server] = st
	text := "%s is enabled: it gets new connections again when it is up"
	if c.Admin == Drain {
		text = "%s is drained: no new connections, established ones go on"
	}
	e.event(Event{Kind: EventServer, Server: c.Server.String(), Text: fmt.Sprintf(text, c.Server)})
	return nil
}

func (e *entry) setHealth(c SetHealth) error {
	for _, v := range c.Verdicts {
		if v.Verdict != Up && v.Verdict != Down && v.Verdict != Unknown {
			return fmt.Errorf("verdict %q of server %s: %w", clip(string(v.Verdict), 80), clip(v.Server.String(), 160), ErrInvalid)
		}
	}
	for _, v := range c.Verdicts {
		st, ok := e.next.Servers[v.Server]
		// A late verdict must not take out a server whose service has no checks any more: nobody would take it back.
		if !ok || st.Verdict == v.Verdict || len(e.next.Config.Services[v.Server.Service].Checks) == 0 {
			continue
		}
		text := fmt.Sprintf("%s: %s → %s", v.Server, st.Verdict, v.Verdict)
		st.Verdict, st.Detail, st.Since = v.Verdict, clip(v.Detail, 512), e.at
		if st.Detail != "" {
			text += ": " + st.Detail
		}
		e.servers()[v.Server] = st
		e.event(Event{Kind: EventHealth, Server: v.Server.String(), Text: text})
	}
	return nil
}
