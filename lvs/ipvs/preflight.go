package ipvs

import "quorate/lvs"

// expireNodest is the sysctl that decides what becomes of a connection whose destination has been removed: with 0 the kernel drops
// its packets, with 1 the next one ends it and is scheduled anew (ip_vs_core.c, ip_vs_in).
const expireNodest = "net.ipv4.vs.expire_nodest_conn"

// preflight is what the kernel is not set to do for the services, with the commands that cure it.
func preflight(want []lvs.Service) []string {
	if len(want) == 0 {
		return nil
	}
	// By direct routing and through tunnels a connection that ended is kept for two minutes more, for want of the server's side of it. A
	// client that opens 25 a second from one address comes upon its old ports within that time: one new connection in five failed, in
	// moments.
	return lvs.SwitchedOff(expireNodest, "a client that uses a port again gets no answer where its last connection from there was to a server that has failed since")
}
