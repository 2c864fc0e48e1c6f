//go:build !linux

package health

import (
	"errors"
	"syscall"
)

// control is net.Dialer.Control.
func (t Target) control(string, string, syscall.RawConn) error {
	e := t.Egress
	switch err := errors.ErrUnsupported; {
	case t.halfOpen():
		return e.notAsked("half_open", true, err)
	case e.Interface != "":
		return e.notAsked("interface", e.Interface, err)
	case e.Mark != 0:
		return e.notAsked("fwmark", e.Mark, err)
	default:
		return nil
	}
}
