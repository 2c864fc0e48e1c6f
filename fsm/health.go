package fsm

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Health says what a service makes of its checks. The zero value is the default. Since schema 6.
type Health struct {
	// Checks is how many of a server's checks have to pass for an observer to see it up: "any", a number, or "" = all.
	Checks    string         `json:"checks,omitempty"`
	Observers ObserverPolicy `json:"observers,omitempty"`
	// Panic is from which loss at once on the service keeps the servers that it had: "off", "all", a share like "50%", or "" = "all" where the
	// service has no sorry server, else "off".
	Panic string `json:"panic,omitempty"`
	// OnDown is what becomes of the connections of a server that goes down.
	OnDown OnDown `json:"on_down,omitempty"`

	// A server that goes down again and again is held down, see Service.Hold. 0 = the default.
	NoDamping    bool          `json:"no_damping,omitempty"`
	DampingAfter int           `json:"damping_after,omitempty"` // falls in a row from which on it is held down
	DampingHold  time.Duration `json:"damping_hold,omitempty"`  // the first time; it doubles
	DampingMax   time.Duration `json:"damping_max,omitempty"`   // but is no longer than this
	DampingQuiet time.Duration `json:"damping_quiet,omitempty"` // for each such time without a fall, one is forgotten

	// NoPassive leaves the probes to their intervals: what the owner's kernel sees of the clients' connections gives no hint to probe at once.
	NoPassive bool `json:"no_passive,omitempty"`
}

// ObserverPolicy says how the views of the observers make a verdict.
type ObserverPolicy string

// The policies.
const (
	ByMajority ObserverPolicy = ""      // of those that are alive
	ByAny      ObserverPolicy = "any"   // up while any of them sees it up
	ByAll      ObserverPolicy = "all"   // up while all of them see it up
	ByOwner    ObserverPolicy = "owner" // what the owner of the VIP sees, as with keepalived
)

// String is the form of configuration files.
func (p ObserverPolicy) String() string { return cmp.Or(string(p), "majority") }

// OnDown says what becomes of the connections of a server that goes down.
type OnDown string

// The ways.
const (
	DropServer    OnDown = ""         // out of the table: what follows is the kernel's and its settings'
	KeepConns     OnDown = "keep"     // it stays with weight 0
	ShutdownConns OnDown = "shutdown" // they are ended at their next packet
)

// needed is how many of n checks have to pass.
func (h Health) needed(n int) int {
	switch h.Checks {
	case "":
		return n
	case "any":
		return min(1, n)
	}
	need, err := strconv.Atoi(h.Checks)
	if err != nil {
		return n
	}
	return min(max(1, need), n)
}

// ChecksNeeded is how many of the service's checks have to pass for an observer to see a server up.
func (s Service) ChecksNeeded() int { return s.Health.needed(len(s.Checks)) }

// The defaults and limits of damping: three falls in a row say that a server does not stay up, and ordinary restarts are fewer.
const (
	defaultDampingAfter = 3
	defaultDampingHold  = 5 * time.Second
	defaultDampingMax   = 5 * time.Minute
	defaultDampingQuiet = 5 * time.Minute
	maxDamping          = 24 * time.Hour
)

func (h Health) damping() Health {
	h.DampingAfter = cmp.Or(h.DampingAfter, defaultDampingAfter)
	h.DampingHold = cmp.Or(h.DampingHold, defaultDampingHold)
	h.DampingMax = max(cmp.Or(h.DampingMax, defaultDampingMax), h.DampingHold)
	h.DampingQuiet = cmp.Or(h.DampingQuiet, defaultDampingQuiet)
	return h
}

// noPanic and allPanic stand beside the shares of 1 to 99 percent.
const (
	noPanic  = 0
	allPanic = 100
)

// panicShare is the loss at once beyond which the service keeps its servers, in percent; allPanic = when none would be left, noPanic = never.
func (s Service) panicShare() int {
	switch p := s.Health.Panic; {
	case len(s.Checks) == 0, p == "off", p == "" && s.Sorry != nil:
		return noPanic
	case p == "", p == "all":
		return allPanic
	default:
		share, ok := percentOf(p)
		if !ok {
			return noPanic
		}
		return share
	}
}

