package matrix

import (
	"context"
	"errors"
	"time"

	"quorate/integration/lab"
)

// Outcome is what a fault must lead to.
type Outcome uint8

// The outcomes.
const (
	Stays  Outcome = iota // the VIPs stay where they are
	Moves                 // another node takes them over
	Ends                  // nobody has them while the fault lasts
	Either                // both staying and moving are right
)

// String names the outcome.
func (o Outcome) String() string {
	switch o {
	case Stays:
		return "stays"
	case Moves:
		return "moves"
	case Ends:
		return "ends"
	case Either:
		return "either"
	default:
		return "unknown"
	}
}

// Row is a fault.
type Row struct {
	Name string // for commands and tests
	What string // for people
	Then Outcome
	Lead Lead          // who leads when it begins
	Disk bool          // it needs directors with disks of their own
	Hold time.Duration // how long it lasts; Brief where there is little time and 0 is not meant
	// Brief is Hold for tests.
	Brief   time.Duration
	Planned bool // an operator asked for it: the old owner may go on answering for a moment
	Foreign bool // a host that is not of the cluster claims the address
	Begin   func(context.Context, *Strike) error
	Heal    func(context.Context, *Strike) error
}

// Lead says where the leader has to be.
type Lead uint8

// The places of the leader.
const (
	Anywhere  Lead = iota
	Elsewhere      // not on the node that owns the VIPs
	Together       // on it
)

// Strike is one fault at work.
type Strike struct {
	*Trial
	Owner  *lab.Director   // of the VIPs when it begins
	Leader *lab.Director   // when it begins
	Others []*lab.Director // all but Owner
}

// Rows are all faults, in the order of the documentation.
func Rows() []Row {
	rows := append(lossRows(), networkRows()...)
	rows = append(rows, quorumRows()...)
	rows = append(rows, strainRows()...)
	return append(rows, addressRows()...)
}

// onOwner makes a step of a fault from a method of the owner.
func onOwner(f func(*lab.Director) error) func(context.Context, *Strike) error {
	return func(_ context.Context, s *Strike) error { return f(s.Owner) }
}

func lossRows() []Row {
	start := func(ctx context.Context, s *Strike) error { return s.Owner.Start(ctx) }
	reboot := func(ctx context.Context, s *Strike) error { return s.Owner.Reboot(ctx) }
	off := onOwner(func(d *lab.Director) error { return d.PowerOff() })
	return []Row{
		{Name: "kill", What: "`kill -9` of the owner's agent", Then: Moves, Lead: Elsewhere, Hold: 4 * time.Second, Brief: 3 * time.Second, // longer than the address's lifetime in the kernel
			Begin: onOwner((*lab.Director).Kill), Heal: start},
		{Name: "freeze", What: "the owner's agent is stopped for 10 s (SIGSTOP), then goes on", Then: Moves, Lead: Elsewhere,
			Hold: 10 * time.Second, Brief: 5 * time.Second,
			Begin: onOwner(func(d *lab.Director) error { return d.Agent().Stop() }),
			Heal:  onOwner(func(d *lab.Director) error { return d.Agent().Continue() })},
		{Name: "power", What: "the owner loses power", Then: Moves, Lead: Elsewhere, Begin: off, Heal: reboot},
		{Name: "leader+owner", What: "the node that leads and owns loses power", Then: Moves, Lead: Together, Begin: off, Heal: reboot},
		{Name: "leader", What: "the leader loses power, another node owns", Then: Stays, Lead: Elsewhere, Hold: 2 * time.Second,
			Begin: func(_ context.Context, s *Strike) error { return s.Leader.PowerOff() },
			Heal:  func(ctx context.Context, s *Strike) error { return s.Leader.Reboot(ctx) }},
		{Name: "move", What: "a planned move (`quorate vip move`)", Then: Moves, Planned: true,
			Begin: func(ctx context.Context, s *Strike) (err error) {
				// On a machine that stands still for a moment a node may be fenced in between, and the VIP go to whoever can have it then: the operator asks again.
				for range 3 {
					if _, err = s.Owner.Quorate(ctx, "vip", "move", vipName, s.Others[0].Name, "--wait", "10s"); err == nil {
						return nil
					}
				}
				return err
			}},
	}
}

