package fsm

// Table is what a node would carry that owned all VIPs: every service with the servers that are in, sorted by name.
func (s *State) Table() []LocalService {
	vips := make(map[string]bool, len(s.Config.VIPs))
	for name := range s.Config.VIPs {
		vips[name] = true
	}
	return s.servicesOn(vips)
}
