package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"quorate/fsm"
	"quorate/integration/lab"
)

// terms say what the demo asks of the machine, and how much time it gives it.
type terms struct {
	plane    string // data_plane of the cluster
	profile  string // of the cluster
	rate     int    // of the client, requests per second
	patience int    // how much slower than usual the machine is
}

func (t *terms) flags(f *pflag.FlagSet) {
	f.StringVar(&t.plane, "data-plane", t.plane, "of the cluster: auto, ipvs or nft")
	f.StringVar(&t.profile, "profile", t.profile, "of the cluster: lan or wan")
	f.IntVar(&t.rate, "rate", t.rate, "requests per second of the client")
	f.IntVar(&t.patience, "patience", t.patience, "multiply all promised times by this, and ping less often")
}

func (t *terms) check() error {
	if planes := []string{"auto", "ipvs", "nft"}; !slices.Contains(planes, t.plane) {
		return fmt.Errorf("--data-plane %s: want one of %q", t.plane, planes)
	}
	if profiles := []string{string(fsm.LAN), string(fsm.WAN)}; !slices.Contains(profiles, t.profile) {
		return fmt.Errorf("--profile %s: want one of %q", t.profile, profiles)
	}
	if t.rate < 10 || t.rate > 2000 {
		return fmt.Errorf("--rate %d: want 10 to 2000", t.rate)
	}
	if t.patience < 1 || t.patience > 20 {
		return fmt.Errorf("--patience %d: want 1 to 20", t.patience)
	}
	return nil
}

// direct reports whether the services use direct routing. IPVS translates destinations only, hence nat would need web
// servers whose way back leads through the owner.
func (t *terms) direct() bool { return t.plane == "ipvs" }

// settings are those of the cluster, as lines of its block in the file.
func (t *terms) settings() []string {
	return []string{fmt.Sprintf("data_plane = %q", t.plane), fmt.Sprintf("profile = %q", t.profile)}
}

// slower is a promised time with patience.
func (t *terms) slower(d time.Duration) time.Duration { return d * time.Duration(t.patience) }

// rarer is the interval of a measurement, which must not be what keeps a slow machine busy.
func (t *terms) rarer(d time.Duration) time.Duration {
	if t.patience > 1 {
		return 16 * d
	}
	return d
}

func (t *terms) pingEvery() time.Duration { return t.rarer(2 * time.Millisecond) }

// checkEvery is the interval of health checks.
func (t *terms) checkEvery() time.Duration {
	return time.Duration(t.patience+1) * 100 * time.Millisecond
}

// loss is the longest time for which a VIP may be without owner when its owner's machine is lost: its lease has to end,
// and a leader may have to be elected first.
func (t *terms) loss() time.Duration {
	return 2*fsm.Profile(t.profile).Timing().TTL + t.slower(500*time.Millisecond)
}

// unnoticed reports whether a client saw no failure. A machine that needs patience may let one request in twenty run into
// its timeout.
func (t *terms) unnoticed(s lab.Summary) bool {
	return s.Failed == 0 || t.patience > 1 && 20*s.Failed <= s.Total
}

// onlyUnderWay reports whether the requests that failed are those that were under way when their VIP moved: there was one moment, to 20 ms, at
// which all of them were, and no more of them ran into their timeout than begin in such a time. How many there are says nothing: a client that
// had to wait for a processor makes up for it, and has several under way at once.
func (t *terms) onlyUnderWay(failed []lab.Request) bool {
	moment, silent := t.slower(20*time.Millisecond), 0
	for _, r := range failed {
		if r.Took >= timeout {
			silent++
		}
	}
	return lab.Apart(failed) <= moment && silent <= t.rate*int(moment/time.Millisecond)/1000
}

// within promises that a measured time is at most a limit, with patience.
func (s *show) within(limit, measured time.Duration, what string) {
	s.report.within(s.slower(limit), measured, what)
}
