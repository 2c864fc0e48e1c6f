package fsm

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Of servers that fail together no observer learns at the same moment: each is probed at its own point of the interval. So those that fell within
// panicSlack and twice the longest interval have fallen at once.
const panicSlack = 5 * time.Second

func (s Service) panicWindow() time.Duration {
	longest := time.Duration(0)
	for _, c := range s.Checks {
		longest = max(longest, c.Interval)
	}
	return panicSlack + 2*longest
}

// tooMany reports whether the loss of so many out of all is more than the service takes at once.
func tooMany(lost, all, share int) bool {
	if share == allPanic {
		return lost >= all
	}
	return lost*100 > share*all
}

// settlePanic begins and ends the panic of a service. When more of its servers than it takes fell at once, those that fell stay in the table though
// they are down, until enough of them are up again: what all observers see of so many servers at once is likely to be a fault of something
// else, and where it is not, nothing is lost by trying. Servers that were down before stay out.
func (e *entry) settlePanic(name string) {
	if !e.next.believes() {
		return
	}
	svc, st := e.next.Config.Services[name], e.next.Services[name]
	share := svc.panicShare()
	began := !st.Panic.IsZero()
	up, lost := 0, map[ServerKey]ServerState{}
	for _, server := range svc.Servers {
		k := ServerKey{name, server.Address}
		was := e.next.Servers[k]
		falls := was.Kept || e.fallen[k]
		if !began {
			falls = !was.Fell.IsZero() && recent(was.Fell, e.at, svc.panicWindow())
		}
		switch {
		case server.Weight == 0 || was.Admin != Enabled:
		case was.Verdict == Up:
			up++
		case was.Verdict == Down && falls:
			lost[k] = was
		}
	}
	all := up + len(lost)
	on := share != noPanic && len(lost) > 0 && tooMany(len(lost), all, share) && (began || len(lost) > 1)
	for _, server := range svc.Servers {
		k := ServerKey{name, server.Address}
		was := e.next.Servers[k]
		_, keep := lost[k]
		if keep = keep && on; was.Kept != keep {
			if was.Kept = keep; !keep && was.Verdict == Down {
				was.Fell = e.at // out of the table it falls only now
			}
			e.servers()[k] = was
		}
	}
	if on == began {
		return
	}
	ev := Event{Kind: EventService, Service: name, VIP: svc.VIP, Reason: ReasonPanic}
	if on {
		st.Panic = e.at
		ev.Text = fmt.Sprintf("%s: %d of its %s went down at once: they stay in the table until enough are up again (panic = %q); look for what they have in common",
			name, len(lost), plural(all, "server"), svc.PanicAt())
	} else {
		st.Panic = time.Time{}
		ev.Reason = ReasonPanicOver
		ev.Text = fmt.Sprintf("%s: the panic is over: %s", name, overText(share, up, len(lost)))
	}
	e.services()[name] = st
	e.event(ev)
}

func overText(share, up, lost int) string {
	if share == noPanic {
		return "it is off now"
	}
	var text string
	if up == 1 {
		text = "1 server of it is up"
	} else if up > 1 {
		text = fmt.Sprintf("%d servers of it are up", up)
	} else {
		text = "none of its servers is left that it kept"
	}
	if lost > 0 {
		text += fmt.Sprintf(", and %d that are down leave the table", lost)
	}
	return text
}

// Panics are the services in a panic, sorted.
func (s *State) Panics() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(s.Services)) {
		if !s.Services[name].Panic.IsZero() {
			out = append(out, name)
		}
	}
	return out
}
