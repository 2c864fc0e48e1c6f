package fsm

// AgentCheck is the part of a Check that only the agent-check protocol of HAProxy has.
type AgentCheck struct {
	Send string `json:"send,omitempty"` // to the agent before it answers, as it stands; "" = nothing
}

func (a *AgentCheck) validate(ps *Problems, object string) {
	if len(a.Send) > 255 {
		ps.add(object, "send", a.Send[:20]+"…", "it is too long", "use at most 255 bytes")
	}
}

func (a *AgentCheck) fields(f fields) { f.set("send", a.Send) }
