package lab

import (
	"fmt"
	"net"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Direction of frames, as seen from a host.
type Direction int

// The directions.
const (
	In   Direction = 1 << iota // to the host
	Out                        // from the host
	Both = In | Out
)

// String names the direction.
func (d Direction) String() string {
	switch d {
	case In:
		return "in"
	case Out:
		return "out"
	case Both:
		return "both"
	default:
		return fmt.Sprintf("Direction(%d)", int(d))
	}
}

// filter is one fault of the switch: frames at a port are lost.
type filter struct {
	owner   *Host // whose Heal ends it
	port    string
	egress  bool             // frames that leave the switch there; otherwise frames that enter it
	from    net.HardwareAddr // only frames with this source; nil = all
	percent int              // of the frames, at random; 100 = all
}

// Drop loses the frames between the host and a peer, or between the host and everybody (peer nil), in a direction: In
// are frames to the host, Out frames from it. It adds to faults that are there; [Host.Heal] ends them all.
func (h *Host) Drop(d Direction, peer *Host) error {
	var add []filter
	if d&Out != 0 {
		f := filter{owner: h, port: h.Name, percent: 100}
		if peer != nil { // where they leave, so that the others still get their copy of a broadcast
			f = filter{owner: h, port: peer.Name, egress: true, from: h.MAC, percent: 100}
		}
		add = append(add, f)
	}
	if d&In != 0 {
		f := filter{owner: h, port: h.Name, egress: true, percent: 100}
		if peer != nil {
			f.from = peer.MAC
		}
		add = append(add, f)
	}
	return h.lab.changeFilters(func(all []filter) []filter { return append(all, add...) })
}

// Loss loses percent of the frames to the host and as many of those from it, at random.
func (h *Host) Loss(percent int) error {
	if percent < 0 || percent > 100 {
		return fmt.Errorf("host %s: loss of %d %%: want 0 to 100", h.Name, percent)
	}
	return h.lab.changeFilters(func(all []filter) []filter {
		return append(all,
			filter{owner: h, port: h.Name, percent: percent},
			filter{owner: h, port: h.Name, egress: true, percent: percent})
	})
}

// Heal ends every Drop and Loss of the host. Those of its peers stay.
func (h *Host) Heal() error {
	return h.lab.changeFilters(func(all []filter) []filter {
		return slices.DeleteFunc(all, func(f filter) bool { return f.owner == h })
	})
}

func (l *Lab) changeFilters(change func([]filter) []filter) error {
	l.mu.Lock()
	l.filters = change(slices.Clone(l.filters))
	l.mu.Unlock()
	return l.applyFilters()
}

// applyFilters makes the switch's table match the wanted filters, in one transaction. A port that comes back after a
// loss of power is a new interface: its chains are made again.
func (l *Lab) applyFilters() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.filters) == 0 && !l.filtering {
		return nil // a lab without such faults needs no nftables
	}
	l.filtering = true
	nft, err := nftables.New(nftables.WithNetNSFd(l.sw.fd))
	if err != nil {
		return fmt.Errorf("open nftables in the switch: %w", err)
	}
	table := &nftables.Table{Family: nftables.TableFamilyNetdev, Name: "faults"}
	nft.AddTable(table) // so that there is one to delete
	nft.DelTable(table)
	nft.AddTable(table)
	chains := map[string]*nftables.Chain{}
	for _, f := range l.filters {
		name, hook := "in-"+f.port, nftables.ChainHookIngress
		if f.egress {
			name, hook = "out-"+f.port, nftables.ChainHookEgress
		}
		if _, err := l.sw.links.LinkByName(f.port); err != nil {
			continue // that host's power is off
		}
		if chains[name] == nil {
			chains[name] = nft.AddChain(&nftables.Chain{
				Name: name, Table: table, Type: nftables.ChainTypeFilter, Hooknum: hook,
				Priority: nftables.ChainPriorityFilter, Device: f.port,
			})
		}
		nft.AddRule(&nftables.Rule{Table: table, Chain: chains[name], Exprs: f.exprs()})
	}
	if err := nft.Flush(); err != nil {
		return fmt.Errorf("set the switch's filters: %w", err)
	}
	return nil
}

// exprs is the filter as a rule: [ether saddr FROM] [numgen random mod 100 < PERCENT] drop.
func (f filter) exprs() []expr.Any {
	var out []expr.Any
	if f.from != nil {
		out = append(out,
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseLLHeader, Offset: 6, Len: 6},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: f.from})
	}
	if f.percent < 100 {
		out = append(out,
			&expr.Numgen{Register: 1, Modulus: 100, Type: unix.NFT_NG_RANDOM},
			// numgen's register is in the host's order; cmp compares bytes, hence the conversion for <.
			&expr.Byteorder{SourceRegister: 1, DestRegister: 1, Op: expr.ByteorderHton, Len: 4, Size: 4},
			&expr.Cmp{Op: expr.CmpOpLt, Register: 1, Data: binaryutil.BigEndian.PutUint32(uint32(f.percent))})
	}
	return append(out, &expr.Verdict{Kind: expr.VerdictDrop})
}
