package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// Keepalived is a real keepalived on a host.
type Keepalived struct {
	*Process
	Journal *Journal // what it says, with times
}

// KeepalivedOptions say what a keepalived shall do.
type KeepalivedOptions struct {
	Instances []KeepalivedInstance
	// Servers, if there are any, get what comes to port 80 of the first address by direct routing; it connects to them each second.
	Servers []netip.AddrPort
	// Scheduler is how they are chosen, with its flags, like "mh mh-port"; "" = rr.
	Scheduler string
}

// KeepalivedInstance is one vrrp_instance on eth0.
type KeepalivedInstance struct {
	Name      string
	VRID      uint8
	Version   int // 2 or 3
	Priority  int // 1 to 254
	Advert    time.Duration
	Addresses []netip.Prefix // in the order of the adverts
	Password  string         // "" = none; of version 2
	Source    netip.Addr     // of the adverts; invalid = keepalived's choice
	Peers     []netip.Addr   // by unicast; none = multicast
	Preempt   bool
	VMAC      bool     // on a link with the virtual MAC: use_vmac
	More      []string // further lines of the block
}

// KeepalivedVIP is one VRRP version 3 instance that does not preempt. advert is a multiple of 10 ms, at most 40.95 s.
func KeepalivedVIP(vip netip.Prefix, priority int, advert time.Duration) []KeepalivedInstance {
	return []KeepalivedInstance{{Name: "lab", VRID: 51, Version: 3, Priority: priority, Advert: advert, Addresses: []netip.Prefix{vip}}}
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

// StartKeepalived starts keepalived on the host and waits until each instance takes part (BACKUP or MASTER).
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
	journal := &Journal{}
	p, err := h.Start(h.lab.ctx, Program{Name: "keepalived", Path: path, Args: args, Stdout: journal, Stderr: journal})
	if err != nil {
		return nil, err
	}
	k := &Keepalived{p, journal}
	return k, Await(ctx, 10*time.Millisecond, func(context.Context) error {
		select {
		case <-p.Done():
			return Final(fmt.Errorf("keepalived on %s ended: %s", h.Name, tail(k.Output(), 10)))
		default:
		}
		for _, i := range o.Instances {
			if k.State(i.Name) == "" {
				return fmt.Errorf("keepalived on %s has not entered a state of %s: %s", h.Name, i.Name, tail(k.Output(), 3))
			}
		}
		return nil
	})
}

// Output is what it has said so far.
func (k *Keepalived) Output() string { return k.Journal.String() }

// End asks it to end (SIGTERM), as an init system would, and waits for that.
func (k *Keepalived) End(ctx context.Context) error {
	if err := syscall.Kill(k.PID(), syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) { // it tells its children
		return fmt.Errorf("end keepalived on %s: %w", k.Host().Name, err)
	}
	if err := k.Wait(ctx); ctx.Err() != nil {
		return err
	}
	return nil
}

var entering = regexp.MustCompile(`\((\S+)\) Entering (\S+) STATE`)

// State is the state that an instance has entered last: "BACKUP", "MASTER", "FAULT"; "" = none yet.
func (k *Keepalived) State(instance string) string {
	state := ""
	for _, c := range k.States(instance) {
		state = c.Text
	}
	return state
}

// States are the states that an instance has entered, each as a line of that one word.
func (k *Keepalived) States(instance string) []Line {
	var out []Line
	for _, l := range k.Journal.Lines(0) {
		if m := entering.FindStringSubmatch(l.Text); m != nil && m[1] == instance {
			out = append(out, Line{l.At, m[2]})
		}
	}
	return out
}

// calm is all that a keepalived says that has nothing to complain of. That its start is complete is said by its parent process, before or after what its child says.
var calm = regexp.MustCompile(`VRRP sockpool|Startup complete|Starting VRRP child process|Entering (BACKUP|MASTER) STATE|received priority 0 advertisement|sent 0 priority|received advert from \S+ with higher priority \d+, ours \d+|` +
	`received lower priority \(\d+\) advert from \S+ - discarding|Received advert from \S+ with lower priority \d+, ours \d+, forcing new election|` +
	`(?i)sending (gratuitous|unsolicited)|sending/queueing (gratuitous|unsolicited)|receive advertisement timeout|(setting|removing) vips`)

// busy is what it says of the machine that it runs on.
var busy = regexp.MustCompile(`thread timer expired|Netlink: Received message overrun|Cannot set realtime`)

// Complaints are the lines that it has said since it opened its sockets and before it was told to end, and that a router whose neighbours
// do as they should does not say.
func (k *Keepalived) Complaints() []Line {
	var out []Line
	for _, l := range k.Journal.Lines(0) {
		switch {
		case strings.Contains(l.Text, "VRRP sockpool"): // the last one is that of the sockets
			out = nil
		case strings.Contains(l.Text, "Stopping"):
			return out
		case !calm.MatchString(l.Text) && !busy.MatchString(l.Text):
			out = append(out, l)
		}
	}
	return out
}

func (o KeepalivedOptions) text(router string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "global_defs {\n  router_id %s\n  vrrp_rt_priority 50\n  vrrp_rlimit_rttime 1000000\n}\n", router)
	for _, i := range o.Instances {
		i.write(&b)
	}
	if len(o.Servers) == 0 {
		return b.String()
	}
	fmt.Fprintf(&b, "virtual_server %s 80 {\n  delay_loop 1\n  lvs_sched %s\n  lvs_method DR\n  protocol TCP\n", o.Instances[0].Addresses[0].Addr(), strings.ReplaceAll(cmp.Or(o.Scheduler, "rr"), " ", "\n  "))
	for _, s := range o.Servers {
		fmt.Fprintf(&b, "  real_server %s %d {\n    TCP_CHECK {\n      connect_timeout 1\n      retry 1\n      delay_before_retry 1\n    }\n  }\n", s.Addr(), s.Port())
	}
	return b.String() + "}\n"
}

func (i KeepalivedInstance) write(b *strings.Builder) {
	fmt.Fprintf(b, "vrrp_instance %s {\n  state BACKUP\n  interface eth0\n  virtual_router_id %d\n  priority %d\n  version %d\n  advert_int %.2f\n",
		i.Name, i.VRID, i.Priority, i.Version, i.Advert.Seconds())
	if !i.Preempt {
		b.WriteString("  nopreempt\n")
	}
	if len(i.Peers) > 0 {
		fmt.Fprintf(b, "  unicast_src_ip %s\n  unicast_peer {\n", i.Source)
		for _, p := range i.Peers {
			fmt.Fprintf(b, "    %s\n", p)
		}
		b.WriteString("  }\n")
	} else if i.Source.IsValid() {
		fmt.Fprintf(b, "  mcast_src_ip %s\n", i.Source)
	}
	if i.Password != "" {
		fmt.Fprintf(b, "  authentication {\n    auth_type PASS\n    auth_pass %s\n  }\n", i.Password)
	}
	on := " dev eth0"
	if i.VMAC {
		b.WriteString("  use_vmac\n")
		on = "" // that link
	}
	b.WriteString("  virtual_ipaddress {\n")
	for _, a := range i.Addresses {
		fmt.Fprintf(b, "    %s%s\n", a, on)
	}
	b.WriteString("  }\n")
	for _, line := range i.More {
		fmt.Fprintf(b, "  %s\n", line)
	}
	b.WriteString("}\n")
}
