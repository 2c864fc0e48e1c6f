//go:build !linux

package bfd

import (
	"errors"
	"fmt"
	"io"
)

// Sockets is the Network of this machine, of which there is none here.
type Sockets struct{}

var errSystem = fmt.Errorf("bfd is for Linux: %w", errors.ErrUnsupported)

// Listen implements Network.
func (Sockets) Listen(bool, bool, func(Datagram)) (Listener, error) { return nil, errSystem }

// Dial implements Network.
func (Sockets) Dial(Path) (io.WriteCloser, error) { return nil, errSystem }
