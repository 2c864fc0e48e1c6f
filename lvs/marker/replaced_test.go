package marker_test

import (
	"fmt"
	"net"
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
	b.Director.Nftables(t, func(c *nftables.Conn) error {
		c.AddTable(seen)
		chain := c.AddChain(&nftables.Chain{Table: seen, Name: "output", Type: nftables.ChainTypeFilter,
			Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityRef(*nftables.ChainPriorityMangle + 2)})
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
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		stopped <- b.Director.Do(func() error {
			c, err := net.Dial("udp", netip.AddrPortFrom(lvstest.VIP4, 8001).String())
			if err != nil {
				return err
			}
			defer c.Close()
			for {
				select {
				case <-stop:
					return nil
				default:
					c.Write([]byte("?")) // it says that it may not
				}
			}
		})
	}()
	began := time.Now()
	for range rounds {
		if set(2); time.Since(began) > enough {
			break
		}
		set(1)
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	n := counted(t, b, seen)
	if n[0] > 0 || n[1] == 0 || n[2] == 0 {
		t.Errorf("%d packets had no mark, %d one of the two, %d the other", n[0], n[1], n[2])
	}
}

// counted are the packets that the rules of the chain output of a table have counted.
func counted(t *testing.T, b *lvstest.Bed, table *nftables.Table) (n [3]uint64) {
	t.Helper()
	b.Director.Nftables(t, func(c *nftables.Conn) error {
		rules, err := c.GetRules(table, &nftables.Chain{Table: table, Name: "output"})
		if err == nil && len(rules) != len(n) {
			err = fmt.Errorf("%d rules", len(rules))
		}
		if err != nil {
			return err
		}
		for i, r := range rules {
			for _, e := range r.Exprs {
				if counter, ok := e.(*expr.Counter); ok {
					n[i] = counter.Packets
				}
			}
		}
		return nil
	})
	return n
}
