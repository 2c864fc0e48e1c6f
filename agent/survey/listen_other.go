//go:build !linux

package survey

import (
	"context"
	"errors"
)

var errLinux = errors.New("links are listened on on Linux only: run this on a director, or on another Linux machine of the same network")

// Listen listens on Linux only.
func Listen(context.Context, Options) (*Report, error) { return nil, errLinux }
