package vip

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const howToGrant = "setcap cap_net_admin,cap_net_raw+ep on the program, or AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW in its systemd unit, or run it as root"

// Preflight says what this process may not do, and how to grant it; nothing when all is well. It reads
// /proc/self/status.
func Preflight() []string {
	exe, err := os.Executable()
	if err != nil {
		exe = "/usr/bin/quorate"
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return []string{fmt.Sprintf("capabilities are not known: %v: is /proc mounted?", err)}
	}
	return preflight(status, exe)
}

// preflight is Preflight for the text of a status file (proc_pid_status(5)).
func preflight(status []byte, exe string) []string {
	caps, err := effective(status)
	if err != nil {
		return []string{fmt.Sprintf("capabilities are not known: %v", err)}
	}
	var missing []string
	for _, c := range []struct {
		bit        uint
		name, does string
	}{
		{unix.CAP_NET_ADMIN, "NET_ADMIN", "put and remove addresses"},
		{unix.CAP_NET_RAW, "NET_RAW", "announce addresses to neighbours (gratuitous ARP, neighbour advertisement)"},
	} {
		if caps&(1<<c.bit) == 0 {
			missing = append(missing, fmt.Sprintf(
				"no %s: cannot %s; grant it with: setcap cap_net_admin,cap_net_raw+ep %s (or in the systemd unit: AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW)",
				c.name, c.does, exe))
		}
	}
	return missing
}

// effective finds the effective set of a status file.
func effective(status []byte) (uint64, error) {
	for s := bufio.NewScanner(bytes.NewReader(status)); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), "CapEff:"); ok {
			caps, err := strconv.ParseUint(strings.TrimSpace(v), 16, 64)
			if err != nil {
				return 0, fmt.Errorf("/proc/self/status: CapEff: %w", err)
			}
			return caps, nil
		}
	}
	return 0, fmt.Errorf("/proc/self/status: no CapEff line")
}
