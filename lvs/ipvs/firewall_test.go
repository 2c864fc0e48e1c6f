package ipvs

import (
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"quorate/lvs/lvstest"
)

// TestStatefulForward: rules that look at the state of what is forwarded are found, also behind a jump, and those of other hooks are not meant.
func TestStatefulForward(t *testing.T) {
	b := lvstest.NewBed(t)
	err := b.Director.Do(func() error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		if err := c.Flush(); err != nil {
			return err
		}
		table := func(name string, family nftables.TableFamily, hook *nftables.ChainHook, jump bool) *nftables.Table {
			x := c.AddTable(&nftables.Table{Name: name, Family: family})
			base := c.AddChain(&nftables.Chain{Table: x, Name: "base", Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: nftables.ChainPriorityFilter})
			looks := base
			if jump {
				looks = c.AddChain(&nftables.Chain{Table: x, Name: "looks"})
				c.AddRule(&nftables.Rule{Table: x, Chain: base, Exprs: []expr.Any{&expr.Verdict{Kind: expr.VerdictJump, Chain: "looks"}}})
			}
			c.AddRule(&nftables.Rule{Table: x, Chain: looks, Exprs: []expr.Any{&expr.Ct{Register: 1, Key: expr.CtKeySTATE}}})
			return x
		}
		see := func(what string, want bool) {
			t.Helper()
			if err := c.Flush(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if got := statefulForward(); got != want {
				t.Errorf("%s: %t", what, got)
			}
		}
		see("no rules", false)
		table("input", nftables.TableFamilyINet, nftables.ChainHookInput, true)
		see("on the input hook", false)
		for _, x := range []struct {
			family nftables.TableFamily
			jump   bool
		}{{nftables.TableFamilyIPv4, false}, {nftables.TableFamilyINet, true}, {nftables.TableFamilyIPv6, true}} {
			f := table("forward", x.family, nftables.ChainHookForward, x.jump)
			see("on the forward hook", true)
			c.DelTable(f)
			see("gone again", false)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
