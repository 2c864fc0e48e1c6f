package health

import (
	"context"
	"fmt"
	"net"
)

// linkProber looks whether an interface can carry packets: it is set up, and the kernel calls it running (IFF_RUNNING: operstate up, or unknown where the driver
// does not tell; RFC 2863).
type linkProber struct{}

func (linkProber) Probe(_ context.Context, t Target) (Answer, error) {
	l, err := net.InterfaceByName(t.Machine.Link)
	switch {
	case err != nil && missing(t.Machine.Link):
		return Answer{}, fmt.Errorf("there is no interface %s", t.Machine.Link)
	case err != nil:
		return Answer{}, unasked(err)
	case l.Flags&net.FlagUp == 0:
		return Answer{}, fmt.Errorf("%s is not set up", l.Name)
	case l.Flags&net.FlagRunning == 0:
		return Answer{}, fmt.Errorf("%s has no carrier", l.Name)
	}
	return Answer{Detail: l.Name + " is up"}, nil
}

// missing tells an interface that is not there from a list that could not be read.
func missing(name string) bool {
	all, err := net.Interfaces()
	if err != nil {
		return false
	}
	for _, l := range all {
		if l.Name == name {
			return false
		}
	}
	return true
}
