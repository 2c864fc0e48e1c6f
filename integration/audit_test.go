package integration

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"

	"quorate/fsm"
	"quorate/integration/lab"
)

// happened waits for an event of the timeline that pick takes, after an index.
func happened(t *testing.T, d *lab.Director, after uint64, limit time.Duration, what string, pick func(fsm.Event) bool) fsm.Event {
	t.Helper()
	var last []fsm.Event
	var found fsm.Event
	err := lab.Await(within(t, limit), 20*time.Millisecond, func(ctx context.Context) error {
		es, err := d.API.LastEvents(ctx, 200)
		if err != nil {
			return err
		}
		last = es.Events
		i := slices.IndexFunc(last, func(e fsm.Event) bool { return e.Index > after && pick(e) })
		if i < 0 {
			return errors.New("it is not in the timeline")
		}
		found = last[i]
		return nil
	})
	if err != nil {
		for _, e := range last {
			t.Logf("%d %s %s %s: %s", e.Index, e.Kind, e.Reason, e.VIP, e.Text)
		}
		t.Fatalf("%s: %v", what, err)
	}
	return found
}

func because(vip string, code fsm.ReasonCode) func(fsm.Event) bool {
	return func(e fsm.Event) bool { return e.VIP == vip && e.Reason == code }
}

// TestMovesAreVerified: after a planned move and after a loss of power another node hears the new owner, and the timeline says how long
// each stage took.
func TestMovesAreVerified(t *testing.T) {
	bed := newBed(t, 3, 0)
	form(t, bed)
	apply(t, bed.Directors[0], new(lab.Config).VIP("web", lab.VIP(1)).VIP("six", lab.VIP6(1)))
	owned(t, bed, lab.VIP(1), lab.VIP6(1))
	var owners []*lab.Director
	for _, v := range []netip.Addr{lab.VIP(1).Addr(), lab.VIP6(1).Addr()} {
		d, err := bed.AwaitOwner(within(t, 5*time.Second), v, nil)
		must(t, err)
		owners = append(owners, d)
	}
	next := bed.Directors[slices.IndexFunc(bed.Directors, func(d *lab.Director) bool { return !slices.Contains(owners, d) })]
	third := owners[0]
	says(t, third, "vip", "move", "web", next.Name)
	says(t, third, "vip", "move", "six", next.Name)
	for _, vip := range []string{"web", "six"} {
		e := happened(t, third, 0, 10*time.Second, "the move of "+vip+" is verified", because(vip, fsm.ReasonVerified))
		t.Log(e.Text)
		if s := e.Stages; e.Node != next.ID() || s.Suspect != 0 || s.Committed <= 0 || s.Applied < s.Committed || s.Announced < s.Applied || s.Verified < s.Applied {
			t.Errorf("%s: %s %+v", vip, e.Node, s)
		}
	}

	st, err := third.API.Status(within(t, 5*time.Second))
	must(t, err)
	must(t, next.PowerOff())
	for _, vip := range []string{"web", "six"} {
		e := happened(t, third, st.Index, 10*time.Second, "the failover of "+vip+" is verified", because(vip, fsm.ReasonVerified))
		t.Log(e.Text)
		s := e.Stages
		order := []int64{1, s.Suspect, s.Promised, s.Committed, s.Applied, s.Announced}
		if e.Node == next.ID() || !slices.IsSorted(order) || s.Verified < s.Applied || s.Verified > (3*time.Second).Microseconds() {
			t.Errorf("%s: %s %+v", vip, e.Node, s)
		}
	}
}

// mute makes a director's kernel say nothing by ARP in the name of an address, and nobody notice but who asks for it.
func mute(t *testing.T, d *lab.Director, a netip.Addr) {
	t.Helper()
	must(t, d.Do(func() error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		table := c.AddTable(&nftables.Table{Family: nftables.TableFamilyARP, Name: "mute"})
		out := c.AddChain(&nftables.Chain{Table: table, Name: "out", Type: nftables.ChainTypeFilter,
			Hooknum: nftables.ChainHookRef(1), Priority: nftables.ChainPriorityFilter}) // NF_ARP_OUT
		c.AddRule(&nftables.Rule{Table: table, Chain: out, Exprs: []expr.Any{
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 14, Len: 4}, // sender
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: a.AsSlice()},
			&expr.Verdict{Kind: expr.VerdictDrop},
		}})
		return c.Flush()
	}))
}

