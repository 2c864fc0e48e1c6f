package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Keepalived is a real keepalived on a host, for side by side measurements.
type Keepalived struct {
	*Process
}

// KeepalivedOptions say what a keepalived shall do: one VRRP version 3 instance that does not preempt.
type KeepalivedOptions struct {
	VIP      netip.Prefix
	Priority int           // 1 to 254
	Advert   time.Duration // a multiple of 10 ms, at most 40.95 s
	// Servers, if there are any, get what comes to port 80 of the VIP by direct routing; it connects to them each second.
	Servers []netip.AddrPort
}

// FindKeepalived returns the path of the program, or an error that says how to get it.
func FindKeepalived() (string, error) {
	for _, name := range []string{"keepalived", "/usr/sbin/keepalived"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("keepalived is not installed: apt-get install keepalived")
}

// KeepalivedVersion is the version of the program, like "2.2.7". The error says how to get one.
func KeepalivedVersion(ctx context.Context) (string, error) {
	path, err := FindKeepalived()
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, path, "--version").CombinedOutput() // on standard error
	m := keepalivedVersion.FindSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("%s --version says no version (%v): %s", path, err, tail(string(out), 3))
	}
	return string(m[1]), nil
}

var keepalivedVersion = regexp.MustCompile(`(?m)^Keepalived v([0-9][0-9.]*)`)

// StartKeepalived starts keepalived on the host and waits until it takes part (BACKUP or MASTER).
func (h *Host) StartKeepalived(ctx context.Context, o KeepalivedOptions) (*Keepalived, error) {
	path, err := FindKeepalived()
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(h.Dir, "keepalived.conf")
	if err := os.WriteFile(conf, []byte(o.text(h.Name)), 0o644); err != nil {
		return nil, err
	}
	pid, vrrp, checkers := filepath.Join(h.Dir, "keepalived.pid"), filepath.Join(h.Dir, "vrrp.pid"), filepath.Join(h.Dir, "checkers.pid")
	for _, path := range []string{pid, vrrp, checkers} { // of one that was killed: its number may be another's by now
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	args := []string{"--dont-fork", "--log-console", "--log-detail", "--use-file", conf, "--pid", pid, "--vrrp_pid", vrrp, "--checkers_pid", checkers}
	if len(o.Servers) == 0 {
		args = append(args, "--vrrp")
	}
	p, err := h.Start(h.lab.ctx, Program{Name: "keepalived", Path: path, Args: args})
	if err != nil {
		return nil, err
	}
	k := &Keepalived{p}
	return k, Await(ctx, 10*time.Millisecond, func(context.Context) error {
		select {
		case <-p.Done():
			return Final(fmt.Errorf("keepalived on %s ended: %s", h.Name, tail(p.Output(), 10)))
		default:
		}
		if log := p.Output(); !strings.Contains(log, "BACKUP STATE") && !strings.Contains(log, "MASTER STATE") {
			return fmt.Errorf("keepalived on %s has not entered a state: %s", h.Name, tail(log, 3))
		}
		return nil
	})
}

func (o KeepalivedOptions) text(router string) string {
	text := fmt.Sprintf(`global_defs {
  router_id %s
  vrrp_version 3
  vrrp_rt_priority 50
}
vrrp_instance lab {
  state BACKUP
  nopreempt
  interface eth0
  virtual_router_id 51
  priority %d
  advert_int %.2f
  virtual_ipaddress {
    %s dev eth0
  }
}
`, router, o.Priority, o.Advert.Seconds(), o.VIP)
	if len(o.Servers) == 0 {
		return text
	}
	text += fmt.Sprintf("virtual_server %s 80 {\n  delay_loop 1\n  lvs_sched rr\n  lvs_method DR\n  protocol TCP\n", o.VIP.Addr())
	for _, s := range o.Servers {
		text += fmt.Sprintf("  real_server %s %d {\n    TCP_CHECK {\n      connect_timeout 1\n      retry 1\n      delay_before_retry 1\n    }\n  }\n", s.Addr(), s.Port())
	}
	return text + "}\n"
}
