package nft

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/google/nftables"

	"quorate/lvs"
)

// probe asks the kernel whether it takes all that the rules are made of: a table of another name is made and deleted
// again inside one transaction, which leaves nothing behind and loads the modules that are needed.
func probe() error {
	var services []lvs.Service
	for _, a := range []string{"192.0.2.1", "2001:db8::1"} {
		vip := netip.MustParseAddr(a)
		plain := lvs.Service{
			Addr: vip, Port: 1, Protocol: lvs.TCP, Scheduler: "wrr", Forward: lvs.NAT, Masquerade: true,
			Destinations: []lvs.Destination{{Addr: netip.AddrPortFrom(vip.Next(), 1), Weight: 1}},
		}
		hashed, bound, marked := plain, plain, plain
		hashed.Port, hashed.Scheduler, hashed.Flags = 2, "sh", []string{"sh-port"}
		bound.Port, bound.Persistence = 0, lvs.Persistence{Timeout: time.Second, Prefix: 8}
		marked.Mark, marked.Port, marked.Protocol = 1, 0, ""
		services = append(services, plain, hashed, bound, marked)
	}
	if err := try(compile(services)); err != nil {
		return fmt.Errorf("this kernel's nf_tables cannot do all that is needed: run modprobe -a nf_tables nft_chain_nat nft_nat nft_masq nft_reject_inet nft_ct nft_numgen nft_hash: %w", err)
	}
	return nil
}

// try makes the table under another name and deletes it again, in one transaction, which leaves nothing behind.
func try(want *ruleset) error {
	c, err := nftables.New(nftables.WithSockOptions(largeBuffers))
	if err != nil {
		return fmt.Errorf("opening a netfilter socket: %w", err)
	}
	t := &transaction{
		conn:  c,
		table: &nftables.Table{Name: want.table + "-probe", Family: nftables.TableFamilyINet},
		sets:  make(map[string]*nftables.Set),
	}
	t.conn.AddTable(t.table)
	t.fill(newRuleset(want.table), want)
	t.conn.DelTable(t.table)
	if t.err != nil {
		return t.err
	}
	return t.conn.Flush()
}
