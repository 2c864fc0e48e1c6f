//go:build !linux

package health

import (
	"errors"
	"syscall"
)

// control is net.Dialer.Control.
func (e Egress) control(string, string, syscall.RawConn) error {
	switch err := errors.ErrUnsupported; {
	case e.Interface != "":
		return e.notAsked("interface", e.Interface, err)
	case e.Mark != 0:
		return e.notAsked("fwmark", e.Mark, err)
	default:
		return nil
	}
}
