package gate

import (
	"errors"
	"fmt"
	"os"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// probeNFT asks the kernel whether it takes all that the gate is made of: it makes tables of another name and deletes them
// again inside one transaction, which leaves nothing and loads the modules that are needed. The error says what is missing.
func probeNFT() error {
	if err := withConn(func(c *netlink.Conn) error { _, err := dump(c, famINet, unix.NFT_MSG_GETTABLE); return err }); err != nil {
		if errors.Is(err, os.ErrPermission) {
			return fmt.Errorf("NET_ADMIN is missing (%w): run as root or with AmbientCapabilities=CAP_NET_ADMIN", err)
		}
		if noNFT(err) {
			return fmt.Errorf("this kernel has no nf_tables (%w): run modprobe nf_tables", err)
		}
		return err
	}
	for _, f := range []nftables.TableFamily{famINet, famARP} {
		// The table alone says whether the family is there.
		err := probeTable(f, false)
		switch {
		case err == nil:
		case errors.Is(err, os.ErrPermission):
			return fmt.Errorf("NET_ADMIN is missing (%w): run as root or with AmbientCapabilities=CAP_NET_ADMIN", err)
		case errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EAFNOSUPPORT):
			return fmt.Errorf("this kernel's nf_tables has no tables of family %s (%w): it needs CONFIG_NF_TABLES_INET and CONFIG_NF_TABLES_ARP", familyName(f), err)
		default:
			return fmt.Errorf("making a table of family %s: %w", familyName(f), err)
		}
		if err := probeTable(f, true); err != nil {
			return fmt.Errorf("this kernel's nf_tables cannot do all that is needed in family %s: sets with timeouts, maps, hooks (%w): run modprobe -a nf_tables nft_chain_filter nf_tables_set nft_counter, or use a newer kernel", familyName(f), err)
		}
	}
	return nil
}

// probeTable makes a table and deletes it; whole: with sets, elements and chains.
func probeTable(f nftables.TableFamily, whole bool) error {
	t := newTransaction(nftTable+"-probe", bootNow)
	if t.err != nil {
		return t.err
	}
	if whole {
		t.build(f)
		for _, s := range nftSets {
			if s.family == f {
				e := element{set: s.id(), key: string(make([]byte, s.key.Bytes)), timed: s.timed}
				if s.epoch {
					e.value = string(epochKey(1))
				}
				t.elements([]element{e}, t.add)
			}
		}
	} else {
		t.conn.AddTable(t.tables[f])
	}
	t.conn.DelTable(t.tables[f])
	return t.commit()
}
