package gate

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	vnl "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// nftGate is the gate of nftables. What is weaker in it than in a program on every link, see DESIGN-nft.md.
type nftGate struct {
	in   func(func() error) error
	ours layout // what the tables have to be

	lease *leaseSocket // Renew's alone

	// The actuator's alone:
	wanted  []Entry // what Set was told last, for tables that have to be made anew
	told    bool    // Set was called
	carried bool    // the tables were seen to be right
	removed bool
}

var errRemoved = errors.New("gate: it has been removed")

// openNFT probes the kernel, and makes the tables if there are none. Those of an earlier process stay as they are: also
// when they are not as they have to be, until Check.
func openNFT(o Options) (Gate, error) {
	g := &nftGate{in: o.In}
	err := o.In(func() (err error) {
		if err := probeNFT(); err != nil {
			return err
		}
		if g.ours, err = compile(); err != nil {
			return err
		}
		l, err := listTables()
		if err != nil {
			return err
		}
		switch {
		case len(l.layout) == 0:
			if err := rebuild(newContent()); err != nil {
				return err
			}
			g.carried = true
		default:
			g.carried = g.ours.differs(l.layout) == ""
		}
		g.lease, err = newLeaseSocket()
		return err
	})
	if err != nil {
		return nil, err
	}
	return g, nil
}

// Kind implements Gate.
func (g *nftGate) Kind() Kind { return KindNFT }

// Renew implements Lease.
func (g *nftGate) Renew(epoch uint64, until time.Duration) error {
	return g.lease.renew(epoch, until)
}

// nftPasses bounds how often Set lists and changes again.
const nftPasses = 4

// Set implements Fence.
func (g *nftGate) Set(entries []Entry) error {
	if g.removed {
		return errRemoved
	}
	want, impossible := desired(entries)
	g.wanted, g.told = slices.Clone(entries), true
	return errors.Join(impossible, g.in(func() error { return converge(want) }))
}

// converge lists and changes until the list is what is wanted. A change that took so long that a linger outlives its end
// shows in the next list.
func converge(want content) error {
	for pass := range nftPasses + 1 {
		before := bootNow()
		have, err := listSets()
		if errors.Is(err, unix.ENOENT) {
			err = rebuild(want)
			if err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		s := diff(have, want, before, bootNow())
		if s.empty() {
			return nil
		}
		if pass == nftPasses {
			return errors.Join(errNFTDiffers, closeAll(s.closing()))
		}
		if err := takeSteps(s); err != nil {
			return errors.Join(err, closeAll(s.closing()))
		}
	}
	return errNFTDiffers
}

var errNFTDiffers = fmt.Errorf("gate: table %s differs again after each change: another program writes to it, or the kernel takes too long: see \"nft monitor\"", nftTable)

func takeSteps(s steps) error {
	t := newTransaction(nftTable, bootNow)
	t.take(s)
	if err := t.commit(); err != nil {
		return fmt.Errorf("gate: changing table %s: %w", nftTable, err)
	}
	return nil
}

// closeAll is for when a transaction as a whole has failed: the part of it that closes, and if that fails too, each alone.
func closeAll(s steps) error {
	if s.empty() || takeSteps(s) == nil {
		return nil
	}
	var errs []error
	for _, one := range s.single() {
		errs = append(errs, takeSteps(one))
	}
	return errors.Join(errs...)
}

// rebuild makes the tables anew in one transaction, in place of what there is of them, with that content. There is no lease in
// them: all is closed until the next renewal.
func rebuild(c content) error {
	there, err := existing()
	if err != nil {
		return err
	}
	t := newTransaction(nftTable, bootNow)
	for _, f := range there {
		t.conn.DelTable(t.tables[f])
	}
	now := bootNow()
	for _, f := range []nftables.TableFamily{famINet, famARP} {
		t.build(f)
	}
	t.take(diff(newContent(), c, now, now))
	if err := t.commit(); err != nil {
		return fmt.Errorf("gate: making table %s: %w", nftTable, err)
	}
	return nil
}

// Check implements Fence. The hooks see the packets of all links, so a link that comes carries the gate at once, and all carry
// it or none.
func (g *nftGate) Check() (Report, error) {
	if g.removed {
		return Report{}, errRemoved
	}
	var r Report
	err := g.in(func() error {
		links, ports, err := ethernetLinks()
		if err != nil {
			return err
		}
		r.Ports = ports
		mended, bad, err := g.check()
		if err != nil {
			return err
		}
		if !g.carried {
			mended = ""
		}
		g.carried = g.carried || bad == nil
		for _, l := range links {
			l.Err, l.Mended = bad, mended
			r.Links = append(r.Links, l)
		}
		return nil
	})
	return r, err
}

// check makes the tables right. mended says what was wrong, bad why it still is, err that they could not be listed.
func (g *nftGate) check() (mended string, bad, err error) {
	l, err := listTables()
	if err != nil {
		return "", nil, err
	}
	wrong := g.ours.differs(l.layout)
	if wrong == "" {
		return "", nil, nil
	}
	c, _ := desired(g.wanted)
	if !g.told {
		c = addressesOf(l.layout).closed()
	}
	if err := rebuild(c); err != nil {
		return "", fmt.Errorf("%w (%s)", err, wrong), nil
	}
	if l, err = listTables(); err != nil {
		return "", nil, err
	}
	if still := g.ours.differs(l.layout); still != "" {
		return "", fmt.Errorf("gate: table %s is not as it was made: %s: another program writes to it: see \"nft monitor\"", nftTable, still), nil
	}
	return wrong, nil, nil
}

// addressesOf reads the cluster addresses of tables that are not as they have to be: what can be read of them.
func addressesOf(l layout) content {
	c := newContent()
	withConn(func(conn *netlink.Conn) error {
		for _, s := range nftSets {
			if !strings.HasPrefix(s.name, "cluster") || !slices.Contains(l, setLine(s.family, s.name, 0, uint64(s.key.Bytes), 0)) {
				continue
			}
			listSet(conn, s.id(), func(e []byte) { c.fixed[s.id()][string(attr(e, unix.NFTA_SET_ELEM_KEY, unix.NFTA_DATA_VALUE))] = "" })
		}
		return nil
	})
	return c
}

// Remove implements Fence.
func (g *nftGate) Remove() error {
	g.removed = true
	return g.in(removeNFT)
}

// removeNFT deletes our tables, those of an earlier process too.
func removeNFT() error {
	there, err := existing()
	if noNFT(err) || err == nil && len(there) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	t := newTransaction(nftTable, bootNow)
	for _, f := range there {
		t.conn.DelTable(t.tables[f])
	}
	if err := t.commit(); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("gate: removing table %s: %w", nftTable, err)
	}
	return nil
}

