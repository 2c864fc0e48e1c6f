package ipvs

import (
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
	"golang.org/x/sys/unix"

	"quorate/lvs"
)

// firewall is what the host's rules do that matters to connections that IPVS balances, as it was at a time: those of nftables, among them those of
// iptables-nft. A host whose rules cannot be read has none.
//
// While IPVS does not have its connections tracked, connection tracking forgets each of their packets again (ip_vs.h, ip_vs_notrack). So a client's SYN
// is new and so is each of its acknowledgements, its FIN is invalid, a server's answer over TCP is invalid and over UDP new, and after IPVS has sent a packet on
// it is untracked, or still invalid. None is ever established.
type firewall struct {
	at     time.Time
	v4, v6 rules
}

// rules are those for one address family.
type rules struct {
	hooks  []string // where a rule looks at the state of connections so that it may take one that is not tracked for another than it is
	source bool     // a rule translates source addresses, which it does only to connections that are tracked
}

// of is about the family of the service's clients.
func (f firewall) of(s lvs.Service) rules {
	if s.Addr.Unmap().Is4() {
		return f.v4
	}
	return f.v6
}

// The states of a connection, as rules have them (linux/netfilter/nf_conntrack_common.h, NF_CT_STATE_BIT). Those of iptables are the same (xt_conntrack.h).
const (
	stateInvalid = 1 << 0
	stateNew     = 1 << 3
	anyState     = ^uint32(0)
)

// hooks are those that packets of IPVS pass, by number (linux/netfilter.h), and the states at which no rule may look there. On the input hook there are
// the clients' packets alone: to accept what is established, before rules that accept ports, does no harm.
var hooks = []struct {
	name  string
	state uint32
}{{"prerouting", anyState}, {"input", stateInvalid | stateNew}, {"forward", anyState}, {"output", anyState}, {"postrouting", anyState}}

func readFirewall() firewall {
	f := firewall{at: time.Now()}
	c, err := nftables.New()
	if err != nil {
		return f
	}
	chains, err := c.ListChains()
	if err != nil {
		return f
	}
	for _, ch := range chains {
		if ch.Hooknum == nil || int(*ch.Hooknum) >= len(hooks) {
			continue
		}
		hook := hooks[*ch.Hooknum]
		if ch.Type == nftables.ChainTypeNAT && *ch.Hooknum != *nftables.ChainHookPostrouting {
			continue // it is asked for new connections only, and not about source addresses
		}
		w := walk{c: c, chains: chains, table: ch.Table}
		w.chain(ch.Name)
		for _, x := range []struct {
			rules  *rules
			family nftables.TableFamily
		}{{&f.v4, nftables.TableFamilyIPv4}, {&f.v6, nftables.TableFamilyIPv6}} {
			if ch.Table.Family != x.family && ch.Table.Family != nftables.TableFamilyINet {
				continue
			}
			x.rules.source = x.rules.source || w.source
			if w.states&hook.state != 0 && !slices.Contains(x.rules.hooks, hook.name) {
				x.rules.hooks = append(x.rules.hooks, hook.name)
			}
		}
	}
	return f
}

// walk is through the chains of a table that one of them leads to.
type walk struct {
	c      *nftables.Conn
	chains []*nftables.Chain // of all tables
	table  *nftables.Table
	seen   []string
	states uint32 // for which a rule holds that looks at the state
	source bool   // a rule translates source addresses
}

func (w *walk) chain(name string) {
	if slices.Contains(w.seen, name) {
		return
	}
	w.seen = append(w.seen, name)
	list, err := w.c.GetRules(w.table, &nftables.Chain{Table: w.table, Name: name})
	if err != nil {
		return
	}
	for _, r := range list {
		for i, e := range r.Exprs {
			w.expr(e, r.Exprs[i+1:])
		}
	}
}

// expr looks at a part of a rule, and what comes after it.
func (w *walk) expr(e expr.Any, rest []expr.Any) {
	switch e := e.(type) {
	case *expr.Ct:
		if e.Key == expr.CtKeySTATE {
			w.states |= w.holds(rest)
		}
	case *expr.Match: // of iptables
		if e.Name == "conntrack" || e.Name == "state" {
			w.states |= matches(e.Info)
		}
	case *expr.Masq:
		w.source = true
	case *expr.NAT:
		w.source = w.source || e.Type == expr.NATTypeSourceNAT
	case *expr.Target:
		w.source = w.source || slices.Contains([]string{"MASQUERADE", "SNAT", "NETMAP"}, e.Name)
	case *expr.Verdict:
		if e.Chain != "" {
			w.chain(e.Chain)
		}
	case *expr.Lookup:
		if !e.IsDestRegSet || e.DestRegister != unix.NFT_REG_VERDICT {
			return
		}
		for _, ch := range w.chains { // a map of verdicts may lead to any of them
			if ch.Hooknum == nil && ch.Table.Name == w.table.Name && ch.Table.Family == w.table.Family {
				w.chain(ch.Name)
			}
		}
	}
}

// holds are the states for which a rule that has loaded the state goes on; all where that cannot be told.
func (w *walk) holds(rest []expr.Any) uint32 {
	mask := anyState
	for _, e := range rest {
		switch e := e.(type) {
		case *expr.Bitwise: // it is compared with none of these then
			mask = number(e.Mask)
			continue
		case *expr.Cmp:
			v := number(e.Data)
			if v != 0 {
				mask = v
			}
			if (e.Op == expr.CmpOpEq) == (v == 0) {
				return ^mask
			}
			return mask
		case *expr.Lookup:
			if e.IsDestRegSet {
				return anyState
			}
			elements, err := w.c.GetSetElements(&nftables.Set{Table: w.table, Name: e.SetName})
			if err != nil {
				return anyState
			}
			mask = 0
			for _, x := range elements {
				mask |= number(x.Key)
			}
			if e.Invert {
				return ^mask
			}
			return mask
		}
		break
	}
	return anyState
}

// number is a register's, in the byte order of the host.
func number(b []byte) uint32 {
	if len(b) != 4 {
		return anyState
	}
	return binaryutil.NativeEndian.Uint32(b)
}

// matches are the states for which a match of iptables holds.
func matches(info xt.InfoAny) uint32 {
	var m xt.ConntrackMtinfo2
	switch x := info.(type) {
	case *xt.ConntrackMtinfo3:
		m = x.ConntrackMtinfo2
	case *xt.ConntrackMtinfo2:
		m = *x
	default:
		return anyState
	}
	switch {
	case m.MatchFlags&uint16(xt.ConntrackState) == 0:
		return 0 // it looks at something else of the connection
	case m.InvertFlags&uint16(xt.ConntrackState) != 0:
		return ^uint32(m.StateMask)
	}
	return uint32(m.StateMask)
}
