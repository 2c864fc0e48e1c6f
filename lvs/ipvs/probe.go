package ipvs

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"quorate/lvs"
)

// known are the schedulers of ipvsadm(8), sorted.
var known = []string{"dh", "fo", "lblc", "lblcr", "lc", "mh", "nq", "ovf", "rr", "sed", "sh", "twos", "wlc", "wrr"}

// probeMark is the firewall mark from which on an unused one is looked for.
const probeMark = 0x71756f72

// probeSchedulers asks the kernel for each scheduler that we know, which loads its module where there is one: a service
// by a firewall mark that no packet has is added and deleted at once. See DESIGN.md.
func probeSchedulers(c *conn) ([]string, error) {
	existing, err := listServices(c)
	if err != nil {
		return nil, err
	}
	mark := uint32(probeMark)
	for slices.ContainsFunc(existing, func(s service) bool { return s.Mark == mark }) {
		mark++
	}
	any4 := netip.IPv4Unspecified()
	var batch []command
	for _, name := range known {
		for _, s := range []struct {
			cmd uint8
			lvs.Service
		}{{cmdNewService, lvs.Service{Mark: mark, Addr: any4, Scheduler: name}}, {cmdDelService, lvs.Service{Mark: mark, Addr: any4}}} {
			payload, err := appendService(nil, s.Service)
			if err != nil {
				return nil, err
			}
			batch = append(batch, command{s.cmd, payload})
		}
	}
	errs, err := c.batch(batch)
	if err != nil {
		return nil, fmt.Errorf("probing the kernel's schedulers: %w", err)
	}
	var out []string
	for i, name := range known {
		switch err := errs[2*i]; {
		case err == nil:
			out = append(out, name)
		case !errors.Is(err, unix.ENOENT):
			return nil, fmt.Errorf("probing scheduler %s: %w", name, permission(err))
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the kernel has IPVS but no scheduler: run modprobe ip_vs_wlc ip_vs_wrr ip_vs_rr ip_vs_sh")
	}
	return out, nil
}
