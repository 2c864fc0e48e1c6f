package nft

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"quorate/lvs"
	"quorate/lvs/lvstest"
)

// TestReplacedSlots: while the servers of a service change, under a flood, each new connection gets one of them. What a kernel does wrong here it does to one packet in
// hundreds of thousands.
func TestReplacedSlots(t *testing.T) {
	const rounds, enough = 1000, 3 * time.Second
	b := lvstest.NewBed(t)
	p := b.Plane(t, open)
	seen := &nftables.Table{Name: "seen", Family: nftables.TableFamilyINet}
	chain := &nftables.Chain{Table: seen, Name: "output", Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityFilter}
	b.Director.Nftables(t, func(c *nftables.Conn) error {
		c.AddTable(seen)
		c.AddChain(chain)
		for _, op := range []expr.CmpOp{expr.CmpOpEq, expr.CmpOpNeq} { // still to the VIP, or to a server
			c.AddRule(&nftables.Rule{Table: seen, Chain: chain, Exprs: []expr.Any{
				&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, &expr.Cmp{Register: 1, Data: []byte{unix.IPPROTO_UDP}},
				&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4}, &expr.Cmp{Op: op, Register: 1, Data: lvstest.VIP4.AsSlice()},
				&expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop}, // so that each packet is the first of a connection
			}})
		}
		return nil
	})
	set := func(weight int) {
		t.Helper()
		s := lvs.Service{Addr: lvstest.VIP4, Port: 8001, Protocol: lvs.UDP, Scheduler: "wrr", Forward: lvs.NAT}
		for i, srv := range b.Servers[:2] {
			s.Destinations = append(s.Destinations, lvs.Destination{Addr: srv.Addr(lvstest.VIP4), Weight: 1 + i*weight})
		}
		if _, err := p.Reconcile(lvs.Scope{}, []lvs.Service{s}); err != nil {
			t.Fatal(err)
		}
	}
	set(0)
	end := b.Director.Flood(t, netip.AddrPortFrom(lvstest.VIP4, 8001))
	began := time.Now()
	for i := range rounds {
		if set(1 + i%2); time.Since(began) > enough {
			break
		}
	}
	end()
	if n := b.Director.Counted(t, chain); len(n) != 2 || n[0] > 0 || n[1] == 0 {
		t.Errorf("packets that no server got, and that one got: %d", n)
	}
}
