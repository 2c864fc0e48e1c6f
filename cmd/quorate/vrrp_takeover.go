package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"quorate/api/client"
	"quorate/api/crossing"
)

func (a *app) vrrpTakeover() *cobra.Command {
	return a.crossing(crossing.Takeover, &cobra.Command{
		Use:   "takeover VIP",
		Short: "Take a VIP in shadow over from keepalived and the like, step by step",
		Long: `Take a VIP that is in shadow over from the routers outside the cluster that have it: first it is looked at what speaks
against it, then the mode of the VIP becomes live, together with that of all that goes with it (the VIPs of its virtual
router and of its group), and then it is made sure of: the owner's adverts are heard by the other nodes, the
routers outside the cluster have fallen silent, and the owner alone answers for the address.

What is not so within --wait is undone: the VIP goes back into shadow, unless --rollback=false. What blocks the way can
be overridden with --force, but for what the configuration would be refused for. The configuration files have to be
changed too, or the next apply takes it back: the command says how. giveback is the way back.

A VIP that is live already is only looked at: nothing is changed, and nothing undone. Interrupted (Ctrl-C), the command
says in which mode it leaves the VIP; a terminal that is lost does not end it.

Without --wait, the time is 30s and as long as the slowest router outside the cluster takes to count as silent by its own
timers, three intervals and its skew: 34s where they advertise each second, 13m16s where they do each 255s. What
preempt_delay leaves them is added.`,
		Example: `  quorate vrrp takeover web --check
  quorate vrrp takeover web
  quorate vrrp takeover web --wait 1m --rollback=false`,
	})
}

// crossingFlags are those of takeover and giveback.
type crossingFlags struct {
	wait            time.Duration
	force, rollback bool
	check           bool
	limit           time.Duration // setLimit
}

// crossed is what they say as JSON.
type crossed struct {
	VIP        string               `json:"vip"`
	VIPs       []string             `json:"vips"` // those that the step is about: they go together, and their mode is the same
	Way        crossing.Way         `json:"way"`
	Mode       string               `json:"mode,omitempty"` // at the end; absent: that is not known, or the VIP is there no more
	Objections []crossing.Objection `json:"objections"`
	Steps      []crossing.Step      `json:"steps,omitempty"`
	Done       bool                 `json:"done"`
	RolledBack bool                 `json:"rolled_back,omitempty"`
	Write      []string             `json:"write,omitempty"` // into the configuration files
	TookMS     int64                `json:"took_ms"`
	Note       string               `json:"note,omitempty"`
}

const (
	// lookPause is between two looks at the nodes, each of which takes some hundred milliseconds.
	lookPause = 200 * time.Millisecond
	// setLimit is how long a change of the mode may take that was begun: it is not left half-way when the command is interrupted.
	setLimit = 15 * time.Second
	// minWay is the shortest time to make sure.
	minWay = time.Second
	// undoTries is how often it is undone again where somebody else has applied a configuration in the same moment.
	undoTries = 3
	// mostObjections are shown to a person.
	mostObjections = 20
	// mostVIPs are named of those that go together.
	mostVIPs = 8
	// longWait is one that is said at its beginning.
	longWait = time.Minute
)

func (a *app) crossing(way crossing.Way, cmd *cobra.Command) *cobra.Command {
	f := crossingFlags{limit: setLimit}
	cmd.Args = needs("the name of a VIP")
	cmd.ValidArgsFunction = a.completeVIPs
	cmd.RunE = a.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
		if cmd.Flags().Changed("wait") && (f.wait < minWay || f.wait > time.Hour) {
			return &usageError{cmd, fmt.Errorf("--wait %v: want %v to %v", f.wait, minWay, time.Hour)}
		}
		return a.cross(cmd.Context(), c, way, args[0], f)
	})
	cmd.Flags().DurationVar(&f.wait, "wait", 0, "time for all of it to be as it should (default: by the timers of the others, see above)")
	cmd.Flags().BoolVar(&f.force, "force", false, "do it although something speaks against it")
	cmd.Flags().BoolVar(&f.rollback, "rollback", true, "undo it when it is not as it should be in time")
	cmd.Flags().BoolVar(&f.check, "check", false, "only say what speaks against it")
	return cmd
}
