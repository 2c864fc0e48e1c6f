package lab

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Footprint lists what a lab could leave behind on the machine that it runs on: interfaces, addresses, routes, rules,
// nftables tables, forwarding, mounts, loop devices, named namespaces, namespaces that this process holds, programs of labs, and
// labs' directories, state files and control groups. Each entry is a line for a person.
type Footprint []string

// TakeFootprint looks at the machine, and at the network namespace that the calling process is in. Labs that other
// processes run at the same time are left out.
func TakeFootprint() (Footprint, error) {
	labs, err := Running()
	errs := []error{err}
	var others []string
	for _, l := range labs {
		if l.Alive && l.PID != os.Getpid() {
			others = append(others, l.ID)
		}
	}
	var f Footprint
	for _, look := range []func(*Footprint) error{(*Footprint).network, (*Footprint).tables, (*Footprint).files, (*Footprint).programs} {
		errs = append(errs, look(&f))
	}
	f = slices.DeleteFunc(f, func(entry string) bool {
		return slices.ContainsFunc(others, func(id string) bool { return strings.Contains(entry, id) })
	})
	slices.Sort(f)
	return f, errors.Join(errs...)
}

// Compare waits, at most for patience, until the machine is as it was at before: the kernel takes namespaces apart in
// the background. It returns what is different then, one line each.
func (f Footprint) Compare(patience time.Duration) ([]string, error) {
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		now, err := TakeFootprint()
		if err != nil {
			return nil, err
		}
		var diff []string
		for _, e := range missing(now, f) {
			diff = append(diff, "new: "+e)
		}
		for _, e := range missing(f, now) {
			diff = append(diff, "gone: "+e)
		}
		if len(diff) == 0 || time.Now().After(deadline) {
			return diff, nil
		}
	}
}

// missing returns what is in from and not in in.
func missing(from, in Footprint) []string {
	var out []string
	for _, e := range from {
		if _, found := slices.BinarySearchFunc(in, e, cmp.Compare[string]); !found {
			out = append(out, e)
		}
	}
	return out
}

func (f *Footprint) note(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

func (f *Footprint) network() error {
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("list interfaces: %w", err)
	}
	for _, l := range links {
		f.note("interface %s (%s)", l.Attrs().Name, l.Type())
		addrs, err := netlink.AddrList(l, netlink.FAMILY_ALL)
		if err != nil {
			return fmt.Errorf("list the addresses of %s: %w", l.Attrs().Name, err)
		}
		for _, a := range addrs {
			f.note("address %s on %s", a.IPNet, l.Attrs().Name)
		}
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return fmt.Errorf("list routes: %w", err)
	}
	for _, r := range routes {
		f.note("route to %s via %s on interface %d", r.Dst, r.Gw, r.LinkIndex)
	}
	rules, err := netlink.RuleList(netlink.FAMILY_ALL)
	if err != nil {
		return fmt.Errorf("list routing rules: %w", err)
	}
	for _, r := range rules {
		f.note("routing %s", r)
	}
	return nil
}

func (f *Footprint) tables() error {
	nft, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	tables, err := nft.ListTables()
	if err != nil && !errors.Is(err, unix.EPROTONOSUPPORT) { // a kernel without nftables has no tables
		return fmt.Errorf("list nftables tables: %w", err)
	}
	for _, t := range tables {
		f.note("nftables table %s of family %d", t.Name, t.Family)
	}
	for _, path := range []string{"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"} {
		if b, err := os.ReadFile(path); err == nil { // a kernel without IPv6 has no such file
			f.note("%s = %s", path, strings.TrimSpace(string(b)))
		}
	}
	return nil
}

func (f *Footprint) files() error {
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	defer mounts.Close()
	for sc := bufio.NewScanner(mounts); sc.Scan(); {
		// proc(5): the fifth is the mount point. The first agent mounts bpffs, which no one takes away from the next.
		if fields := strings.Fields(sc.Text()); len(fields) > 4 && fields[4] != "/sys/fs/bpf" {
			f.note("mount on %s", fields[4])
		}
	}
	for _, pattern := range []string{
		"/run/netns/*", filepath.Join(StateDir, "*"), filepath.Join(os.TempDir(), "quorate-lab-*"),
		filepath.Join(memoryRootV1, "quorate-lab-*"), filepath.Join(memoryRootV2, "quorate-lab-*"),
	} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, p := range paths {
			f.note("file %s", p)
		}
	}
	loops, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		return err
	}
	for _, path := range loops {
		if image, err := os.ReadFile(path); err == nil { // it may go at this moment
			f.note("loop device of %s", strings.TrimSpace(string(image)))
		}
	}
	return nil
}

// programs lists processes by number: one that is there before and after is the same.
func (f *Footprint) programs() error {
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return err
	}
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		return err
	}
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err == nil && strings.HasPrefix(target, "net:[") && target != own {
			f.note("descriptor of namespace %s", target)
		}
	}
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return err
	}
	for _, path := range environs {
		env, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		for v := range strings.SplitSeq(string(env), "\x00") {
			if id, ok := strings.CutPrefix(v, marker+"="); ok {
				pid := strings.Split(path, "/")[2]
				comm, _ := os.ReadFile("/proc/" + pid + "/comm")
				f.note("program %s of %s, process %s", strings.TrimSpace(string(comm)), id, pid)
			}
		}
	}
	return nil
}
