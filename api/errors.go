package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"quorate/fsm"
)

// Sentinels that a backend wraps, so that the answer gets the right code. Their text is the default cure; wrap them with
// what and where.
var (
	ErrNoCluster     = errors.New("this agent is in no cluster yet: run `quorate bootstrap` on the first node, or `quorate join ADDRESS --token T` on the others")
	ErrAlreadyMember = errors.New("this agent is in a cluster already: `quorate leave` takes it out")
	ErrNoQuorum      = errors.New("no majority of the voters answers: start the missing nodes, or look at `quorate members`")
	ErrBadToken      = errors.New("the token is not one of that cluster: get it with `quorate token` on a member")
	ErrUnreachable   = errors.New("the node does not answer: is its agent running, and is its port open between the nodes?")
	ErrNotPossible   = errors.New("not possible now")
)

// FieldError says which part of a request is malformed.
type FieldError struct {
	Location string `json:"location,omitempty" doc:"e.g. body.config.services.web.port"`
	Message  string `json:"message"`
}

// Error is a problem document (RFC 9457). The server writes it and the client returns it as a Go error.
type Error struct {
	Type     string       `json:"type" doc:"Stable identifier of the kind of error" example:"urn:quorate:error:conflict"`
	Title    string       `json:"title" doc:"The kind of error in words"`
	Status   int          `json:"status" doc:"HTTP status code"`
	Detail   string       `json:"detail" doc:"What happened, where, and what to do next"`
	Problems fsm.Problems `json:"problems,omitempty" doc:"What is wrong with the configuration"`
	Errors   []FieldError `json:"errors,omitempty" doc:"What is malformed in the request"`
}

// Code is the last part of the type; "" when the document is not one of ours.
func (e *Error) Code() Code {
	c, ok := strings.CutPrefix(e.Type, typePrefix)
	if !ok {
		return ""
	}
	return Code(c)
}

// Error is the detail with what is malformed, or the title when there is no detail.
func (e *Error) Error() string {
	s := e.Detail
	if s == "" {
		s = e.Title
	}
	for i, f := range e.Errors {
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		s += sep + strings.TrimSpace(f.Location+" "+f.Message)
	}
	return s
}

// GetStatus implements huma.StatusError.
func (e *Error) GetStatus() int { return e.Status }

// ContentType implements huma.ContentTypeFilter (RFC 9457 section 3).
func (e *Error) ContentType(ct string) string {
	if ct == "application/json" {
		return "application/problem+json"
	}
	return ct
}

func newError(code Code, format string, args ...any) *Error {
	k := kindOf(code)
	return &Error{Type: typePrefix + string(code), Title: k.title, Status: k.status, Detail: fmt.Sprintf(format, args...)}
}

// mappings from a sentinel to what the client sees, most special first.
var mappings = []struct {
	err  error
	code Code
}{
	{fsm.ErrConflict, CodeConflict},
	{fsm.ErrNameTaken, CodeNameTaken},
	{fsm.ErrStoreTaken, CodeNameTaken},
	{fsm.ErrNodeOwns, CodeNotPossible},
	{fsm.ErrNodeGrants, CodeNotPossible},
	{fsm.ErrStale, CodeNotPossible},
	{fsm.ErrSchema, CodeNotPossible},
	{fsm.ErrInvalid, CodeInvalidConfig},
	{fsm.ErrUnknown, CodeNotFound},
	{fsm.ErrInitDone, CodeMember},
	{fsm.ErrNotInit, CodeNoCluster},
	{ErrNoCluster, CodeNoCluster},
	{ErrAlreadyMember, CodeMember},
	{ErrNoQuorum, CodeNoQuorum},
	{ErrBadToken, CodeBadToken},
	{ErrUnreachable, CodeUnreachable},
	{ErrNotPossible, CodeNotPossible},
	{context.DeadlineExceeded, CodeTimeout},
	{context.Canceled, CodeTimeout},
}

// problemOf turns a backend's error into the answer; nil stays nil.
func problemOf(err error) error {
	if err == nil {
		return nil
	}
	var done *Error
	if errors.As(err, &done) {
		return done
	}
	var ps fsm.Problems
	if errors.As(err, &ps) && len(ps) > 0 {
		return invalidConfig(ps)
	}
	for _, m := range mappings {
		if errors.Is(err, m.err) {
			return newError(m.code, "%v", err)
		}
	}
	return newError(CodeInternal, "%v", err)
}

// codeOf is the code that err would be answered with.
func codeOf(err error) Code {
	var e *Error
	_ = errors.As(problemOf(err), &e)
	return e.Code()
}

func invalidConfig(ps fsm.Problems) *Error {
	noun := "problems"
	if len(ps) == 1 {
		noun = "problem"
	}
	e := newError(CodeInvalidConfig, "the configuration has %d %s; nothing was changed", len(ps), noun)
	e.Problems = ps
	return e
}

func notFound(format string, args ...any) *Error {
	return newError(CodeNotFound, format, args...)
}

func invalidRequest(location, format string, args ...any) *Error {
	e := newError(CodeInvalidRequest, "the request is malformed")
	e.Errors = []FieldError{{Location: location, Message: fmt.Sprintf(format, args...)}}
	return e
}

// huma makes its own errors (validation, body limits, content type) through a package variable; there is no setting per
// API in v2.37. It is set once, before any server can exist, and never again.
func init() {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return frameworkError(status, msg, errs)
	}
}

func frameworkError(status int, msg string, errs []error) *Error {
	code := CodeInvalidRequest
	switch {
	case status == http.StatusRequestEntityTooLarge:
		code = CodeTooLarge
	case status == http.StatusRequestTimeout:
		code = CodeTimeout
	case status >= 500:
		code = CodeInternal
	}
	if msg == "validation failed" {
		msg = "the request is malformed"
	}
	e := newError(code, "%s", msg)
	e.Status = status
	for _, err := range errs {
		if err == nil {
			continue
		}
		var d huma.ErrorDetailer
		if errors.As(err, &d) {
			// The value is left out: for a body it is the whole request, secrets included.
			det := d.ErrorDetail()
			e.Errors = append(e.Errors, FieldError{Location: det.Location, Message: det.Message})
			continue
		}
		e.Errors = append(e.Errors, FieldError{Message: err.Error()})
	}
	return e
}