func networkRows() []Row {
	heal := onOwner(func(d *lab.Director) error { return d.Heal() })
	return []Row{
		{Name: "cable", What: "the owner's cable is pulled: it has no carrier", Then: Moves,
			Begin: onOwner(func(d *lab.Director) error { return d.LinkDown() }), Heal: onOwner(func(d *lab.Director) error { return d.LinkUp() })},
		{Name: "silent-port", What: "the owner's switch port goes silent, its carrier stays", Then: Moves,
			Begin: onOwner(func(d *lab.Director) error { return d.Unplug() }), Heal: onOwner(func(d *lab.Director) error { return d.Plug() })},
		{Name: "deaf", What: "the owner sends and hears nothing", Then: Moves,
			Begin: onOwner(func(d *lab.Director) error { return d.Drop(lab.In, nil) }), Heal: heal},
		{Name: "mute", What: "the owner hears and is not heard", Then: Moves,
			Begin: onOwner(func(d *lab.Director) error { return d.Drop(lab.Out, nil) }), Heal: heal},
		{Name: "deaf-to-peers", What: "the owner does not hear the other nodes; clients reach it", Then: Moves,
			Begin: func(_ context.Context, s *Strike) error { return s.cut(lab.In, s.Others...) }, Heal: heal},
		{Name: "mute-to-peers", What: "the other nodes do not hear the owner; clients reach it", Then: Moves,
			Begin: func(_ context.Context, s *Strike) error { return s.cut(lab.Out, s.Others...) }, Heal: heal},
		{Name: "one-peer-left", What: "the owner is cut off from the leader, one peer is left", Then: Stays, Lead: Elsewhere, Hold: 2 * time.Second,
			Begin: func(_ context.Context, s *Strike) error { return s.cut(lab.Both, s.Leader) }, Heal: heal},
		{Name: "loss", What: "20 % of all frames to and from the owner are lost, for 10 s", Then: Either, Hold: 10 * time.Second, Brief: 3 * time.Second,
			Begin: onOwner(func(d *lab.Director) error { return d.Loss(20) }), Heal: heal},
	}
}

func quorumRows() []Row {
	return []Row{
		{Name: "majority", What: "the majority is cut off for 3 s", Then: Ends, Hold: 3 * time.Second,
			Begin: func(_ context.Context, s *Strike) error {
				var errs []error
				for _, d := range s.Others {
					errs = append(errs, d.Unplug())
				}
				return errors.Join(errs...)
			},
			Heal: func(_ context.Context, s *Strike) error {
				var errs []error
				for _, d := range s.Others {
					errs = append(errs, d.Plug())
				}
				return errors.Join(errs...)
			}},
	}
}

func strainRows() []Row {
	full := func(of func(*Strike) *lab.Director) func(context.Context, *Strike) error {
		return func(ctx context.Context, s *Strike) error {
			return errors.Join(s.disks[of(s).Name].Fill(), s.nudge(ctx))
		}
	}
	free := func(of func(*Strike) *lab.Director) func(context.Context, *Strike) error {
		return func(_ context.Context, s *Strike) error { return s.disks[of(s).Name].Free() }
	}
	stall := func(of func(*Strike) *lab.Director) func(context.Context, *Strike) error {
		return func(ctx context.Context, s *Strike) error {
			return errors.Join(s.disks[of(s).Name].Stall(ctx), s.nudge(ctx))
		}
	}
	resume := func(of func(*Strike) *lab.Director) func(context.Context, *Strike) error {
		return func(_ context.Context, s *Strike) error { return s.disks[of(s).Name].Resume() }
	}
	const brief = 3 * time.Second // so long that a leader is replaced in it, see stallLimit in package cluster
	owner := func(s *Strike) *lab.Director { return s.Owner }
	leader := func(s *Strike) *lab.Director { return s.Leader }
	return []Row{
		{Name: "disk-full", What: "the owner's disk is full for 5 s", Then: Either, Lead: Elsewhere, Disk: true, Hold: 5 * time.Second, Brief: brief,
			Begin: full(owner), Heal: free(owner)},
		{Name: "disk-full-leader", What: "the leader's disk is full for 5 s", Then: Either, Lead: Elsewhere, Disk: true, Hold: 5 * time.Second, Brief: brief,
			Begin: full(leader), Heal: free(leader)},
		{Name: "disk-stall", What: "the owner's disk stalls for 5 s (writes and fsync)", Then: Either, Lead: Elsewhere, Disk: true, Hold: 5 * time.Second, Brief: brief,
			Begin: stall(owner), Heal: resume(owner)},
		{Name: "disk-stall-leader", What: "the leader's disk stalls for 5 s (writes and fsync)", Then: Either, Lead: Elsewhere, Disk: true, Hold: 5 * time.Second, Brief: brief,
			Begin: stall(leader), Heal: resume(leader)},
		{Name: "cpu", What: "four busy programs on each processor, for 2 minutes", Then: Stays, Hold: 2 * time.Minute, Brief: 10 * time.Second,
			Begin: func(ctx context.Context, s *Strike) error { return s.occupy(ctx) },
			Heal:  func(_ context.Context, s *Strike) error { return s.bystanders.KillAll() }},
	}
}

func addressRows() []Row {
	return []Row{
		{Name: "deleted", What: "somebody deletes the VIP on its owner (`ip addr del`)", Then: Stays, Hold: time.Second,
			Begin: func(_ context.Context, s *Strike) error { return s.Owner.RemoveAddress(lab.VIP(1)) }},
		{Name: "squatter", What: "a foreign host takes the VIP and announces it, for 2 s", Then: Stays, Foreign: true, Hold: 2 * time.Second,
			Begin: func(_ context.Context, s *Strike) error {
				return errors.Join(s.squatter.AddAddress(lab.VIP(1)), s.squatter.Announce(lab.VIP(1).Addr()))
			},
			Heal: func(_ context.Context, s *Strike) error { return s.squatter.RemoveAddress(lab.VIP(1)) }},
	}
}

// cut loses the frames between the owner and some peers.
func (s *Strike) cut(d lab.Direction, peers ...*lab.Director) error {
	var errs []error
	for _, p := range peers {
		errs = append(errs, s.Owner.Drop(d, p.Host))
	}
	return errors.Join(errs...)
}
