package integration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quorate/integration/lab"
	"quorate/vip/gate"
)

// Two directors and a witness without any capability: either director may be lost, or the witness.
func TestTwoDirectorsAndAWitness(t *testing.T) {
	bed := newBed(t, 3, 0)
	w := bed.Directors[2]
	w.Without = []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW}
	must(t, w.Start(within(t, 10*time.Second), "--role", "witness"))
	must(t, w.End(within(t, 10*time.Second))) // the role stays for later starts
	form(t, bed)
	apply(t, bed.Directors[0], new(lab.Config).VIP("a", lab.VIP(1)))
	owned(t, bed, lab.VIP(1))
	st, err := w.API.Node(within(t, 5*time.Second))
	must(t, err)
	if len(st.Problems) > 0 || st.Fence.Kind != "none" || st.DataPlane.Name != "none" {
		t.Errorf("the witness says: problems %q, fence %s, data plane %s", st.Problems, st.Fence.Kind, st.DataPlane.Name)
	}
	addr := lab.VIP(1).Addr()
	settle := func() *lab.Director {
		t.Helper()
		d, err := bed.AwaitOwner(within(t, 10*time.Second), addr, nil)
		must(t, err)
		if d == w {
			t.Fatal("the witness owns a VIP")
		}
		return d
	}
	for range 2 { // there and back
		lost := settle()
		must(t, lost.PowerOff())
		must(t, lab.Await(within(t, 5*time.Second), time.Millisecond, func(context.Context) error {
			for _, d := range bed.Directors[:2] {
				if d == lost {
					continue
				}
				if has, err := d.Carries(addr); err != nil || !has {
					return fmt.Errorf("%s carries it: %v %v", d.Name, has, err)
				}
			}
			return nil
		}))
		must(t, lost.Reboot(within(t, 10*time.Second)))
		must(t, bed.AwaitReady(within(t, 20*time.Second)))
	}
	owner := settle()
	must(t, w.PowerOff())
	end := time.Now().Add(3 * time.Second)
	must(t, lab.Await(within(t, 10*time.Second), 10*time.Millisecond, func(context.Context) error {
		has, err := owner.Carries(addr)
		if err != nil || !has {
			return lab.Final(fmt.Errorf("%s lost the VIP with the witness: %v", owner.Name, err))
		}
		if time.Now().Before(end) {
			return fmt.Errorf("still watching")
		}
		return nil
	}))
}

// A director that is killed and comes back as a witness: what it left in its kernel goes, though nothing asks for it any more.
func TestDirectorBecomesAWitness(t *testing.T) {
	bed := newBed(t, 3, 1)
	form(t, bed)
	apply(t, bed.Directors[0], new(lab.Config).VIP("a", lab.VIP(1)).Web("web", "a", bed.ServerAddr(0)))
	owned(t, bed, lab.VIP(1))
	must(t, bed.AwaitServers(within(t, 10*time.Second), "web", 1))
	w, err := bed.AwaitOwner(within(t, 10*time.Second), lab.VIP(1).Addr(), nil)
	must(t, err)
	left := func() (all []string) { // of a director, in this host's kernel
		tables, err := w.Tables()
		must(t, err)
		for _, x := range tables {
			if strings.Contains(x, "quorate") {
				all = append(all, "table "+x)
			}
		}
		must(t, w.Do(func() error {
			if gate.Left() {
				all = append(all, "gate")
			}
			return nil
		}))
		addrs, err := w.Addresses()
		must(t, err)
		if slices.Contains(addrs, lab.VIP(1)) {
			all = append(all, lab.VIP(1).String())
		}
		return all
	}
	must(t, w.Kill())
	if all := left(); len(all) < 2 {
		t.Fatalf("the killed director left only %q: the test shows nothing", all)
	}
	must(t, w.Start(within(t, 10*time.Second), "--role", "witness"))
	must(t, lab.Await(within(t, 10*time.Second), 10*time.Millisecond, func(context.Context) error {
		if all := left(); len(all) > 0 {
			return fmt.Errorf("left: %q", all)
		}
		return nil
	}))
	next, err := bed.AwaitOwner(within(t, 10*time.Second), lab.VIP(1).Addr(), w)
	must(t, err)
	must(t, lab.Await(within(t, 10*time.Second), 10*time.Millisecond, func(ctx context.Context) error {
		st, err := w.API.Status(ctx)
		if err != nil {
			return err
		}
		for _, n := range st.Nodes {
			if n.ID == w.ID() && n.Role != "witness" {
				return errors.New("the cluster takes it for a " + string(n.Role))
			}
		}
		return nil
	}))
	must(t, next.Kill()) // the witness and the third node are a majority, and the witness is not asked to own it
	last, err := bed.AwaitOwner(within(t, 10*time.Second), lab.VIP(1).Addr(), next)
	must(t, err)
	if last == w {
		t.Errorf("the witness owns the VIP")
	}
	if all := left(); len(all) > 0 {
		t.Errorf("the witness has %q", all)
	}
}
