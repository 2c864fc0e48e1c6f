package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// FRR is a real vrrpd of FRRouting on a host, with the zebra that it needs: a second implementation of VRRP version 3.
type FRR struct {
	Journal *Journal // what vrrpd says, with times

	zebra, vrrpd *Process
}

// FRRRouter is one virtual router on eth0. It has its addresses on a virtual MAC.
type FRRRouter struct {
	VRID      uint8
	Priority  int // 1 to 254
	Advert    time.Duration
	Addresses []netip.Addr // of one family, in the order of the adverts
}

const frrPrograms = "/usr/lib/frr"

// FindFRR returns an error that says how to get FRR, if it is not there.
func FindFRR() error {
	for _, name := range []string{"zebra", "vrrpd"} {
		if _, err := exec.LookPath(filepath.Join(frrPrograms, name)); err != nil {
			return errors.New("FRR is not installed: apt-get install frr")
		}
	}
	return nil
}

// StartFRR makes the links that the routers need, starts zebra and vrrpd on the host, and waits until each router takes part. It may be
// called again after [FRR.End].
func (h *Host) StartFRR(ctx context.Context, routers ...FRRRouter) (*FRR, error) {
	if err := FindFRR(); err != nil {
		return nil, err
	}
	for _, key := range []string{ // an address is where its link is up, as FRR's manual asks
		"net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.ignore_routes_with_linkdown=1", "net.ipv6.conf.all.ignore_routes_with_linkdown=1",
	} {
		k, v, _ := strings.Cut(key, "=")
		if err := h.Sysctl(k, v); err != nil {
			return nil, err
		}
	}
	for _, r := range routers {
		if err := h.addVirtualMAC(ctx, r); err != nil {
			return nil, fmt.Errorf("host %s: virtual router %d: %w", h.Name, r.VRID, err)
		}
	}
	dir, err := h.frrDirectory()
	if err != nil {
		return nil, fmt.Errorf("host %s: directory of FRR: %w", h.Name, err)
	}
	start := func(name, conf string, journal *Journal) (*Process, error) {
		file := filepath.Join(dir, name+".conf")
		if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
			return nil, err
		}
		return h.Start(h.lab.ctx, Program{
			Name: name, Path: filepath.Join(frrPrograms, name), Stdout: journal, Stderr: journal,
			Args: []string{"-u", "frr", "-g", "frr", "-z", filepath.Join(dir, "zserv"), "-i", filepath.Join(dir, name+".pid"), "-f", file,
				"--vty_socket", dir, "-P", "0", "--log", "stdout"},
		})
	}
	f := &FRR{Journal: &Journal{}}
	if f.zebra, err = start("zebra", "log stdout\n", &Journal{}); err != nil {
		return nil, err
	}
	if err := Await(ctx, 5*time.Millisecond, func(context.Context) error { _, err := os.Stat(filepath.Join(dir, "zserv")); return err }); err != nil {
		return nil, fmt.Errorf("zebra on %s does not listen: %w", h.Name, err)
	}
	if f.vrrpd, err = start("vrrpd", frrConfig(routers), f.Journal); err != nil {
		return nil, err
	}
	return f, Await(ctx, 10*time.Millisecond, func(context.Context) error {
		for _, r := range routers {
			if s := f.State(r.VRID, r.Addresses[0].Is6()); s != "Backup" && s != "Master" {
				return fmt.Errorf("vrrpd on %s: virtual router %d is %q: %s", h.Name, r.VRID, s, tail(f.Journal.String(), 5))
			}
		}
		return nil
	})
}

func frrConfig(routers []FRRRouter) string {
	var b strings.Builder
	b.WriteString("log stdout\ndebug vrrp protocol\ninterface eth0\n")
	for _, r := range routers {
		family := "ip"
		if r.Addresses[0].Is6() {
			family = "ipv6"
		}
		fmt.Fprintf(&b, " vrrp %d version 3\n vrrp %d priority %d\n vrrp %d advertisement-interval %d\n", r.VRID, r.VRID, r.Priority, r.VRID, r.Advert.Milliseconds())
		for _, a := range r.Addresses {
			fmt.Fprintf(&b, " vrrp %d %s %s\n", r.VRID, family, a)
		}
	}
	return b.String()
}

