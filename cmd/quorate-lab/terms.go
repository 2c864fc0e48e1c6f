package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/pflag"
)

// terms say what the demo asks of the machine, and how much time it gives it.
type terms struct {
	plane    string // data_plane of the cluster
	rate     int    // of the client, requests per second
	patience int    // promised times are multiplied by it; pings and questions are as much rarer
}

func (t *terms) flags(f *pflag.FlagSet) {
	f.StringVar(&t.plane, "data-plane", t.plane, "of the cluster: auto, ipvs or nft")
	f.IntVar(&t.rate, "rate", t.rate, "requests per second of the client")
	f.IntVar(&t.patience, "patience", t.patience, "multiply all promised times by this")
}

func (t *terms) check() error {
	if planes := []string{"auto", "ipvs", "nft"}; !slices.Contains(planes, t.plane) {
		return fmt.Errorf("--data-plane %s: want one of %q", t.plane, planes)
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

func (t *terms) slower(d time.Duration) time.Duration { return d * time.Duration(t.patience) }

func (t *terms) pingEvery() time.Duration { return t.slower(2 * time.Millisecond) }

// within promises that a measured time is at most a limit, with patience.
func (s *show) within(limit, measured time.Duration, what string) {
	s.report.within(s.slower(limit), measured, what)
}
