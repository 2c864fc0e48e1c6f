package api

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quorate/fsm"
)

// NotifierStatus is one notifier and how it does.
type NotifierStatus struct {
	Name    string       `json:"name"`
	Channel string       `json:"channel" enum:"webhook,email,script,fifo"`
	By      fsm.NotifyBy `json:"by" enum:"leader,node" doc:"Who carries it out: the leader tells each event once, a node what it does itself"`
	To      string       `json:"to" doc:"Where it tells"`
	Config  fsm.Notifier `json:"config" doc:"As configured"`

	// What follows is agreed, of a notifier that the leader carries out.
	Waiting      int       `json:"waiting" doc:"Events that wait for it; of one that the nodes carry out, states on all that answered"`
	WaitingSince time.Time `json:"waiting_since,omitzero" doc:"When the oldest of them happened"`
	Told         uint64    `json:"told"`
	LastTold     time.Time `json:"last_told,omitzero"`
	Suppressed   uint64    `json:"suppressed" doc:"Events beyond its limit"`
	GivenUp      uint64    `json:"given_up" doc:"Events that it refused, or that could not be told for as long as retry_for says"`
	Lost         uint64    `json:"lost" doc:"Events that were forgotten before they were told, as too many waited"`
	LosingSince  time.Time `json:"losing_since,omitzero" doc:"Since when too many wait for it, so that the oldest are lost; over once it has caught up"`
	Attempts     int       `json:"attempts,omitempty" doc:"That failed since the last success"`
	FailingSince time.Time `json:"failing_since,omitzero"`
	Error        string    `json:"error,omitempty" doc:"Of the last attempt, if it failed"`

	Nodes   []NodeNotifier `json:"nodes,omitempty" doc:"How it does on each node that answered, where the nodes carry it out"`
	Problem string         `json:"problem,omitempty"`
}

// NodeNotifier is how a notifier does that a node carries out itself, since its agent started.
type NodeNotifier struct {
	Notifier string     `json:"notifier"`
	Node     fsm.NodeID `json:"node"`
	Waiting  int        `json:"waiting"`
	Told     uint64     `json:"told"`
	Failed   uint64     `json:"failed" doc:"Runs that ended with another status than 0, took too long, or could not begin; lines that could not be written. They are not repeated"`
	Dropped  uint64     `json:"dropped" doc:"States that were overtaken by newer ones before they could be told"`
	Error    string     `json:"error,omitempty" doc:"Of the last one, if that failed"`
	At       time.Time  `json:"at,omitzero" doc:"Of the last one"`
}

// Notifiers is the answer of /v1/notifiers.
type Notifiers struct {
	Index     uint64           `json:"index"`
	Notifiers []NotifierStatus `json:"notifiers" nullable:"false"`
}

// NotifyTest is what came of a test.
type NotifyTest struct {
	Notifier string     `json:"notifier"`
	Node     fsm.NodeID `json:"node" doc:"That sent it"`
	OK       bool       `json:"ok"`
	Said     string     `json:"said" doc:"What the other side said, or what went wrong"`
	TookMS   int64      `json:"took_ms"`
}

// Notifying tests notifiers.
type Notifying interface {
	// TestNotifier makes a node send a test by a notifier. The error is that of asking the node; what the notifier said is in the answer.
	TestNotifier(ctx context.Context, node fsm.NodeID, name string) (NotifyTest, error)
}

// testLimit is for a test with the longest timeout that a notifier may have.
const testLimit = 5*time.Minute + 10*time.Second

type (
	notifiersOutput struct{ Body Notifiers }
	notifierOutput  struct{ Body NotifierStatus }
	notifyTestInput struct {
		Name string     `path:"name" maxLength:"200"`
		Node fsm.NodeID `query:"node" maxLength:"200" doc:"That sends it. Left out: the leader, or where the nodes carry it out the node that is asked"`
	}
	notifyTestOutput struct{ Body NotifyTest }
)

func (s *Server) registerNotifiers(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "notifiers", Method: "GET", Path: "/v1/notifiers", Tags: []string{"events"},
		Summary: "Who is told what happens, and how that goes",
	}, func(ctx context.Context, _ *struct{}) (*notifiersOutput, error) {
		st, err := s.agreed()
		if err != nil {
			return nil, err
		}
		return &notifiersOutput{Body: Notifiers{Index: st.Index, Notifiers: notifiersOf(st, s.askFor(ctx, st, askLimit))}}, nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "notifier", Method: "GET", Path: "/v1/notifiers/{name}", Tags: []string{"events"},
		Summary: "One notifier",
	}, func(ctx context.Context, in *nameInput) (*notifierOutput, error) {
		st, err := s.agreed()
		if err != nil {
			return nil, err
		}
		for _, n := range notifiersOf(st, s.askFor(ctx, st, askLimit)) {
			if n.Name == in.Name {
				return &notifierOutput{Body: n}, nil
			}
		}
		return nil, notFound("no notifier %.80q: %s", in.Name, have("notifiers", st.Config.Notifiers))
	})
	huma.Register(h, huma.Operation{
		OperationID: "notifier-test", Method: "POST", Path: "/v1/notifiers/{name}/test", Tags: []string{"events"},
		Summary:     "Send a test by a notifier",
		Description: "It is marked as a test, sent once and counted nowhere.",
	}, s.testNotifier)
}

