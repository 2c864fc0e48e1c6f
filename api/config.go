package api

import (
	"context"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"quorate/fsm"
)

// Config is the configuration with its version.
type Config struct {
	Version uint64     `json:"version" doc:"Index of the entry that last changed it; 0 = never"`
	Hidden  bool       `json:"hidden,omitempty" doc:"Passwords and keys of virtual routers stand as \"(not shown)\", as they do over TCP; in a configuration that comes back that leaves them as they are"`
	Config  fsm.Config `json:"config"`
}

// PlanRequest asks what a configuration would change.
type PlanRequest struct {
	Config fsm.Config `json:"config"`
}

// Plan is what applying a configuration would do.
type Plan struct {
	Base     uint64            `json:"base" doc:"Version that it was compared with: the base of an apply that carries out just this plan"`
	Changes  []fsm.Change      `json:"changes" nullable:"false" doc:"Objects that would change, in a stable order"`
	Moves    []fsm.PlannedMove `json:"moves" nullable:"false" doc:"VIPs that would get another owner"`
	Problems fsm.Problems      `json:"problems" nullable:"false" doc:"What is wrong with it; with any, an apply would be refused"`
	Warnings fsm.Problems      `json:"warnings,omitempty" doc:"What would be accepted and does not do what its words say"`
}

// ApplyRequest replaces the configuration.
type ApplyRequest struct {
	Base   uint64     `json:"base,omitempty" doc:"Version that the change was made for; refused with conflict when it is not the current one"`
	Force  bool       `json:"force,omitempty" doc:"Replace whatever is there, base is ignored"`
	Config fsm.Config `json:"config"`
}

// Applied is what an apply did.
type Applied struct {
	Version  uint64            `json:"version" doc:"Of the configuration now"`
	Changed  bool              `json:"changed" doc:"false: the configuration was the same already"`
	Changes  []fsm.Change      `json:"changes" nullable:"false"`
	Moves    []fsm.PlannedMove `json:"moves" nullable:"false" doc:"VIPs that move now; they do so after the answer"`
	Warnings fsm.Problems      `json:"warnings,omitempty" doc:"What is accepted and does not do what its words say"`
}

type (
	configOutput struct{ Body Config }
	planInput    struct{ Body PlanRequest }
	planOutput   struct{ Body Plan }
	applyInput   struct{ Body ApplyRequest }
	applyOutput  struct{ Body Applied }
)

func (s *Server) registerConfig(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "config", Method: "GET", Path: "/v1/config", Tags: []string{"config"},
		Summary:     "The configuration and its version",
		Description: "Passwords and keys of virtual routers are shown over the unix socket only.",
	}, func(ctx context.Context, _ *struct{}) (*configOutput, error) {
		st, err := s.agreed()
		if err != nil {
			return nil, err
		}
		out := Config{Version: st.ConfigVersion}
		out.Config, out.Hidden = shown(ctx, st.Config)
		return &configOutput{Body: out}, nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "plan", Method: "POST", Path: "/v1/plan", Tags: []string{"config"}, MaxBodyBytes: maxConfigBody, BodyReadTimeout: configReadLimit,
		Summary:     "What a configuration would change, and which VIPs would move",
		Description: "Changes nothing. Problems of the configuration are part of the answer.",
	}, s.plan)
	huma.Register(h, huma.Operation{
		OperationID: "apply", Method: "PUT", Path: "/v1/config", Tags: []string{"config"}, MaxBodyBytes: maxConfigBody, BodyReadTimeout: configReadLimit,
		Summary: "Replace the configuration",
		Description: "One transaction: all of it or nothing. Refused with conflict when base is not the current version, and with " +
			"invalid-config and the list of problems when it has any.",
	}, s.apply)
}

func (s *Server) plan(ctx context.Context, in *planInput) (*planOutput, error) {
	st, err := s.fresh(ctx)
	if err != nil {
		return nil, err
	}
	c := restored(in.Body.Config, st.Config)
	p, problems := fsm.PreviewConfig(st, c, s.hints(ctx, st))
	var doubts fsm.Problems
	if len(problems) == 0 {
		problems, doubts = s.examine(ctx, c)
	}
	return &planOutput{Body: Plan{Base: st.ConfigVersion, Changes: list(p.Changes), Moves: list(p.Moves), Problems: list(problems), Warnings: append(warnings(st, c), doubts...)}}, nil
}

// examine asks the machines, if there is who does.
func (s *Server) examine(ctx context.Context, c fsm.Config) (problems, warnings fsm.Problems) {
	if s.examiner == nil {
		return nil, nil
	}
	return s.examiner.Examine(ctx, c)
}

// warnings are what is accepted and does not do what its words say.
func warnings(st *fsm.State, c fsm.Config) fsm.Problems {
	return append(c.Warnings(), c.WarnNodes(st.Nodes)...)
}

func (s *Server) apply(ctx context.Context, in *applyInput) (*applyOutput, error) {
	st, err := s.fresh(ctx)
	if err != nil {
		return nil, err
	}
	req := in.Body
	// Apply checks the version again; this answers before the problems of a plan that was made for something else.
	if req.Base != st.ConfigVersion && !req.Force {
		return nil, newError(CodeConflict, "the configuration is at version %d and the change was made for %d: somebody applied another in between; "+
			"look at `quorate plan` again, or use --force to replace it", st.ConfigVersion, req.Base)
	}
	req.Config = restored(req.Config, st.Config)
	p, problems := fsm.PreviewConfig(st, req.Config, s.hints(ctx, st))
	if len(problems) > 0 {
		return nil, invalidConfig(problems)
	}
	problems, doubts := s.examine(ctx, req.Config)
	if len(problems) > 0 {
		return nil, invalidConfig(problems)
	}
	out := Applied{Version: st.ConfigVersion, Changes: list(p.Changes), Moves: list(p.Moves), Warnings: append(warnings(st, req.Config), doubts...)}
	if len(out.Changes) == 0 && st.ConfigVersion != 0 && reflect.DeepEqual(st.Config, req.Config) {
		return &applyOutput{Body: out}, nil
	}
	_, st, err = s.propose(ctx, fsm.Command{Configure: &fsm.Configure{Base: req.Base, Force: req.Force, Config: req.Config}})
	if err != nil {
		return nil, err
	}
	out.Version, out.Changed = st.ConfigVersion, true
	return &applyOutput{Body: out}, nil
}

// list is l as an answer has it: never null.
func list[L ~[]E, E any](l L) L {
	if l == nil {
		return L{}
	}
	return l
}
