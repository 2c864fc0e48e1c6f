package matrix

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"time"

	"quorate/api"
	"quorate/fsm"
	"quorate/integration/lab"
	"quorate/vip/gate"
)

// Options of a trial.
type Options struct {
	lab.Options
	Binary string // of quorate
	Disks  bool   // give every director a disk of its own, for rows that need one
	Brief  bool   // let faults last as short as they may
	Fence  string // of Fences, that the agents are started with; "" = the strongest that they can have
}

// Fences are those that a cluster can be held to.
var Fences = []string{string(gate.KindBPF), string(gate.KindNFT), string(gate.KindLifetime)}

// ErrNoFence says that this machine's kernel does not offer the fence that was asked for.
var ErrNoFence = errors.New("the fence cannot be had")

// Trial is a cluster on which one fault after the other is made. Close its Bed at the end.
type Trial struct {
	Bed     *lab.Bed
	brief   bool
	capture *lab.Capture
	strain  *lab.Strain

	disks      map[string]*lab.Disk // by director
	bystanders *lab.Host            // where programs run that only take processors
	squatter   *lab.Host
	agents     map[string]usage // of each director when the trial began
	extra      bool             // the configuration has the VIP that nudge adds
}

const (
	vipName   = "web"
	diskSize  = 64 << 20
	pingEvery = 2 * time.Millisecond
	askEvery  = 5 * time.Millisecond
	// linger is how long a former owner may still answer after a planned move.
	linger = 2 * time.Second
)

// VIPs are the addresses at stake. They are on one node.
func VIPs() []netip.Addr { return []netip.Addr{lab.VIP(1).Addr(), lab.VIP6(1).Addr()} }

// New forms the cluster.
func New(ctx context.Context, o Options) (*Trial, error) {
	bed, err := lab.NewBed(ctx, lab.BedOptions{Options: o.Options, Binary: o.Binary, Directors: 3})
	if err != nil {
		return nil, err
	}
	t := &Trial{Bed: bed, brief: o.Brief, disks: map[string]*lab.Disk{}, agents: map[string]usage{}}
	if err := t.build(ctx, o); err != nil {
		return nil, errors.Join(err, bed.Close())
	}
	return t, nil
}

