package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"quorate/fsm"
)

const (
	keepAlive  = 15 * time.Second // between comments on an idle stream, so that both ends notice a dead one
	writeLimit = 10 * time.Second // for one write to a reader that does not read
)

// Events is a part of the timeline.
type Events struct {
	Events    []fsm.Event `json:"events" nullable:"false" doc:"Oldest first"`
	Next      string      `json:"next" doc:"Where to go on: the after of the next request, or the Last-Event-ID of a stream"`
	More      bool        `json:"more" doc:"There are more events now"`
	Forgotten bool        `json:"forgotten,omitempty" doc:"Events between after and the first one here are no longer kept"`
}

type (
	eventsInput struct {
		After string `query:"after" doc:"Place in the timeline: an index, or next of an earlier answer. Empty = from the oldest kept" example:"123"`
		Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"1000"`
		Last  int    `query:"last" minimum:"0" maximum:"1000" doc:"Only the latest so many; after is ignored"`
	}
	eventsOutput struct{ Body Events }
	streamInput  struct {
		After  string `query:"after" doc:"Place in the timeline; empty = from the oldest kept; now = only what comes" example:"123"`
		LastID string `header:"Last-Event-ID" doc:"Sent by a client that resumes; wins over after"`
	}
)

func (s *Server) registerEvents(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "events", Method: "GET", Path: "/v1/events", Tags: []string{"events"},
		Summary:     "What happened, who caused it and why",
		Description: "The timeline is agreed by the cluster and the same on every node; it keeps the latest 1000 events.",
	}, s.events)
	event := h.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[fsm.Event](), true, "Event")
	huma.Register(h, huma.Operation{
		OperationID: "events-stream", Method: "GET", Path: "/v1/events/stream", Tags: []string{"events"},
		Summary: "Follow the timeline",
		Description: "Server-sent events: each message's data is one event and its id a place in the timeline, with which " +
			"Last-Event-ID resumes without loss or repetition. A message of type forgotten says that events were missed, as the timeline " +
			"no longer keeps them.",
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: event}}}},
	}, s.stream)
}

func (s *Server) events(_ context.Context, in *eventsInput) (*eventsOutput, error) {
	at, err := ParseCursor(in.After)
	if err != nil {
		return nil, invalidRequest("query.after", "%v", err)
	}
	st, err := s.agreed()
	if err != nil {
		return nil, err
	}
	all := since(st.Events, at, 0)
	out := Events{Events: []fsm.Event{}, Next: at.String(), Forgotten: forgotten(st.Events, at)}
	if in.Last > 0 {
		all = since(st.Events, Cursor{}, 0)
		all = all[max(0, len(all)-in.Last):]
		out.Forgotten = false
	}
	for _, e := range all[:min(len(all), in.Limit)] {
		out.Events = append(out.Events, e.Event)
		out.Next = e.after.String()
	}
	out.More = len(all) > in.Limit
	return &eventsOutput{Body: out}, nil
}

func (s *Server) stream(_ context.Context, in *streamInput) (*huma.StreamResponse, error) {
	st, err := s.agreed()
	if err != nil {
		return nil, err
	}
	from, location := in.After, "query.after"
	if in.LastID != "" {
		from, location = in.LastID, "header.Last-Event-ID"
	}
	var at Cursor
	if from == "now" {
		at = Cursor{Index: st.Index}
	} else if at, err = ParseCursor(from); err != nil {
		return nil, invalidRequest(location, "%v", err)
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Accel-Buffering", "no")
		w.WriteHeader(http.StatusOK)
		s.follow(r.Context(), w, at)
	}}, nil
}

// follow writes events from at on until the reader goes away or the server stops.
func (s *Server) follow(ctx context.Context, w http.ResponseWriter, at Cursor) {
	rc := http.NewResponseController(w)
	idle := time.NewTicker(keepAlive)
	defer idle.Stop()
	send := func(text string) bool {
		// Errors of the deadline mean a writer without one (a test's recorder); the write itself tells the rest.
		_ = rc.SetWriteDeadline(time.Now().Add(writeLimit))
		if _, err := w.Write([]byte(text)); err != nil {
			return false
		}
		return rc.Flush() == nil
	}
	if !send(": follows the timeline\n\n") {
		return
	}
	for {
		changed := s.reader.Changed()
		st := s.reader.State()
		if forgotten(st.Events, at) && !send(message("forgotten", "", map[string]string{"after": at.String()})) {
			return
		}
		for _, e := range since(st.Events, at, 0) {
			at = e.after
			if !send(message("", at.String(), e.Event)) {
				return
			}
		}
		select {
		case <-changed:
		case <-idle.C:
			if !send(": still here\n\n") {
				return
			}
		case <-ctx.Done():
			return
		case <-s.closing:
			return
		}
	}
}

// message is one server-sent event; JSON has no raw line ends, so its data is one line.
func message(kind, id string, data any) string {
	b, err := json.Marshal(data)
	if err != nil {
		b = []byte("null")
	}
	m := ""
	if kind != "" {
		m += "event: " + kind + "\n"
	}
	if id != "" {
		m += "id: " + id + "\n"
	}
	return m + fmt.Sprintf("data: %s\n\n", b)
}
