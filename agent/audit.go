package agent

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"quorate/fsm"
	"quorate/vip/probe"
)

const (
	// lookEvery is how often each VIP is looked at, give or take a fifth, so that the nodes do not ask all at once.
	lookEvery = 5 * time.Second
	// lookFor is how long answers are heard in such a look: also the second of two.
	lookFor = 400 * time.Millisecond
	// lookAgainAfter is how long after a look that found something the next must find the same.
	lookAgainAfter = time.Second
	// urgeTimes is in how many looks an owner is asked at once to announce what is not as it should be; then every urgeEvery.
	urgeTimes = 3
	urgeEvery = time.Minute
	// maxAway is of how many VIPs of one owner a look makes sure that nobody hears them; later ones go on with others.
	maxAway = 8
	// maxFindings is how many events one look makes; the next makes those of the rest.
	maxFindings = 50
	// settled is how long after its assignment a VIP is not looked at: it is being taken over, and verified.
	settled = verifyFor + nudgedFor
)

// rounds looks at everything until ctx ends.
func (a *auditor) rounds(ctx context.Context) error {
	for {
		if !sleep(ctx, lookEvery*4/5+rand.N(lookEvery*2/5)) {
			return ctx.Err()
		}
		a.round(ctx)
	}
}

// round looks at each VIP whose auditor this node is. What it finds twice, with nothing changed meanwhile, becomes an event, unless it is what
// the timeline says already; what the timeline says is all the memory that there is, so that auditors may change.
func (a *auditor) round(ctx context.Context) {
	s := a.view.State()
	mine := a.mine(s)
	if len(mine) == 0 {
		a.misheard(nil)
		return
	}
	first := look(ctx, a.wire, s, a.self, mine, lookFor, false, false)
	findings := make(map[fsm.AddressKey]finding, len(mine))
	var odd []fsm.AddressKey
	for _, k := range mine {
		if findings[k] = judge(first[k], a.ownerMACs(ctx, s.Assignments[k].Owner, false)); findings[k] != asAgreed {
			odd = append(odd, k)
		}
	}
	again := map[fsm.AddressKey]sight{}
	if len(odd) > 0 {
		if !sleep(ctx, lookAgainAfter) {
			return
		}
		fresh := map[fsm.NodeID]bool{}
		again = look(ctx, a.wire, s, a.self, odd, lookFor, false, true)
		for _, k := range odd {
			owner := s.Assignments[k].Owner
			findings[k] = confirmed(first[k], again[k], a.ownerMACs(ctx, owner, !fresh[owner]))
			fresh[owner] = true
		}
	}
	now := a.view.State()
	told := toldBy(now.Events)
	counts := map[finding]int{}
	nudges := map[fsm.NodeID][]fsm.AddressKey{}
	silent := map[fsm.NodeID][]fsm.AddressKey{}
	events := 0
	for _, k := range mine {
		f, rec := findings[k], now.Assignments[k]
		if f == unsure || !stands(now, k, s.Assignments[k].Epoch) || ctx.Err() != nil {
			continue
		}
		if f != asAgreed {
			counts[f]++
		}
		urge, vain := a.urges(k, rec.Epoch, f)
		if urge {
			nudges[rec.Owner] = append(nudges[rec.Owner], k)
		}
		if vain && rec.Reason.Code != fsm.ReasonUnheard {
			silent[rec.Owner] = append(silent[rec.Owner], k)
		}
		was, any := told[rec.VIP]
		if f == was || f == asAgreed && !any || events == maxFindings {
			continue
		}
		events++
		a.record(ctx, fsm.Event{Node: rec.Owner, VIP: rec.VIP, Reason: fsm.ReasonCode(f), Text: a.sentence(now, k, f, again[k].macs)})
	}
	for owner, keys := range nudges {
		a.nudge(ctx, owner, keys)
	}
	a.misheard(counts)
	for owner, keys := range silent {
		a.giveUp(ctx, owner, keys)
	}
}

// giveUp asks for the release of addresses that announcing has not mended, as far as it is the owner who is not heard.
func (a *auditor) giveUp(ctx context.Context, owner fsm.NodeID, keys []fsm.AddressKey) {
	if a.soon() {
		return
	}
	keys = keys[:min(len(keys), maxAway)]
	away := a.elsewhere(ctx, owner, a.carried(ctx, owner, keys))
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, k := range keys {
		u := a.urged[k]
		u.silent = 0 // others come before it
		u.released = u.released || slices.Contains(away, k)
		a.urged[k] = u
	}
}