// addVirtualMAC makes the link by which vrrpd knows a virtual router: a macvlan with its virtual MAC (RFC 9568 section 7.3) and its addresses.
func (h *Host) addVirtualMAC(ctx context.Context, r FRRRouter) error {
	links, err := h.Links()
	if err != nil {
		return err
	}
	eth0, err := links.LinkByName("eth0")
	if err != nil {
		return err
	}
	family := byte(1)
	if r.Addresses[0].Is6() {
		family = 2
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = fmt.Sprintf("vrrp%d-%d", family*2+2, r.VRID)
	attrs.ParentIndex = eth0.Attrs().Index
	attrs.HardwareAddr = net.HardwareAddr{0, 0, 0x5e, 0, family, r.VRID}
	if err := links.LinkAdd(&netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_BRIDGE}); err != nil {
		if errors.Is(err, unix.EEXIST) {
			return nil // of an earlier start
		}
		return err
	}
	link, err := links.LinkByName(attrs.Name)
	if err != nil {
		return err
	}
	for _, a := range r.Addresses {
		addr := &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(a, a.BitLen()))}
		if a.Is6() {
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := links.AddrAdd(link, addr); err != nil {
			return err
		}
	}
	// Down until vrrpd is Active, which takes the mark away. Otherwise the host would answer for the addresses until vrrpd has started.
	if out, err := h.Run(ctx, "ip", "link", "set", "dev", attrs.Name, "protodown", "on"); err != nil || out.Code != 0 {
		return fmt.Errorf("ip link set protodown: %v %s", err, out.Stderr)
	}
	return links.LinkSetUp(link)
}

// awaitDown waits until zebra has taken the links of virtual MACs down, which vrrpd has asked it for with its last word. One that ends before that leaves them up.
func (f *FRR) awaitDown(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_ = Await(ctx, 5*time.Millisecond, func(context.Context) error {
		links, err := f.vrrpd.Host().Links()
		if err != nil {
			return Final(err)
		}
		list, err := links.LinkList()
		for _, l := range list {
			if err == nil && l.Type() == "macvlan" && l.Attrs().OperState == netlink.OperUp {
				err = fmt.Errorf("%s is up", l.Attrs().Name)
			}
		}
		return err
	})
}

// frrDirectory is one that FRR's user can write in and reach.
func (h *Host) frrDirectory() (string, error) {
	u, err := user.Lookup("frr")
	if err != nil {
		return "", err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return "", err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(h.Dir, "frr")
	return dir, errors.Join(os.Chmod(h.lab.Dir, 0o711), os.RemoveAll(dir), os.MkdirAll(dir, 0o755), os.Chown(dir, uid, gid))
}

var frrState = regexp.MustCompile(`\[VRID (\d+)\] \[IPv([46])\] (\w+) -> (\w+)`)

// State is the state of a virtual router: "Initialize", "Backup" or "Master"; "" = none yet.
func (f *FRR) State(vrid uint8, six bool) string {
	state := ""
	for _, l := range f.States(vrid, six) {
		state = l.Text
	}
	return state
}

// States are the states that a virtual router has entered, each as a line of that one word.
func (f *FRR) States(vrid uint8, six bool) []Line {
	family := "4"
	if six {
		family = "6"
	}
	var out []Line
	for _, l := range f.Journal.Lines(0) {
		if m := frrState.FindStringSubmatch(l.Text); m != nil && m[1] == strconv.Itoa(int(vrid)) && m[2] == family {
			out = append(out, Line{l.At, m[4]})
		}
	}
	return out
}

// Complaints are what it has said of adverts that it drops. Each router of it drops those of the others, which is no complaint.
func (f *FRR) Complaints() []Line {
	var out []Line
	for _, l := range f.Journal.Lines(0) {
		if strings.Contains(l.Text, "invalid") && !strings.Contains(l.Text, "which does not match our instance") {
			out = append(out, l)
		}
	}
	return out
}

// End asks vrrpd to end (SIGTERM), then zebra, which takes the addresses off the wire for it.
func (f *FRR) End(ctx context.Context) error {
	if err := f.vrrpd.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	_ = f.vrrpd.Wait(ctx) // that it ended by a signal is as asked
	f.awaitDown(ctx)
	if err := f.zebra.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	_ = f.zebra.Wait(ctx)
	return ctx.Err()
}
