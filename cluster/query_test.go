package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// answer is what a node of the simulation says to questions: its name; "wait" it does not answer, and "what" it does not know.
func (x *simNode) answer(ctx context.Context, raw json.RawMessage) (any, error) {
	var q string
	if err := json.Unmarshal(raw, &q); err != nil {
		return nil, err
	}
	switch q {
	case "wait":
		<-ctx.Done()
		return nil, ctx.Err()
	case "what":
		return nil, fmt.Errorf("%w: %s", errors.ErrUnsupported, q)
	case "much":
		return strings.Repeat("x", maxResponse), nil
	}
	return string(x.name) + " hears " + q, nil
}

func TestSimQuery(t *testing.T) {
	simulate(t, 3, func(c *simCluster) {
		wantErr(c.t, c.nodes[0].Query(c.within(time.Second), "n2", "name", nil), ErrNoMembership)
		c.form()
		n1, n3 := c.nodes[0], c.nodes[2]
		for _, x := range c.nodes { // itself as well
			var got string
			if err := n1.Query(c.within(time.Second), x.name, "name", &got); err != nil || got != string(x.name)+" hears name" {
				c.t.Errorf("%s: %q, %v", x.name, got, err)
			}
			wantErr(c.t, n1.Query(c.within(time.Second), x.name, "what", &got), errors.ErrUnsupported)
		}
		wantErr(c.t, n1.Query(c.within(time.Second), "n9", "name", nil), ErrUnknownNode)
		if err := n1.Query(c.within(time.Minute), "n2", "much", new(string)); err == nil || !strings.Contains(err.Error(), "at most") {
			c.t.Errorf("an answer beyond the limit: %v", err)
		}
		began := time.Now()
		wantErr(c.t, n1.Query(c.within(2*time.Second), "n2", "wait", nil), context.DeadlineExceeded)
		if took := time.Since(began); took > 2*time.Second {
			c.t.Errorf("waited for %v", took)
		}
		n3.crash()
		wantErr(c.t, n1.Query(c.within(10*time.Second), "n3", "name", nil), ErrUnreachable)
	})
}
