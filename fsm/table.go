package fsm

// Table is what a node would carry that owned all VIPs: every service with the servers that are in, sorted by name.
func (s *State) Table() []LocalService {
	vips := make(map[string]bool, len(s.Config.VIPs))
	for name := range s.Config.VIPs {
		vips[name] = true
	}
	return s.servicesOn(vips)
}

// Carried is one service as in Table; ok is false when there is none of the name.
func (s *State) Carried(service string) (l LocalService, ok bool) {
	svc, ok := s.Config.Services[service]
	if !ok {
		return l, false
	}
	return s.localService(svc, svc.On()), true
}
