package health

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// AgentQuery is the part of a Target that only agents have.
type AgentQuery struct {
	Send string `json:"send,omitempty"` // before the agent answers, as it stands
}

// agentProber asks an agent by the agent-check protocol of HAProxy (its configuration manual, section 5.2, "agent-check"): one line of words.
//
// Every answer stands for itself. HAProxy remembers drain and maint until ready comes, and down until up: an agent that only says what changed
// would be misunderstood by a node that was not there to hear it.
type agentProber struct{ dial DialFunc }

func (p agentProber) Probe(ctx context.Context, t Target) (Answer, error) {
	start := time.Now()
	v, end, err := converse(ctx, p.dial, t)
	if err != nil {
		return Answer{}, err
	}
	defer end()
	if t.Agent.Send != "" {
		v.ask([]byte(t.Agent.Send))
	}
	line, err := v.agentLine()
	if err != nil {
		return Answer{}, v.fault(err, "the agent's line")
	}
	said, err := parseAgent(line)
	if err != nil {
		return Answer{}, err
	}
	return said.answer(start)
}

// agentLine is what stands before the first end of line, of either kind. A line that was cut off is none.
func (v *conversation) agentLine() (string, error) {
	var b strings.Builder
	for {
		c, err := v.in.ReadByte()
		if err != nil {
			return "", err
		}
		if c == '\n' || c == '\r' {
			return b.String(), nil
		}
		b.WriteByte(c)
	}
}

// agentSaid is what an agent's line says. Of several words of one kind the last counts.
type agentSaid struct {
	health  string // up, down, stopped, fail, failed; "" = nothing
	admin   string // ready, drain, maint; "" = nothing
	percent int    // of the weight; -1 = nothing
	maxconn bool   // a limit of connections, which is not ours to set
	reason  string
	unknown string // the first word that means nothing
}

// maxAgentPercent is the most that an agent gets, in percent of its server's weight, whatever it asks for. It is HAProxy's.
const maxAgentPercent = 25600

// parseAgent reads an agent's line.
func parseAgent(line string) (agentSaid, error) {
	said := agentSaid{percent: -1}
	words, reason, _ := strings.Cut(line, "#")
	said.reason = strings.TrimSpace(reason)
	for _, word := range strings.FieldsFunc(words, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' }) {
		switch w := strings.ToLower(word); {
		case w == "up", w == "down", w == "stopped", w == "fail", w == "failed":
			said.health = w
		case w == "ready", w == "drain", w == "maint":
			said.admin = w
		case strings.HasPrefix(w, "maxconn:"):
			said.maxconn = true
		case percentage(w):
			n, _ := strconv.ParseUint(strings.TrimSuffix(w, "%"), 10, 31) // the most that there is, where it has too many digits
			said.percent = int(min(n, maxAgentPercent))
		case said.unknown == "":
			said.unknown = tidy(word)
		}
	}
	if said.health == "" && said.admin == "" && said.percent < 0 && !said.maxconn {
		if said.unknown == "" {
			return said, errors.New("the agent's line is empty")
		}
		return said, fmt.Errorf("not an agent's line: there is no word %q", said.unknown)
	}
	return said, nil
}

// percentage reports whether a word is digits and a percent sign.
func percentage(word string) bool {
	digits, ok := strings.CutSuffix(word, "%")
	return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// answer is what follows from what was said.
func (s agentSaid) answer(start time.Time) (Answer, error) {
	switch {
	case s.admin == "maint":
		return Answer{}, s.no("maint")
	case s.health != "" && s.health != "up":
		return Answer{}, s.no(s.health)
	}
	a := Answer{}
	words := []string{}
	if s.health != "" {
		words = append(words, s.health)
	}
	if s.admin != "" {
		words = append(words, s.admin)
	}
	if s.percent >= 0 {
		words = append(words, strconv.Itoa(s.percent)+"%")
		a.Weight = Weight{Asked: true, Percent: true, Value: s.percent}
	}
	if s.admin == "drain" {
		a.Weight = Weight{Asked: true, Percent: true}
	}
	a.Detail = passed("agent says "+strings.Join(words, " "), start)
	if len(words) == 0 {
		a.Detail = passed("agent answers", start)
	}
	if s.maxconn {
		a.Detail += "; its maxconn is left to the server"
	}
	if s.unknown != "" {
		a.Detail += fmt.Sprintf("; there is no word %q", s.unknown)
	}
	return a, nil
}

// no is the error of an agent that says so, with its reason.
func (s agentSaid) no(word string) error {
	if s.reason != "" {
		return fmt.Errorf("agent says %s: %s", word, s.reason)
	}
	return fmt.Errorf("agent says %s", word)
}
