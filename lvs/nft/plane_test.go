package nft

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"quorate/lvs"
	"quorate/lvs/lvstest"
)

func open() (lvs.Plane, error) { return New() }

func TestContract(t *testing.T) {
	b := lvstest.NewBed(t)
	p := b.Plane(t, open)
	ours := &nftables.Table{Name: tableName, Family: nftables.TableFamilyINet}
	k := lvstest.DriftService(capabilities).Key()
	change := func(f func(c *nftables.Conn) error) func(*testing.T) {
		return func(t *testing.T) {
			t.Helper()
			b.Director.Nftables(t, f)
		}
	}
	lvstest.Contract(t, lvstest.Subject{
		Plane:   p,
		Foreign: func(t *testing.T) func(*testing.T) { return foreignTable(t, b) },
		Tamper: map[string]func(*testing.T){
			"table deleted": change(func(c *nftables.Conn) error { c.DelTable(ours); return nil }),
			"rules flushed": change(func(c *nftables.Conn) error { c.FlushTable(ours); return nil }),
			"balancing rule deleted": change(func(c *nftables.Conn) error {
				rules, err := c.GetRules(ours, &nftables.Chain{Name: chainName(k)})
				if err != nil {
					return err
				}
				last := rules[len(rules)-1]
				last.Chain = &nftables.Chain{Name: chainName(k)}
				return c.DelRule(last)
			}),
			"rule added": change(func(c *nftables.Conn) error {
				c.AddRule(&nftables.Rule{Table: ours, Chain: &nftables.Chain{Name: "input"}, Exprs: byPort.lookup(inet4)})
				return nil
			}),
			"service undispatched": change(func(c *nftables.Conn) error {
				s := &nftables.Set{Table: ours, Name: "services4", IsMap: true, KeyType: byPort.keyType(inet4), DataType: nftables.TypeVerdict}
				return c.SetDeleteElements(s, []nftables.SetElement{{Key: []byte(byPort.keys(k)[0])}})
			}),
			"masquerade removed": change(func(c *nftables.Conn) error {
				c.FlushChain(&nftables.Chain{Table: ours, Name: "postrouting"})
				return nil
			}),
			"chain added": change(func(c *nftables.Conn) error {
				c.AddChain(&nftables.Chain{Table: ours, Name: "intruder"})
				return nil
			}),
			"hook added": change(func(c *nftables.Conn) error {
				c.AddChain(&nftables.Chain{Table: ours, Name: "intruder", Type: nftables.ChainTypeFilter,
					Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter, Policy: &policyAccept})
				return nil
			}),
			"set removed": change(func(c *nftables.Conn) error {
				c.FlushChain(&nftables.Chain{Table: ours, Name: "input"})
				c.DelSet(&nftables.Set{Table: ours, Name: "closed4"})
				return nil
			}),
		},
	})
}

// foreignTable makes a table of another program with a chain on our hook.
func foreignTable(t *testing.T, b *lvstest.Bed) func(*testing.T) {
	foreign := &nftables.Table{Name: "foreign", Family: nftables.TableFamilyINet}
	b.Director.Nftables(t, func(c *nftables.Conn) error {
		c.AddTable(foreign)
		ch := c.AddChain(&nftables.Chain{Table: foreign, Name: "prerouting", Type: nftables.ChainTypeNAT,
			Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityNATDest, Policy: &policyAccept})
		c.AddRule(&nftables.Rule{Table: foreign, Chain: ch, Exprs: byPort.lookup(inet4)})
		return nil
	})
	return func(t *testing.T) {
		t.Helper()
		b.Director.Nftables(t, func(c *nftables.Conn) error {
			rules, err := c.GetRules(foreign, &nftables.Chain{Name: "prerouting"})
			if len(rules) != 1 {
				t.Errorf("the foreign table has %d rules, want 1", len(rules))
			}
			return err
		})
	}
}

func TestTraffic(t *testing.T) {
	b := lvstest.NewBed(t)
	lvstest.Traffic(t, b, b.Plane(t, open))
}

// TestTable: every scheduler × protocol × family.
func TestTable(t *testing.T) { lvstest.Table(t, open, nil) }

// TestLargeTables: the maps of many servers, whose elements do not fit into one message, are written as they should be.
func TestLargeTables(t *testing.T) {
	b := lvstest.NewBed(t)
	p := b.Plane(t, open)
	for _, timeout := range []time.Duration{0, time.Minute} {
		var want []lvs.Service
		for i, vip := range []netip.Addr{lvstest.VIP4, lvstest.VIP6} {
			s := lvs.Service{Addr: vip, Port: 80, Protocol: lvs.TCP, Scheduler: "mh", Forward: lvs.NAT, Persistence: lvs.Persistence{Timeout: timeout}}
			a := b.Servers[i].Addr(vip).Addr()
			for range 60 {
				s.Destinations = append(s.Destinations, lvs.Destination{Addr: netip.AddrPortFrom(a, lvstest.Port), Weight: 1})
				a = a.Next()
			}
			want = append(want, s)
		}
		st, err := p.Reconcile(lvs.Scope{}, want)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := lvs.Text(st.Have()), lvs.Text(want); got != want {
			t.Errorf("persistence %v: the kernel has\n%s\nwanted\n%s", timeout, got, want)
		}
	}
}

