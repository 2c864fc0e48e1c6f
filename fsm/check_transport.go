package fsm

import "slices"

// asksPort reports whether what the check asks has a port.
func (c Check) asksPort() bool {
	return c.Type != CheckPing && c.Type != CheckBFD && !slices.Contains(localChecks, c.Type)
}

// stream reports whether the check is a TCP connection.
func (c Check) stream() bool {
	switch {
	case slices.Contains(localChecks, c.Type), c.Type == CheckPing, c.Type == CheckUDP, c.Type == CheckBFD:
		return false
	case c.Type == CheckDNS:
		return c.DNS != nil && c.DNS.Transport == "tcp"
	default:
		return true
	}
}

// validatePort refuses a port that nothing is sent to.
func (c Check) validatePort(ps *Problems, object string) {
	if c.Port != 0 && !c.asksPort() {
		ps.add(object, "port", itoa(c.Port), "a check of type "+string(c.Type)+" goes to no port", "leave it out")
	}
}