func (t *Trial) build(ctx context.Context, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var err error
	for _, d := range t.Bed.Directors {
		if !o.Disks {
			break
		}
		if t.disks[d.Name], err = d.AddDisk(d.DataDir, diskSize); err != nil {
			return err
		}
	}
	if t.bystanders, err = t.Bed.AddHost("busy", lab.HostPrefixes(81)...); err != nil {
		return err
	}
	if t.squatter, err = t.Bed.AddHost("squatter", lab.HostPrefixes(82)...); err != nil {
		return err
	}
	if t.capture, err = t.Bed.StartCapture(VIPs()...); err != nil {
		return err
	}
	if o.Fence != "" {
		for _, d := range t.Bed.Directors {
			if err := d.Start(ctx, "--fence", o.Fence); err != nil {
				return err
			}
			n, err := d.API.Node(ctx)
			if err != nil {
				return err
			}
			if n.Fence.Kind != o.Fence {
				return fmt.Errorf("%w: %s was started with %s and has %s: %s", ErrNoFence, d.Name, o.Fence, n.Fence.Kind, n.Fence.Missing)
			}
		}
	}
	if err := t.Bed.Form(ctx); err != nil {
		return err
	}
	if _, err := t.Bed.Directors[0].Apply(ctx, "cluster.hcl", t.config()); err != nil {
		return err
	}
	if _, err := t.Bed.Bystander.StartWatch(askEvery, VIPs()...); err != nil {
		return err
	}
	t.strain = t.Bed.StartStrain()
	if _, err := t.whole(ctx); err != nil {
		return err
	}
	for _, d := range t.Bed.Directors {
		if t.agents[d.Name], err = use(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// usage is what an agent has of things that could leak.
type usage struct {
	goroutines, files float64
	gate              []string // in its kernel
}

func use(ctx context.Context, d *lab.Director) (u usage, err error) {
	if u.goroutines, err = d.Metric(ctx, "go_goroutines"); err != nil {
		return u, err
	}
	if u.files, err = d.Metric(ctx, "process_open_fds"); err != nil {
		return u, err
	}
	u.gate, err = d.Gate()
	return u, err
}

func (t *Trial) config() string {
	c := new(lab.Config).Group("pair").VIP(vipName, lab.VIP(1), `group = "pair"`).VIP("web6", lab.VIP6(1), `group = "pair"`)
	if t.extra {
		c.VIP("extra", lab.VIP(9))
	}
	return c.String()
}

// nudge has every node write to its disk: an entry that each of them must store. That it fails, while a disk does, is no
// error.
func (t *Trial) nudge(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	t.extra = !t.extra
	for _, d := range t.Bed.Directors {
		if _, err := d.Apply(ctx, "cluster.hcl", t.config()); err == nil || ctx.Err() != nil {
			return nil
		}
	}
	return nil
}

// occupy starts four programs per processor that never rest.
func (t *Trial) occupy(context.Context) error {
	for range 4 * runtime.NumCPU() {
		p := lab.Program{Name: "busy", Path: "/bin/sh", Args: []string{"-c", "while :; do :; done"}}
		if _, err := t.bystanders.Start(context.Background(), p); err != nil { // ends with the fault, or with the lab
			return err
		}
	}
	return nil
}

// whole waits until the cluster is as it should be, and returns what it says of itself.
func (t *Trial) whole(ctx context.Context) (api.Status, error) {
	if err := t.Bed.AwaitReady(ctx); err != nil {
		return api.Status{}, err
	}
	var last api.Status
	err := t.Bed.AwaitStatus(ctx, "a cluster that is whole", func(s api.Status) error {
		last = s
		if !s.Healthy || len(s.Nodes) != len(t.Bed.Directors) {
			return fmt.Errorf("problems: %q", s.Problems)
		}
		for _, v := range s.VIPs {
			if v.State != api.VIPHeld {
				return fmt.Errorf("%s is %s: %s", v.Name, v.State, v.Problem)
			}
		}
		return nil
	})
	return last, err
}

// owner is the director that owns the VIPs, by a status.
func (t *Trial) owner(s api.Status) (*lab.Director, error) {
	for _, v := range s.VIPs {
		if d := t.Bed.Director(string(v.Owner)); v.Name == vipName && d != nil {
			return d, nil
		}
	}
	return nil, fmt.Errorf("nobody owns %s", vipName)
}

// place brings leader and owner to where the row wants them.
func (t *Trial) place(ctx context.Context, lead Lead) (*Strike, error) {
	for {
		s, err := t.whole(ctx)
		if err != nil {
			return nil, err
		}
		owner, err := t.owner(s)
		if err != nil {
			return nil, err
		}
		leader := t.Bed.Director(string(s.Leader))
		if leader == nil {
			return nil, errors.New("the cluster has no leader")
		}
		others := slices.DeleteFunc(slices.Clone(t.Bed.Directors), func(d *lab.Director) bool { return d == owner })
		var to *lab.Director
		switch {
		case lead == Elsewhere && owner == leader:
			to = others[0]
		case lead == Together && owner != leader:
			to = leader
		default:
			return &Strike{Trial: t, Owner: owner, Leader: leader, Others: others}, nil
		}
		// On a machine that is very busy a command may meet an election; this is only the way to the fault.
		if _, err := leader.Quorate(ctx, "vip", "move", vipName, to.Name); err != nil && ctx.Err() != nil {
			return nil, err
		}
	}
}

// decided lists who the cluster said owns the VIP, in order, since an entry; first is who did then.
func (t *Trial) decided(ctx context.Context, vip string, since uint64, first fsm.NodeID) ([]string, error) {
	err := errors.New("no agent answers")
	for _, d := range t.Bed.Directors {
		var e api.Events
		if e, err = d.API.Events(ctx, fmt.Sprint(since), 0); err != nil {
			continue
		}
		if e.Forgotten || e.More {
			return nil, errors.New("the timeline is too short to say who owned what")
		}
		return lab.Decided(e.Events, vip, string(first)), nil
	}
	return nil, err
}