// noNFT says whether a request to list tables failed because this kernel has no nf_tables, or no netfilter.
func noNFT(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPROTONOSUPPORT)
}

// Drops implements Gate.
func (g *nftGate) Drops() (drops []Drops, err error) {
	err = g.in(func() error {
		l, err := listTables()
		drops = addUp(l.drops)
		return err
	})
	return drops, err
}

// Close implements Gate.
func (g *nftGate) Close() error { return g.lease.close() }

// withConn opens a socket in the namespace of the calling thread.
func withConn(f func(*netlink.Conn) error) error {
	c, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return fmt.Errorf("gate: opening a netfilter socket: %w", err)
	}
	defer c.Close()
	return f(c)
}

func listTables() (l listed, err error) {
	err = withConn(func(c *netlink.Conn) (err error) { l, err = listLayout(c); return err })
	return l, err
}

func listSets() (s content, err error) {
	err = withConn(func(c *netlink.Conn) (err error) { s, err = listContent(c); return err })
	return s, err
}

// existing are the families in which there is a table of our name.
func existing() (there []nftables.TableFamily, err error) {
	err = withConn(func(c *netlink.Conn) error {
		for _, f := range []nftables.TableFamily{famINet, famARP} {
			tables, err := dump(c, f, unix.NFT_MSG_GETTABLE)
			if err != nil {
				return fmt.Errorf("gate: listing the tables of family %s: %w", familyName(f), err)
			}
			if slices.ContainsFunc(tables, func(t []byte) bool { return text(attr(t, unix.NFTA_TABLE_NAME)) == nftTable }) {
				there = append(there, f)
			}
		}
		return nil
	})
	return there, err
}

// ethernetLinks are the links of the calling thread's namespace that the gate is for, and the ports that it is not for.
func ethernetLinks() ([]Link, map[string]string, error) {
	h, err := vnl.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, nil, fmt.Errorf("gate: opening a route socket: %w", err)
	}
	defer h.Close()
	return gated(h)
}
