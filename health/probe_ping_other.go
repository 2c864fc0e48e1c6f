//go:build !linux

package health

import (
	"errors"
	"net"
)

// pingSocket is for Linux.
func pingSocket(Target) (net.Conn, error) { return nil, errors.ErrUnsupported }