// PanicAt is the panic threshold in force, as in a configuration file.
func (s Service) PanicAt() string {
	switch share := s.panicShare(); share {
	case noPanic:
		return "off"
	case allPanic:
		return "all"
	default:
		return strconv.Itoa(share) + "%"
	}
}

// percentOf reads "1%" to "99%".
func percentOf(text string) (int, bool) {
	digits, is := strings.CutSuffix(text, "%")
	n, err := strconv.Atoi(digits)
	return n, is && err == nil && n >= 1 && n <= 99
}

func (s Service) validateHealth(ps *Problems, service string) {
	h, object := s.Health, healthObject(service)
	if h == (Health{}) {
		return
	}
	switch n, err := strconv.Atoi(h.Checks); {
	case h.Checks == "" || h.Checks == "any":
	case err != nil || n < 1:
		ps.add(object, "checks", h.Checks, "this is not a known value", `use "all", "any" or a number`)
	case n > len(s.Checks):
		ps.add(object, "checks", h.Checks, fmt.Sprintf("the service has %s", plural(len(s.Checks), "check")), `use "all", or add checks`)
	}
	if !slices.Contains([]ObserverPolicy{ByMajority, ByAny, ByAll, ByOwner}, h.Observers) {
		ps.add(object, "observers", string(h.Observers), "this is not a known value", "use one of majority, any, all, owner")
	}
	if h.Observers == ByOwner && s.ChecksThrough() {
		ps.add(object, "observers", string(h.Observers), "the owner of a VIP cannot probe through the forwarding path", `use "majority", or leave through out of the checks`)
	}
	if _, ok := percentOf(h.Panic); !ok && h.Panic != "" && h.Panic != "off" && h.Panic != "all" {
		ps.add(object, "panic", h.Panic, "this is not a known value", `use "off", "all", or a share from "1%" to "99%"`)
	}
	if !slices.Contains([]OnDown{DropServer, KeepConns, ShutdownConns}, h.OnDown) {
		ps.add(object, "on_down", string(h.OnDown), "this is not a known value", "use one of drop, keep, shutdown")
	}
	if h.OnDown == ShutdownConns && s.Inhibit {
		ps.add(object, "on_down", string(h.OnDown), "with inhibit_on_failure the connections go on", "leave one of the two out")
	}
	d := h.damping()
	inRange(ps, object, "damping_after", d.DampingAfter, 1, 100)
	inRange(ps, object, "damping_hold", d.DampingHold, time.Second, maxDamping)
	inRange(ps, object, "damping_max", d.DampingMax, time.Second, maxDamping)
	inRange(ps, object, "damping_quiet", d.DampingQuiet, time.Second, maxDamping)
	if h.DampingMax != 0 && h.DampingMax < d.DampingHold {
		ps.add(object, "damping_max", h.DampingMax.String(), fmt.Sprintf("it is shorter than damping_hold, which is %v", d.DampingHold), "use at least that")
	}
}

func healthObject(service string) string { return service + ".health" }

// fields flattens the settings, for a diff.
func (h Health) fields(object string, make func(string) fields) {
	if h == (Health{}) {
		return
	}
	f := make(healthObject(object))
	f.set("checks", h.Checks)
	f.set("observers", string(h.Observers))
	f.set("panic", h.Panic)
	f.set("on_down", string(h.OnDown))
	if h.NoDamping {
		f.set("damping", "false")
	}
	f.count("damping_after", h.DampingAfter)
	f.span("damping_hold", h.DampingHold)
	f.span("damping_max", h.DampingMax)
	f.span("damping_quiet", h.DampingQuiet)
	if h.NoPassive {
		f.set("passive", "false")
	}
}

// keeps reports whether a server that is down stays in the table with weight 0.
func (s Service) keeps() bool { return s.Inhibit || s.Health.OnDown == KeepConns }

// believes reports whether the cluster runs at a schema that has dampings, panics, weights that servers ask for and faults of paths.
func (s *State) believes() bool { return s.Schema >= schemaHealth }