// TestBound: persistence, all ports, firewall marks.
func TestBound(t *testing.T) {
	b := lvstest.NewBed(t)
	lvstest.Bound(t, b, b.Plane(t, open), func(t *testing.T) { markPort(t, b) }, nil)
}

// markPort marks what comes to TCP port 9000 with 7, ahead of our table, in one of another program's.
func markPort(t *testing.T, b *lvstest.Bed) {
	t.Helper()
	b.Director.Nftables(t, func(c *nftables.Conn) error {
		table := c.AddTable(&nftables.Table{Name: "marks", Family: nftables.TableFamilyINet})
		c.FlushTable(table)
		ch := c.AddChain(&nftables.Chain{Table: table, Name: "prerouting", Type: nftables.ChainTypeFilter,
			Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityMangle, Policy: &policyAccept})
		c.AddRule(&nftables.Rule{Table: table, Chain: ch, Exprs: []expr.Any{
			&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{9000 >> 8, 9000 & 0xff}},
			&expr.Immediate{Register: 1, Data: []byte{7, 0, 0, 0}},
			&expr.Meta{Key: expr.MetaKeyMARK, Register: 1, SourceRegister: true},
		}})
		return nil
	})
}

// TestProbeLeavesNothing: the probe that New makes succeeds here, again and again, and leaves no table.
func TestProbeLeavesNothing(t *testing.T) {
	b := lvstest.NewBed(t)
	err := b.Director.Do(func() error {
		for range 20 {
			if err := probe(); err != nil {
				return err
			}
		}
		c, err := nftables.New()
		if err != nil {
			return err
		}
		tables, err := c.ListTables()
		if len(tables) > 0 {
			t.Errorf("left behind: %v", tables[0].Name)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestReportsForwarding: IP forwarding that is off is reported with its cure, for the families that need it.
func TestReportsForwarding(t *testing.T) {
	b := lvstest.NewBed(t)
	p := b.Plane(t, open)
	if err := b.Director.Do(func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("0"), 0) }); err != nil {
		t.Fatal(err)
	}
	st, err := p.Reconcile(lvs.Scope{}, []lvs.Service{lvstest.DriftService(capabilities)})
	if err != nil {
		t.Fatal(err)
	}
	if len(st.Problems) != 1 || !strings.Contains(st.Problems[0], "sysctl -w net.ipv4.ip_forward=1") {
		t.Errorf("problems: %q", st.Problems)
	}
}

func TestRefusesWhatNetfilterCannotDo(t *testing.T) {
	s := lvstest.DriftService(capabilities)
	s.Destinations[0].Addr = netip.AddrPortFrom(s.Destinations[0].Addr.Addr(), s.Port)
	s.Destinations[1].Addr = netip.AddrPortFrom(s.Destinations[1].Addr.Addr(), s.Port)
	s.Masquerade = false
	for _, forward := range []string{lvs.DirectRouting, lvs.Tunnel} {
		s.Forward = forward
		err := capabilities.Check(s)
		if err == nil {
			t.Fatalf("%s was accepted", forward)
		}
		t.Log(err)
	}
}

// BenchmarkReconcile measures 500 services with 10 servers each: the first time, one server changed, nothing changed.
func BenchmarkReconcile(b *testing.B) {
	bed := lvstest.NewBed(b)
	lvstest.BenchmarkReconcile(b, bed.Plane(b, open))
}

// TestListWhileOthersChange: transactions on another table, as the renewals of a gate are, come faster than a list is read;
// it is read all the same, and a change of our own table is seen.
func TestListWhileOthersChange(t *testing.T) {
	b := lvstest.NewBed(t)
	p := b.Plane(t, open)
	k := lvstest.DriftService(capabilities)
	var services []lvs.Service
	for i := range 100 { // some 10 ms of listing
		s := k
		s.Port += uint16(i)
		services = append(services, s)
	}
	if _, err := p.Reconcile(lvs.Scope{Addrs: []netip.Addr{k.Addr}}, services); err != nil {
		t.Fatal(err)
	}
	other := &nftables.Table{Name: "other", Family: nftables.TableFamilyIPv4}
	stop, done := make(chan struct{}), make(chan error, 1)
	begun := make(chan struct{})
	go func() {
		done <- b.Director.Do(func() error {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return nil
				default:
				}
				c, err := nftables.New()
				if err != nil {
					return err
				}
				c.AddTable(other)
				c.DelTable(other)
				if err := c.Flush(); err != nil {
					return err
				}
				if i == 0 {
					close(begun)
				}
			}
		})
	}()
	<-begun
	err := b.Director.Do(func() error {
		var first *ruleset
		for range 5 {
			rs, err := list(tableName)
			if err != nil {
				return err
			}
			if first == nil {
				first = rs
			}
			if !rs.exists || !rs.same(first) {
				return errors.New("the list shows another table than the one that is there")
			}
		}
		c, err := nftables.New()
		if err != nil {
			return err
		}
		c.FlushChain(&nftables.Chain{Table: &nftables.Table{Name: tableName, Family: nftables.TableFamilyINet}, Name: chainName(k.Key())})
		if err := c.Flush(); err != nil {
			return err
		}
		rs, err := list(tableName)
		if err == nil && rs.same(first) {
			err = errors.New("a chain was flushed, and the list does not show it")
		}
		return err
	})
	close(stop)
	if e := <-done; e != nil || err != nil {
		t.Fatal(err, e)
	}
}
