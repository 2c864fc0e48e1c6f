package notify

import (
	"context"
	"errors"
	"time"

	"quorate/fsm"
)

// Channel is one way to tell somebody. Send returns what the other side said, for a person.
type Channel interface {
	Send(ctx context.Context, m Message) (string, error)
}

// Refused is an error that will be the same next time: the other side has understood and does not want it.
type Refused struct{ error }

// Unwrap gives the error itself.
func (r Refused) Unwrap() error { return r.error }

// Later is an error after which the other side wants to be left alone for some time.
type Later struct {
	error
	After time.Duration
}

// Unwrap gives the error itself.
func (l Later) Unwrap() error { return l.error }

// Open is the channel of a notifier that the leader carries out.
func Open(n fsm.Notifier) Channel {
	switch {
	case n.Webhook != nil:
		return webhook{*n.Webhook}
	case n.Email != nil:
		return email{*n.Email}
	case n.Script != nil:
		return program{*n.Script}
	}
	return unknown{}
}

// most is how many events a channel takes at once.
func most(n fsm.Notifier) int {
	if n.Script != nil {
		return 1
	}
	return 50
}

// unknown is the channel of a notifier that this build does not know.
type unknown struct{}

func (unknown) Send(context.Context, Message) (string, error) {
	return "", errors.New("this build knows no such channel")
}