// TestWireIsAudited: a second host with an owner's VIP, an owner that does not answer, and a stranger that answers in its stead are in the
// timeline, and so is the end of it.
func TestWireIsAudited(t *testing.T) {
	bed := newBed(t, 3, 0)
	squatter, err := bed.AddHost("squatter", lab.HostPrefixes(82)...)
	must(t, err)
	form(t, bed)
	d := bed.Directors
	apply(t, d[0], new(lab.Config).VIP("a", lab.VIP(1), `prefer = ["n1"]`).VIP("b", lab.VIP(2), `prefer = ["n3"]`))
	owned(t, bed, lab.VIP(1), lab.VIP(2))
	says(t, d[0], "vip", "move", "b", "n2")
	happened(t, d[2], 0, 5*time.Second, "the move is verified", because("b", fsm.ReasonVerified)) // after this, only lasting silence moves it
	const limit = 15 * time.Second                                                                // the VIPs are new: they are looked at after 5 s

	mute(t, d[1], lab.VIP(2).Addr())
	must(t, errors.Join(squatter.AddAddress(lab.VIP(1)), squatter.Announce(lab.VIP(1).Addr())))
	e := happened(t, d[2], 0, 5*time.Second, "the owner hears the other host", because("a", fsm.ReasonForeign))
	if e.Actor != "n1" {
		t.Errorf("%s says: %s", e.Actor, e.Text)
	}
	for _, what := range []func(fsm.Event) bool{because("a", fsm.ReasonDuplicate), because("b", fsm.ReasonNoOwner)} {
		e := happened(t, d[2], 0, limit, "what is wrong is found", what)
		t.Log(e.Text)
		if e.Actor == string(e.Node) {
			t.Errorf("%s looked at itself: %s", e.Actor, e.Text)
		}
	}
	must(t, errors.Join(squatter.RemoveAddress(lab.VIP(1)), squatter.AddAddress(lab.VIP(2))))
	for _, what := range []func(fsm.Event) bool{because("a", fsm.ReasonVerified), because("b", fsm.ReasonForeign)} {
		t.Log(happened(t, d[2], e.Index, limit, "what has changed is found", what).Text)
	}
	es, err := d[2].API.LastEvents(within(t, 5*time.Second), 200)
	must(t, err)
	count := map[string]int{}
	for _, e := range es.Events {
		if e.Kind == fsm.EventReported {
			count[e.VIP+" "+string(e.Reason)]++
		}
	}
	for what, n := range count {
		if n > 1 {
			t.Errorf("%q is told %d times", what, n)
		}
	}
	// A stranger beside the owner moves nothing; an owner that is not heard, whatever it announces, loses the VIP.
	must(t, squatter.RemoveAddress(lab.VIP(2)))
	gone := happened(t, d[2], 0, 2*time.Minute, "the silent owner is asked to give it up", func(e fsm.Event) bool {
		return e.Kind == fsm.EventRelease && e.VIP == "b" && e.Reason == fsm.ReasonUnheard
	})
	t.Log(gone.Text)
	next := happened(t, d[2], gone.Index, 5*time.Second, "another node gets it", func(e fsm.Event) bool { return e.Kind == fsm.EventAssign && e.VIP == "b" })
	if next.Node == d[1].ID() {
		t.Errorf("%s got it again: %s", next.Node, next.Text)
	}
	if o, err := bed.AwaitOwner(within(t, time.Second), lab.VIP(1).Addr(), nil); err != nil || o != d[0] {
		t.Errorf("a is on %v (%v)", o, err)
	}
}

// TestLostLink: the owner's link to a VIP's network loses its carrier, while the nodes reach each other on another.
func TestLostLink(t *testing.T) {
	bed := newBed(t, 3, 0)
	for i, d := range bed.Directors {
		nl, err := d.Links()
		must(t, err)
		at := netlink.NewLinkAttrs()
		at.Name = "front"
		must(t, nl.LinkAdd(&netlink.Veth{LinkAttrs: at, PeerName: "wall"}))
		for _, name := range []string{"front", "wall"} {
			l, err := nl.LinkByName(name)
			must(t, err)
			must(t, nl.LinkSetUp(l))
			if name == "front" {
				a, err := netlink.ParseAddr(netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(i + 1)}), 24).String())
				must(t, err)
				must(t, nl.AddrAdd(l, a))
			}
		}
	}
	form(t, bed)
	vip := netip.MustParsePrefix("198.51.100.100/24")
	apply(t, bed.Directors[0], new(lab.Config).VIP("front", vip))
	given := happened(t, bed.Directors[0], 0, 5*time.Second, "it has an owner", func(e fsm.Event) bool { return e.Kind == fsm.EventAssign })
	i := slices.IndexFunc(bed.Directors, func(d *lab.Director) bool { return d.ID() == given.Node })
	owner, witness := bed.Directors[i], bed.Directors[(i+1)%3]
	nl, err := owner.Links()
	must(t, err)
	front, err := nl.LinkByName("front")
	must(t, err)
	must(t, lab.Await(within(t, 5*time.Second), 5*time.Millisecond, func(context.Context) error {
		list, err := nl.AddrList(front, netlink.FAMILY_V4)
		if err == nil && len(list) < 2 {
			err = errors.New("it is not in the kernel")
		}
		return err
	}))
	wall, err := nl.LinkByName("wall")
	must(t, err)
	stood, at := watchStalls(t), time.Now()
	must(t, nl.LinkSetDown(wall))
	released := happened(t, witness, given.Index, 5*time.Second, "the owner is asked to give it up", func(e fsm.Event) bool {
		return e.Kind == fsm.EventRelease && e.VIP == "front"
	})
	assigned := happened(t, witness, released.Index, 5*time.Second, "another node gets it", func(e fsm.Event) bool {
		return e.Kind == fsm.EventAssign && e.VIP == "front" && e.Node != owner.ID()
	})
	t.Logf("released after %v, assigned after %v", released.At.Sub(at), assigned.At.Sub(at))
	if took, stalled := assigned.At.Sub(at), stood(); took > time.Second+stalled {
		t.Errorf("the VIP was with a node that nobody hears for %v, of which the machine stood still for %v", took, stalled)
	}
}
