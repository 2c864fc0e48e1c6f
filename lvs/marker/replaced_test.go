package marker_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"quorate/lvs"
	"quorate/lvs/lvstest"
	"quorate/lvs/nft"
)

// TestReplacedMarks: while the mark of a match changes, under a flood, each packet has the old one or the new one. What a kernel does wrong here it does to one packet in tens
// of thousands.
func TestReplacedMarks(t *testing.T) {
	const rounds, enough = 15, 4 * time.Second
	b := lvstest.NewBed(t)
	seen := &nftables.Table{Name: "seen", Family: nftables.TableFamilyINet}
	chain := &nftables.Chain{Table: seen, Name: "output", Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityRef(*nftables.ChainPriorityMangle + 2)}
	b.Director.Nftables(t, func(c *nftables.Conn) error {
		c.AddTable(seen)
		c.AddChain(chain)
		for mark := range uint32(3) {
			c.AddRule(&nftables.Rule{Table: seen, Chain: chain, Exprs: []expr.Any{
				&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, &expr.Cmp{Register: 1, Data: []byte{unix.IPPROTO_UDP}},
				&expr.Meta{Key: expr.MetaKeyMARK, Register: 1}, &expr.Cmp{Register: 1, Data: binaryutil.NativeEndian.PutUint32(mark)},
				&expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop}, // so that the flood is a fast one
			}})
		}
		return nil
	})
	set := func(mark uint32) {
		t.Helper()
		err := b.Director.Do(func() error {
			m := lvs.Match{First: lvstest.VIP4, Last: lvstest.VIP4.Next(), Protocol: lvs.UDP, FromPort: 8000, ToPort: 8099}
			_, _, err := nft.ReconcileMarks([]nft.Mark{{Match: m, Mark: mark}})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	set(1)
	end := b.Director.Flood(t, netip.AddrPortFrom(lvstest.VIP4, 8001))
	began := time.Now()
	for range rounds {
		if set(2); time.Since(began) > enough {
			break
		}
		set(1)
	}
	end()
	n := b.Director.Counted(t, chain)
	if len(n) != 3 {
		t.Fatalf("%d rules", len(n))
	}
	if n[0] > 0 || n[1] == 0 || n[2] == 0 {
		t.Errorf("%d packets had no mark, %d one of the two, %d the other", n[0], n[1], n[2])
	}
}