// mine are the VIPs that this node is to look at now, sorted.
func (a *auditor) mine(s *fsm.State) []fsm.AddressKey {
	var out []fsm.AddressKey
	now := time.Now()
	alive := make(map[fsm.NodeID]bool, len(s.Nodes))
	for n := range s.Nodes {
		alive[n] = n == a.self || a.peers.Alive(n)
	}
	for k, rec := range s.Assignments {
		if rec.Owner == "" || rec.Owner == a.self || rec.Release != nil || rec.Shadow { // whoever answers for one in shadow does so by right
			continue
		}
		if ago := now.Sub(rec.Since); 0 <= ago && ago < settled {
			continue
		}
		for _, n := range fsm.Auditors(s, k) {
			if n == a.self {
				out = append(out, k)
			}
			if alive[n] {
				break
			}
		}
	}
	slices.SortFunc(out, fsm.AddressKey.Compare)
	return out
}

// urges reports whether the owner is to be asked to announce an address, now that this was found: in the first looks that find it, and now
// and then after that. What announcing has not mended three times it does not mend at all, as where a router answers for everybody. vain
// says that the owner has not been heard in all those looks and since; of one turn as owner only until a release was asked for.
func (a *auditor) urges(k fsm.AddressKey, epoch fsm.Epoch, f finding) (urge, vain bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if f == asAgreed {
		delete(a.urged, k)
		return false, false
	}
	if a.urged == nil || len(a.urged) > probe.MaxAddresses {
		a.urged = map[fsm.AddressKey]urging{}
	}
	u := a.urged[k]
	if u.epoch != epoch {
		u = urging{epoch: epoch}
	}
	if u.silent++; f == duplicate {
		u.silent = 0
	}
	if urge = u.times < urgeTimes || time.Since(u.last) >= urgeEvery; urge {
		u.times, u.last = u.times+1, time.Now()
	}
	a.urged[k] = u
	return urge, u.silent > urgeTimes && !u.released
}

// confirmed is what two looks make sure of. Once as it should be is enough; silence has to be heard twice.
func confirmed(first, again sight, owner []probe.MAC) finding {
	again.asked = again.asked && first.asked
	f, was := judge(again, owner), judge(sight{asked: first.asked, macs: first.macs, peers: again.peers}, owner)
	if f == was || f == asAgreed {
		return f
	}
	if f == nobody || was == nobody {
		return unsure
	}
	return f
}

// toldBy is what the timeline says of VIPs that are not as they should be; any: of those that were, and are again.
func toldBy(events fsm.Timeline) map[string]finding {
	out := map[string]finding{}
	for _, e := range events {
		switch f := finding(e.Reason); {
		case e.Kind == fsm.EventAssign:
			delete(out, e.VIP) // another owner, another story
		case e.Kind != fsm.EventReported || e.VIP == "":
		case f == nobody, f == duplicate, f == foreign:
			out[e.VIP] = f
		case f == asAgreed:
			delete(out, e.VIP)
		}
	}
	return out
}

// sentence tells of a finding.
func (a *auditor) sentence(s *fsm.State, k fsm.AddressKey, f finding, macs []probe.MAC) string {
	owner := s.Assignments[k].Owner
	switch f {
	case nobody:
		return fmt.Sprintf("%s: nobody answers on the wire, as %s hears, though %s owns it; it is asked to announce it: look at `quorate status`, "+
			"and at the network between them", vipText(s, k), a.self, owner)
	case duplicate:
		return fmt.Sprintf("%s: %s and another host answer, as %s hears: %s; %s announces it again: find the other host by its MAC and take the address off it",
			vipText(s, k), owner, a.self, a.whose(macs), owner)
	case foreign:
		return fmt.Sprintf("%s: another host answers, and %s, who owns it, does not, as %s hears: %s; %s announces it again: find the other host by its MAC "+
			"and take the address off it", vipText(s, k), owner, a.self, a.whose(macs), owner)
	}
	return fmt.Sprintf("%s: %s alone answers again, as %s hears", vipText(s, k), owner, a.self)
}

// whose lists MACs with the nodes that they are known to belong to.
func (a *auditor) whose(macs []probe.MAC) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []string
	for _, m := range macs {
		text := m.String()
		for n, known := range a.macs {
			if slices.Contains(known.list, m) {
				text += fmt.Sprintf(" (%s)", n)
			}
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
