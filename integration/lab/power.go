package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// PowerOn makes the host's namespace and plugs it into the bridge, with its addresses and sysctls and nothing else. It
// starts no program. On a host that is on it does nothing.
func (h *Host) PowerOn() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ns != nil {
		return nil
	}
	h.clear()
	ns, err := newNamespace()
	if err != nil {
		return fmt.Errorf("host %s: %w", h.Name, err)
	}
	err = h.wire(ns)
	for _, d := range h.disks {
		if err == nil {
			err = d.mount(ns)
		}
	}
	if err != nil {
		h.unwire()
		ns.close()
		return err
	}
	h.ns = ns
	return h.lab.applyFilters()
}

// wire makes the cable and configures eth0.
func (h *Host) wire(ns *namespace) error {
	for _, s := range h.sysctls {
		if err := ns.sysctl(s[0], s[1]); err != nil {
			return fmt.Errorf("host %s: %w", h.Name, err)
		}
	}
	port := netlink.NewVeth(netlink.NewLinkAttrs())
	port.Name, port.PeerName = h.Name, "eth0"
	port.PeerNamespace = netlink.NsFd(ns.fd)
	port.PeerHardwareAddr = h.MAC
	port.MasterIndex = h.lab.br.Index
	if err := h.lab.sw.links.LinkAdd(port); err != nil {
		return fmt.Errorf("host %s: make its cable: %w", h.Name, err)
	}
	made, err := h.port()
	if err != nil {
		return err
	}
	h.lab.mu.Lock()
	h.lab.ports[made.Attrs().Index] = h.Name
	h.lab.mu.Unlock()
	if err := h.lab.sw.links.LinkSetUp(made); err != nil {
		return fmt.Errorf("host %s: set its cable up: %w", h.Name, err)
	}
	eth0, err := ns.links.LinkByName("eth0")
	if err != nil {
		return fmt.Errorf("host %s: find eth0: %w", h.Name, err)
	}
	if err := ns.links.LinkSetUp(eth0); err != nil {
		return fmt.Errorf("host %s: set eth0 up: %w", h.Name, err)
	}
	for _, p := range h.Prefixes {
		if err := h.addTo(ns, p); err != nil {
			return err
		}
	}
	return h.addSilent(ns, h.silent)
}

// unwire removes the cable, if there is one.
func (h *Host) unwire() {
	if port, err := h.port(); err == nil {
		_ = h.lab.sw.links.LinkDel(port) // whatever fails here goes with the namespace
	}
}

// PowerOff is a loss of power: in the same moment the network loses the host (silently, no other host sees a carrier
// change) and its programs stop; its kernel state is gone for whoever switches it on again. Files stay.
func (h *Host) PowerOff() error {
	if err := h.Unplug(); err != nil {
		return err
	}
	return h.off()
}

// off leaves the namespace to clear. To take it apart, the kernel that all hosts share holds its lock on network configuration (rtnl) for
// some 20 ms, in which no other host could take over an address: machines that are lost do not do that to others.
func (h *Host) off() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ns == nil {
		return nil
	}
	var errs []error
	for _, d := range h.disks { // what waits for a stalled disk cannot be killed
		errs = append(errs, d.Resume())
	}
	errs = append(errs, h.killAll(h.ns.inode))
	for _, p := range h.processes {
		<-p.done
	}
	h.processes = nil
	for _, d := range h.disks {
		errs = append(errs, d.unmount(h.ns))
	}
	h.wreck, h.ns = h.ns, nil
	return errors.Join(errs...)
}

// remove is the end of the host.
func (h *Host) remove() error {
	err := h.off()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clear()
	return err
}

// clear removes what the power was taken from.
func (h *Host) clear() {
	if h.wreck != nil {
		h.unwire()
		h.wreck.close()
		h.wreck = nil
	}
}

// KillAll kills every process on the host with SIGKILL, whoever started it, and leaves the network and the kernel's
// state as they are.
func (h *Host) KillAll() error {
	ns, err := h.namespace()
	if err != nil {
		return err
	}
	return h.killAll(ns.inode)
}

// killAll repeats until it finds nobody: a process may fork between being listed and being killed.
func (h *Host) killAll(inode uint64) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		pids, err := processesIn(inode)
		if err != nil {
			return fmt.Errorf("host %s: list its processes: %w", h.Name, err)
		}
		if len(pids) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("host %s: processes %v survive SIGKILL for 10 s", h.Name, pids)
		}
		for _, pid := range pids {
			if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("host %s: kill %d: %w", h.Name, pid, err)
			}
		}
		time.Sleep(time.Millisecond) // the kernel tears them down
	}
}

// Processes lists the processes on the host, whoever started them.
func (h *Host) Processes() ([]int, error) {
	ns, err := h.namespace()
	if err != nil {
		return nil, err
	}
	return processesIn(ns.inode)
}

// processesIn lists the processes whose network namespace is the one with that inode. The inode is certain only while
// somebody holds the namespace: the kernel uses numbers again at once.
func processesIn(inode uint64) ([]int, error) {
	links, err := filepath.Glob("/proc/[0-9]*/ns/net")
	if err != nil {
		return nil, err
	}
	var out []int
	for _, link := range links {
		// A process that has just ended, also a zombie, has no namespace any more and cannot be asked for it.
		if target, err := os.Readlink(link); err != nil || target != fmt.Sprintf("net:[%d]", inode) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(link)))); err == nil {
			out = append(out, pid)
		}
	}
	return out, nil
}
