package gate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// clsact attaches by a direct-action filter on a clsact qdisc, for kernels below 6.6. The filter holds the program, and the
// program its maps, so that nothing of it needs this process. Filters of others keep their place behind ours.
type clsact struct {
	progs programs
	nl    *netlink.Handle
	dir   string // of the pins; a directory clsact-INDEX in it says that the qdisc is ours
}

// Ours is told by these three. Priority 1 is the first; within it, the filter that came last is.
const (
	filterName     = "quorate"
	filterPriority = 1
	filterHandle   = 0x51
)

// probeClsact finds out whether the kernel can do it, on lo for an instant.
func probeClsact(progs programs, nl *netlink.Handle) (err error) {
	c := &clsact{progs: progs, nl: nl}
	lo := Link{Name: "lo", Index: 1}
	had, err := c.qdisc(lo.Index)
	if err == nil && had == nil {
		if err = c.nl.QdiscAdd(newClsact(lo.Index)); err == nil {
			defer func() { err = errors.Join(err, c.nl.QdiscDel(newClsact(lo.Index))) }()
		}
	}
	if err != nil {
		return fmt.Errorf("a clsact qdisc: %w", err)
	}
	f, err := c.wanted(lo.Index, In)
	if err != nil {
		return err
	}
	if err := c.nl.FilterAdd(f); err != nil {
		return fmt.Errorf("a filter on it: %w", err)
	}
	return c.nl.FilterDel(f)
}

func newClsact(index int) *netlink.GenericQdisc {
	return &netlink.GenericQdisc{QdiscType: "clsact", QdiscAttrs: netlink.QdiscAttrs{
		LinkIndex: index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT,
	}}
}

// qdisc returns the link's clsact or ingress qdisc, of which it has one at most; nil: none.
func (c *clsact) qdisc(index int) (netlink.Qdisc, error) {
	list, err := c.nl.QdiscList(&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: index}})
	if err != nil {
		return nil, fmt.Errorf("list qdiscs: %w", err)
	}
	for _, q := range list {
		if q.Attrs().LinkIndex == index && q.Attrs().Parent == netlink.HANDLE_CLSACT {
			return q, nil
		}
	}
	return nil, nil
}

func parent(d Direction) uint32 {
	if d == In {
		return netlink.HANDLE_MIN_INGRESS
	}
	return netlink.HANDLE_MIN_EGRESS
}

func (c *clsact) wanted(index int, d Direction) (*netlink.BpfFilter, error) {
	return &netlink.BpfFilter{
		FilterAttrs: netlink.FilterAttrs{
			LinkIndex: index, Parent: parent(d), Handle: filterHandle, Priority: filterPriority, Protocol: unix.ETH_P_ALL,
		},
		Fd: c.progs.of(d).FD(), Name: filterName, DirectAction: true,
	}, nil
}

// filters lists the filters of one direction, and which of them is ours.
func (c *clsact) filters(index int, d Direction) (ours *netlink.BpfFilter, others int, err error) {
	list, err := c.nl.FilterList(&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: index}}, parent(d))
	if err != nil {
		return nil, 0, fmt.Errorf("list filters: %w", err)
	}
	for _, f := range list {
		b, ok := f.(*netlink.BpfFilter)
		if ok && b.Name == filterName && b.Handle == filterHandle && b.Priority == filterPriority {
			ours = b
		} else {
			others++
		}
	}
	return ours, others, nil
}

func (c *clsact) ensure(l Link) (added []Direction, err error) {
	q, err := c.qdisc(l.Index)
	switch {
	case err != nil:
		return nil, err
	case q == nil:
		// First the mark: a qdisc that is ours and not marked would stay for ever.
		if err := os.Mkdir(c.mark(l.Index), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, err
		}
		if err := c.nl.QdiscAdd(newClsact(l.Index)); err != nil {
			return nil, fmt.Errorf("add a clsact qdisc: %w", err)
		}
	case q.Type() != "clsact":
		return nil, fmt.Errorf("it has an %s qdisc of another program, which leaves no room for clsact: that program has to use clsact, or the kernel has to be 6.6 or newer", q.Type())
	}
	var errs []error
	for _, d := range directions {
		was, err := c.direction(l.Index, d)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", d, err))
		} else if !was {
			added = append(added, d)
		}
	}
	return added, errors.Join(errs...)
}

// direction makes the link carry the program in one direction, and says whether it did before.
func (c *clsact) direction(index int, d Direction) (was bool, err error) {
	id, err := programID(c.progs.of(d))
	if err != nil {
		return false, err
	}
	ours, _, err := c.filters(index, d)
	if err != nil {
		return false, err
	}
	if ours != nil && ours.DirectAction && ours.Id == int(id) {
		return true, nil
	}
	f, err := c.wanted(index, d)
	if err != nil {
		return false, err
	}
	// Where there is one, of the process before this one, it is replaced without a gap.
	if err := c.nl.FilterReplace(f); err != nil {
		return false, fmt.Errorf("put the filter: %w; another program's filter of priority %d may be in the way (tc filter show)", err, filterPriority)
	}
	return ours != nil, nil
}

func (c *clsact) mark(index int) string { return filepath.Join(c.dir, fmt.Sprintf("clsact-%d", index)) }

func (c *clsact) prune(links []Link) error {
	have := make(map[string]bool, len(links))
	for _, l := range links {
		have[c.mark(l.Index)] = true
	}
	marks, err := filepath.Glob(filepath.Join(c.dir, "clsact-*"))
	errs := []error{err}
	for _, m := range marks {
		if !have[m] { // the qdisc went with its link
			errs = append(errs, os.Remove(m))
		}
	}
	return errors.Join(errs...)
}

func (c *clsact) remove(links []Link) error {
	var errs []error
	for _, l := range links {
		if err := c.removeFrom(l); err != nil && !errors.Is(err, unix.ENODEV) {
			errs = append(errs, fmt.Errorf("%s: %w", l.Name, err))
		}
	}
	return errors.Join(append(errs, c.prune(nil))...)
}

func (c *clsact) removeFrom(l Link) error {
	q, err := c.qdisc(l.Index)
	if err != nil || q == nil || q.Type() != "clsact" {
		return err
	}
	left := 0
	for _, d := range directions {
		ours, others, err := c.filters(l.Index, d)
		if err != nil {
			return err
		}
		left += others
		if ours == nil {
			continue
		}
		if err := c.nl.FilterDel(ours); err != nil {
			return fmt.Errorf("remove the filter: %w", err)
		}
	}
	if _, err := os.Stat(c.mark(l.Index)); err != nil || left > 0 {
		return nil // the qdisc is another program's, or in use
	}
	return c.nl.QdiscDel(newClsact(l.Index))
}
