package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"quorate/fsm"
)

// maxLine bounds one line of a stream; an event is a few hundred bytes.
const maxLine = 1 << 20

// ErrForgotten says that events were missed, as the cluster no longer keeps them. The stream goes on.
var ErrForgotten = errors.New("older events are no longer kept")

// EventStream follows the timeline. It is for one goroutine; Close may come from another.
type EventStream struct {
	client *Client
	body   io.ReadCloser
	in     *bufio.Reader
	at     string
}

// Follow opens a stream of the events after a place in the timeline: "" = from the oldest kept, "now" = only what comes,
// else an index or what [EventStream.At] said. It ends with ctx.
func (c *Client) Follow(ctx context.Context, after string) (*EventStream, error) {
	q := url.Values{}
	if after != "" {
		q.Set("after", after)
	}
	resp, err := c.send(ctx, http.MethodGet, "/v1/events/stream", q, nil, http.Header{"Accept": {"text/event-stream"}})
	if err != nil {
		return nil, err
	}
	return &EventStream{client: c, body: resp.Body, in: bufio.NewReaderSize(resp.Body, 64<<10), at: after}, nil
}

// At is the place after the last event that Next returned: where to resume.
func (s *EventStream) At() string { return s.at }

// Close ends the stream.
func (s *EventStream) Close() error { return s.body.Close() }

// Next waits for an event. After ErrForgotten the stream goes on; any other error ends it, io.EOF when the agent closed it.
func (s *EventStream) Next() (fsm.Event, error) {
	for {
		m, err := readMessage(s.in)
		if err != nil {
			return fsm.Event{}, err
		}
		switch m.kind {
		case "":
			var e fsm.Event
			if err := json.Unmarshal([]byte(m.data), &e); err != nil {
				return fsm.Event{}, fmt.Errorf("event stream of %s: %w", s.client.at, err)
			}
			if m.id != "" {
				s.at = m.id
			}
			return e, nil
		case "forgotten":
			return fsm.Event{}, ErrForgotten
		}
		// A kind that this version does not know: made by a newer agent, of no use here.
	}
}

// frame is one message of a stream (WHATWG HTML, section 9.2 “Server-sent events”).
type frame struct {
	kind, id, data string
}

// readMessage reads up to the next message with data; comments and empty messages are passed over.
func readMessage(in *bufio.Reader) (frame, error) {
	var m frame
	var data []string
	size := 0
	for {
		line, err := readLine(in)
		if err != nil {
			return frame{}, err
		}
		if line == "" {
			if len(data) == 0 {
				m = frame{}
				continue
			}
			m.data = strings.Join(data, "\n")
			return m, nil
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "data":
			if size += len(value); size > maxLine {
				return frame{}, fmt.Errorf("event stream: a message is above %d bytes", maxLine)
			}
			data = append(data, value)
		case "event":
			m.kind = value
		case "id":
			m.id = value
		}
	}
}

func readLine(in *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		part, more, err := in.ReadLine()
		if err != nil {
			return "", err
		}
		if b.Len()+len(part) > maxLine {
			return "", fmt.Errorf("event stream: a line is above %d bytes", maxLine)
		}
		b.Write(part)
		if !more {
			return b.String(), nil
		}
	}
}
