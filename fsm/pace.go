package fsm

import (
	"fmt"
	"time"
)

// Whether the cluster is quick enough for the routers that stand by. Who speaks falls silent when it hands over or is lost, and the next one begins to speak in its
// place; meanwhile a router outside the cluster counts the time since the last advert that it heard, and takes over when that has become Master_Down.

// Handover is how long a hand-over may take: two entries, each committed within Raft's timeout, since otherwise another leader is elected.
func (t Timing) Handover() time.Duration { return 2 * t.Raft }

// Failover is how long it may take until a lost owner is replaced: its lease, renewed last just before, runs out, and the leader may have been lost with it.
func (t Timing) Failover() time.Duration { return t.TTL + t.Renew + t.Margin + t.Raft }

const (
	downAdverts  = 3   // that may fail to come
	topPriority  = 254 // of a router that stands by; the higher, the sooner it takes over
	lowPriority  = 1
	skewFraction = 256
)

// MasterDown is how long the most impatient router outside the cluster hears nothing before it takes over.
func (r VirtualRouter) MasterDown() time.Duration { return r.masterDown(topPriority) }

// LongestMasterDown is how long the most patient one does: only then nobody can be there any more who would speak.
func (r VirtualRouter) LongestMasterDown() time.Duration { return r.masterDown(lowPriority) }

// LongestSkew is how long the most patient one waits that was told that nobody is there any more.
func (r VirtualRouter) LongestSkew() time.Duration { return r.skew(lowPriority) }

func (r VirtualRouter) masterDown(priority time.Duration) time.Duration {
	return downAdverts*r.Whole().Interval + r.skew(priority)
}

func (r VirtualRouter) skew(priority time.Duration) time.Duration {
	w := r.Whole()
	skew := w.Interval
	if w.Version == 2 {
		skew = time.Second
	}
	return (skewFraction - priority) * skew / skewFraction
}

// Patience is what of that is left at any moment: the last advert may be a whole interval old.
func (r VirtualRouter) Patience() time.Duration { return r.MasterDown() - r.Whole().Interval }

// unhurried is the shortest interval at which the profile is quick enough.
func (r VirtualRouter) unhurried(t Timing) time.Duration {
	r = r.Whole()
	step, longest := centisecond, maxInterval3
	if r.Version == 2 {
		step, longest = time.Second, maxInterval2
	}
	for r.Interval = step; r.Interval < longest && r.Patience() < max(t.Handover(), t.Failover()); r.Interval += step {
	}
	return r.Interval
}

// validatePace refuses virtual routers whose neighbours would take over while the cluster does.
func (c Config) validatePace(ps *Problems) {
	t := c.Settings.Profile.Timing()
	for _, r := range c.VirtualRouters() {
		var bad Problems
		r.validateInterval(&bad, "")
		left := r.Patience()
		if len(bad) > 0 || left >= t.Handover() && left >= t.Failover() {
			continue
		}
		profile := c.withDefaults().Settings.Profile
		cure := fmt.Sprintf("use interval = %q or more on all of its routers", r.unhurried(t))
		if profile == WAN {
			cure += `, or profile = "lan"`
		}
		ps.add(c.routerObject(r.Name), "interval", r.Interval.String(),
			fmt.Sprintf("a router of priority %d takes over when it has heard nothing for %v, and the last advert may be %v old, which leaves %v: with profile = %q a hand-over may take %v, and a failover %v",
				topPriority, r.MasterDown().Round(time.Millisecond), r.Interval, left.Round(time.Millisecond), profile, t.Handover(), t.Failover()), cure)
	}
}
