package gate

import (
	"errors"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
)

// nftBuffer holds a transaction, which is one message, and its acknowledgements. A socket takes what it needs of it.
const nftBuffer = 16 << 20

func nftBuffers(c *netlink.Conn) error {
	return errors.Join(c.SetReadBuffer(nftBuffer), c.SetWriteBuffer(nftBuffer))
}

// nftChunk bounds the elements of one message, whose list may not exceed 64 KiB.
const nftChunk = 500

// transaction is carried out by the kernel as a whole or not at all.
type transaction struct {
	conn   *nftables.Conn
	tables map[nftables.TableFamily]*nftables.Table
	sets   map[setID]*nftables.Set
	now    func() time.Duration
	err    error
}

// newTransaction begins one on tables of that name. It works in the namespace of the thread that calls commit.
func newTransaction(table string, now func() time.Duration) *transaction {
	c, err := nftables.New(nftables.WithSockOptions(nftBuffers))
	t := &transaction{conn: c, tables: map[nftables.TableFamily]*nftables.Table{}, sets: map[setID]*nftables.Set{}, now: now, err: err}
	for _, f := range []nftables.TableFamily{famINet, famARP} {
		t.tables[f] = &nftables.Table{Name: table, Family: f}
	}
	for i, s := range nftSets {
		// The ID is only the transaction's own; left to the library, it comes from a counter without a lock.
		set := &nftables.Set{Table: t.tables[s.family], Name: s.name, ID: uint32(i + 1), KeyType: s.key, IsMap: s.epoch, HasTimeout: s.timed}
		if s.epoch {
			set.DataType = nftEpoch
		}
		if !s.timed {
			set.Size = nftCapacity
		}
		t.sets[s.id()] = set
	}
	return t
}

func (t *transaction) commit() error {
	if t.err != nil {
		return t.err
	}
	return t.conn.Flush()
}

// build makes a family's table, sets and chains.
func (t *transaction) build(f nftables.TableFamily) {
	if t.err != nil {
		return
	}
	table := t.conn.AddTable(t.tables[f])
	for _, s := range nftSets {
		if s.family == f {
			t.err = errors.Join(t.err, t.conn.AddSet(t.sets[s.id()], nil))
		}
	}
	policy := nftables.ChainPolicyAccept
	chains := slices.DeleteFunc(nftChains(), func(c nftChain) bool { return c.family != f })
	for _, c := range chains {
		ch := &nftables.Chain{Table: table, Name: c.name}
		if c.hook != nil {
			ch.Type, ch.Hooknum, ch.Priority, ch.Policy = nftables.ChainTypeFilter, c.hook, c.priority, &policy
		}
		t.conn.AddChain(ch)
		for _, r := range c.rules {
			t.conn.AddRule(&nftables.Rule{Table: table, Chain: ch, Exprs: r.exprs, UserData: r.userData()})
		}
	}
}

// take carries out steps.
func (t *transaction) take(s steps) {
	t.elements(s.gate, t.add)
	t.elements(s.revoke, t.remove)
	t.elements(s.let, t.add)
	t.elements(s.forget, t.remove)
}

// elements calls f with the elements of one set after the other, in pieces.
func (t *transaction) elements(all []element, f func(*nftables.Set, []element)) {
	for len(all) > 0 {
		n := 1
		for n < len(all) && n < nftChunk && all[n].set == all[0].set {
			n++
		}
		if t.err == nil {
			f(t.sets[all[0].set], all[:n])
		}
		all = all[n:]
	}
}

func (t *transaction) add(set *nftables.Set, list []element) {
	if set.HasTimeout {
		t.remove(set, list) // a kernel before 6.12 changes no timeout
	}
	t.put(set, list)
}

// put adds elements. Timed ones are set to what is left to their instant; until 0 stands for a little.
func (t *transaction) put(set *nftables.Set, list []element) {
	var elems []nftables.SetElement
	for _, e := range list {
		n := nftables.SetElement{Key: []byte(e.key), Val: []byte(e.value)}
		if e.timed {
			n.Timeout = max((e.until - t.now()).Truncate(time.Millisecond), time.Millisecond)
		}
		elems = append(elems, n)
	}
	t.err = errors.Join(t.err, t.conn.SetAddElements(set, elems))
}

// remove deletes elements. A timed one may run out before, and deleting what is not there fails: so it is added first.
func (t *transaction) remove(set *nftables.Set, list []element) {
	if set.HasTimeout {
		t.put(set, list)
	}
	var elems []nftables.SetElement
	for _, e := range list {
		elems = append(elems, nftables.SetElement{Key: []byte(e.key), Val: []byte(e.value)})
	}
	t.err = errors.Join(t.err, t.conn.SetDeleteElements(set, elems))
}