func (s *Server) testNotifier(ctx context.Context, in *notifyTestInput) (*notifyTestOutput, error) {
	st, err := s.agreed()
	if err != nil {
		return nil, err
	}
	n, ok := st.Config.Notifiers[in.Name]
	if !ok {
		return nil, notFound("no notifier %.80q: %s", in.Name, have("notifiers", st.Config.Notifiers))
	}
	node := in.Node
	switch leader, led := s.inspector.Leader(); {
	case node != "":
		if _, ok := st.Nodes[node]; !ok {
			return nil, noSuchNode(st, node)
		}
	case n.Where() == fsm.ByNode:
		node = s.reporter.Local().Node
	case !led:
		return nil, newError(CodeNoQuorum, "nobody leads, and the leader sends it; name a node with node=")
	default:
		node = leader
	}
	ctx, cancel := context.WithTimeout(ctx, testLimit)
	defer cancel()
	out, err := s.notifying.TestNotifier(ctx, node, in.Name)
	if err != nil {
		return nil, problemOf(err)
	}
	return &notifyTestOutput{Body: out}, nil
}

// notifiersOf lists all by name.
func notifiersOf(st *fsm.State, rs reports) []NotifierStatus {
	out := []NotifierStatus{}
	for _, name := range slices.Sorted(maps.Keys(st.Config.Notifiers)) {
		n := st.Config.Notifiers[name]
		x := NotifierStatus{Name: name, Channel: n.Channel(), By: n.Where(), To: destination(n), Config: n}
		if o, ok := st.Outbox[name]; ok {
			x.Waiting, x.WaitingSince = st.Waiting(name)
			x.Told, x.LastTold, x.Suppressed, x.GivenUp, x.Lost = o.Told, o.Last, o.Untold.Suppressed, o.Untold.GivenUp, o.Untold.Lost
			x.LosingSince, x.Attempts, x.FailingSince, x.Error = o.Loss.Since, o.Attempts, o.Failing, o.Error
			x.Problem = outboxProblem(o, x.Waiting)
		}
		for _, id := range slices.Sorted(maps.Keys(rs)) {
			for _, nn := range rs[id].status.Notifiers {
				if nn.Notifier != name {
					continue
				}
				x.Nodes = append(x.Nodes, nn)
				x.Waiting += nn.Waiting
				x.Told += nn.Told
				if nn.Error != "" {
					x.Problem = fmt.Sprintf("on %s: %s", id, nn.Error)
				}
			}
		}
		out = append(out, x)
	}
	return out
}

// outboxProblem is what an operator should know of a notifier for which so many events wait.
func outboxProblem(o fsm.Outbox, waiting int) string {
	lost := ""
	if o.Loss != (fsm.Loss{}) {
		lost = fmt.Sprintf("too many wait: %d lost since %s", o.Untold.Lost-o.Loss.Before, o.Loss.Since.UTC().Format(time.RFC3339))
	}
	if o.Attempts == 0 {
		return lost
	}
	if lost != "" {
		lost += "; "
	}
	return lost + fmt.Sprintf("%s since %s: %s", waitText(waiting), o.Failing.UTC().Format(time.RFC3339), o.Error)
}

// waitText is like "3 notifications wait".
func waitText(n int) string {
	switch n {
	case 0:
		return "nothing waits, and it has failed"
	case 1:
		return "1 notification waits"
	default:
		return fmt.Sprintf("%d notifications wait", n)
	}
}

// destination is where a notifier tells, in one line.
func destination(n fsm.Notifier) string {
	switch {
	case n.Webhook != nil:
		return n.Webhook.URL
	case n.Email != nil && len(n.Email.To) > 1:
		return fmt.Sprintf("%s and %d more", n.Email.To[0], len(n.Email.To)-1)
	case n.Email != nil && len(n.Email.To) == 1:
		return n.Email.To[0]
	case n.Script != nil && len(n.Script.Command) > 0:
		return n.Script.Command[0]
	case n.FIFO != nil:
		return n.FIFO.Path
	}
	return ""
}

// notifyProblems are what an operator should look at.
func notifyProblems(st *fsm.State, rs reports) (out []string) {
	for _, n := range notifiersOf(st, rs) {
		if n.Problem != "" {
			out = append(out, fmt.Sprintf("notifier %s: %s; `quorate notify show %s` says more", n.Name, n.Problem, n.Name))
		}
	}
	return out
}
