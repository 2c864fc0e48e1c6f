package ipvs

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"quorate/lvs"
	"quorate/lvs/sysctl"
)

// The sysctls that decide what becomes of packets that find the table otherwise than their sender thinks (Documentation/networking/ipvs-sysctl.rst).
const (
	// expireNodest: what becomes of a connection whose destination has been removed. With 0 the kernel drops its packets, with 1 the next one ends it
	// and is scheduled anew (ip_vs_core.c, ip_vs_in).
	expireNodest = "net.ipv4.vs.expire_nodest_conn"
	// sloppyTCP: whether a packet that is no SYN may begin a connection.
	sloppyTCP = "net.ipv4.vs.sloppy_tcp"
	// backupOnly: whether a host on which a sync daemon is a backup balances nothing (ip_vs.h, sysctl_backup_only). It is meant for backups that
	// are real servers, so that packets do not go round in circles; here every director is a backup, also the one that balances, and the
	// others have no service that could send a packet on.
	backupOnly = "net.ipv4.vs.backup_only"
	// conntrack: whether the kernel tracks the connections that it balances.
	vsConntrack = "net.ipv4.vs.conntrack"
	// runEstimation: whether a timer brings the rates of all services and destinations up to date every two seconds.
	runEstimation = "net.ipv4.vs.run_estimation"
)

// manyEstimators is the number of services and destinations from which on that timer, before Linux 6.2 one loop in softirq over all of them, holds
// packets up for some milliseconds.
const manyEstimators = 10_000

// preflight is what the kernel is not set to do for the services.
func (p *Plane) preflight(want []lvs.Service) (out []sysctl.Need) {
	if len(want) == 0 {
		return nil
	}
	// By direct routing and through tunnels a connection that ended is kept for two minutes more, for want of the server's side of it. A
	// client that opens 25 a second from one address comes upon its old ports within that time: one new connection in five failed, in
	// moments.
	out = append(out, sysctl.Ask(expireNodest, "a client that uses a port again gets no answer where its last connection from there was to a server that has failed since", "1")...)
	if slices.ContainsFunc(want, hashesTCP) {
		out = append(out, sysctl.Ask(sloppyTCP, "a connection that another director began, and of which this one was not told, is refused after a failover, though the scheduler mh would send it to its server", "1")...)
	}
	if idle := sysctl.Ask(backupOnly, "IPVS balances nothing while a sync daemon is a backup on this host", "0"); len(idle) > 0 && p.backs() {
		out = append(out, idle...)
	}
	out = append(out, p.tracking(want)...)
	if estimators(want) >= manyEstimators && before62() {
		out = append(out, sysctl.Ask(runEstimation, "the kernel holds packets up every two seconds to count what so many services do", "0")...)
	}
	return out
}

// backs reports whether a sync daemon is a backup here, or cannot be asked for.
func (p *Plane) backs() bool {
	list, err := dump(p.conn, command{cmd: cmdGetDaemon}, nil, decodeDaemon)
	return err != nil || slices.ContainsFunc(list, func(d Daemon) bool { return d.State == Backup })
}

// hashesTCP reports whether every director sends a connection of the service to the same server, whoever began it.
func hashesTCP(s lvs.Service) bool { return s.Scheduler == "mh" && s.Protocol == lvs.TCP }

func estimators(want []lvs.Service) int {
	n := len(want)
	for _, s := range want {
		n += len(s.Destinations)
	}
	return n
}

// before62 reports whether the kernel is older than Linux 6.2.
func before62() bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	return olderThan62(unix.ByteSliceToString(u.Release[:]))
}

func olderThan62(release string) bool {
	major, rest, _ := strings.Cut(release, ".")
	minor, _, _ := strings.Cut(rest, ".")
	return len(major) == 1 && (major < "6" || major == "6" && (minor == "0" || minor == "1"))
}
