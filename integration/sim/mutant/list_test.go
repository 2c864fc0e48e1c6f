package mutant

const (
	grantorGo  = "cluster/lease/grantor.go"
	holderGo   = "cluster/lease/holder.go"
	machineGo  = "cluster/lease/machine.go"
	handoverGo = "cluster/lease/handover.go"
	changeGo   = "cluster/lease/change.go"
	lingerGo   = "cluster/lease/linger.go"
	fencerGo   = "cluster/lease/fencer.go"
	driftGo    = "cluster/lease/drift.go"
	instantGo  = "cluster/lease/instant.go"
	fenceGo    = "fsm/apply_fence.go"
	assignGo   = "fsm/apply_assignment.go"
	configGo   = "fsm/apply_config.go"
	localGo    = "fsm/local.go"
	unitGo     = "fsm/plan_unit.go"
	reportsGo  = "cluster/lease/reports.go"
	planGo     = "fsm/plan.go"
	ruleGo     = "vip/gate/rule.go"

	// The model's own: of what the agent does with the kernel.
	kernelGo   = "integration/sim/kernel.go"
	actuatorGo = "integration/sim/actuator.go"
	nodeGo     = "integration/sim/node.go"
)

var mutants = []mutant{
	{
		name: "kept-although-a-check-fails", rule: "a node on which a required check is down may not own the VIPs that the check is about",
		edits: []edit{{unitGo, "u.fit[i] = u.fit[i] && st.failing == \"\"", "u.fit[i] = u.fit[i] && st.failing != \"never\""}},
	},
	{
		name: "given-to-whom-nobody-knows", rule: "one of which it is not known keeps what it owns and gets nothing",
		edits: []edit{{unitGo, "st.failing == \"\" && st.unsure == \"\"", "st.failing == \"\""}},
	},
	{
		name: "promise-not-durable", rule: "a promise is on disk before it is answered",
		situation: "grantors-forget",
		edits: []edit{
			{grantorGo, "		g.memory.Floors[f.Node] = f.Epoch\n		g.memory.Promises++\n", "		g.memory.Floors[f.Node] = f.Epoch\n"},
			{grantorGo, "if g.disk.Floors[n] < f.Epoch || now.Raw <= g.runOut(n) {", "if now.Raw <= g.runOut(n) {"},
		},
	},
	{
		name: "granted-although-promised", rule: "v refuses n at epochs ≤ e from now on",
		situation: "grantors-forget",
		edits:     []edit{{grantorGo, "if r.Epoch <= g.memory.Floors[from] {", "if false {"}},
	},
	{
		name: "fence-by-a-minority", rule: "with a majority of answers the leader commits one entry",
		situation: "moved-and-unconfirmed",
		edits:     []edit{{fencerGo, "len(x.answered) >= v.set.Majority()", "len(x.answered) >= max(1, v.set.Majority()-1)"}},
	},
	{
		name: "lease-from-a-minority", rule: "a majority of the set has acknowledged",
		situation: "worst-clocks",
		edits:     []edit{{holderGo, "need := v.set.Majority()", "need := max(1, v.set.Majority()-1)"}},
	},
	{
		name: "older-sets-granted", rule: "a majority of the current set has durably refused Renews naming older sets",
		situation: "grantors-follow-unseen",
		edits:     []edit{{grantorGo, "if r.GrantorIndex < g.memory.SetFloor {", "if false {"}},
	},
	{
		name: "answer-before-the-grant-ran-out", rule: "waits until until[n] has passed, and answers",
		situation: "shorter-profile",
		edits:     []edit{{grantorGo, "if g.disk.Floors[n] < f.Epoch || now.Raw <= g.runOut(n) {", "if g.disk.Floors[n] < f.Epoch {"}},
	},
	{
		name: "lease-from-the-reply", rule: "s is read before sending",
		situation: "late-acks",
		edits:     []edit{{machineGo, "m.holder.ack(from, b, &m.view)", "m.holder.sends[b.Seq%maxSends].at = m.now\n\t\tm.holder.ack(from, b, &m.view)"}},
	},
	{
		name: "answer-of-an-earlier-boot", rule: "each answer echoes the asker's boot id",
		situation: "acks-of-an-earlier-boot",
		edits:     []edit{{holderGo, "if a.Boot != h.boot || a.Seq == 0 ||", "if a.Seq == 0 ||"}},
	},
	{
		name: "no-barrier", rule: "no Renew before the start barrier",
		situation: "start-in-the-past",
		edits:     []edit{{holderGo, "if !h.barrier || v.epoch == 0 {", "if v.epoch == 0 {"}},
	},
	{
		name: "no-confirmation", rule: "Assign only after the owner confirmed",
		situation: "moved-while-cut",
		edits:     []edit{{planGo, "p.h.Confirmed[a.Key] == a.Release.Index", "true"}},
	},
	{
		name: "unbound-confirmation", rule: "a confirmation is worth something for its own Release only",
		situation: "moved-twice",
		edits:     []edit{{handoverGo, "x.key == r.Key && x.index == r.Index && x.owner == from", "x.key == r.Key && x.owner == from"}},
	},
	{
		name: "epoch-not-compared", rule: "Apply demands that n's epoch is still e",
		situation: "raise-before-fence",
		edits:     []edit{{fenceGo, "c.Epoch)\n	if err != nil {\n		return fmt.Errorf(\"fence of", "e.next.Nodes[c.Node].Epoch)\n	if err != nil {\n		return fmt.Errorf(\"fence of"}},
	},
	{
		name: "raise-and-move-apart", rule: "one entry raises the epoch and moves the VIPs",
		situation: "back-between-entries",
		edits: []edit{
			{fenceGo, "			e.give(rec, v, m.To, m.Reason.clip(), contested{})\n", "			rec.Release = &Release{Index: e.index, To: m.To, Reason: m.Reason.clip()}\n			e.assignments()[m.Key] = rec\n"},
			{planGo, "p.h.Confirmed[a.Key] == a.Release.Index", "(p.h.Confirmed[a.Key] == a.Release.Index || a.Release.Reason.Code == ReasonFenced)"},
			{localGo, "		case a.Release != nil:", "		case a.Release != nil && a.Release.Reason.Code != ReasonFenced:"},
		},
	},
	{
		name: "grantor-change-without-the-rule", rule: "the next change only after a majority refuses older sets and the cap has passed",
		situation: "grantors-follow-quickly",
		edits:     []edit{{changeGo, "	if !c.asking {\n		// §3", "	c.asking, c.allowed = true, true\n	if !c.asking {\n		// §3"}},
	},
	{
		name: "renamed-to-a-new-owner", rule: "no configuration change takes an owned address away",
		situation: "renamed-while-cut",
		edits: []edit{{configGo, "		r := Release{Index: e.index,", `		if configured && v.Name != a.VIP {
			e.assignments()[k] = Assignment{Key: k, VIP: v.Name, Address: v.Address, Interface: v.Interface, Epoch: Epoch(e.index)}
			continue
		}
		r := Release{Index: e.index,`}},
	},
	{
		name: "relabelled-to-a-new-owner", rule: "Apply refuses to assign an address that any other record still owns",
		situation: "relabelled-while-cut",
		edits:     []edit{{assignGo, "	return n > 0\n", "	return n > 1000\n"}},
	},
	{
		name: "grants-forgotten-at-a-start", rule: "after a start: until[every node] = start + cap·(1+ρ)/(1−ρ) + m",
		situation: "all-grantors-restart",
		edits:     []edit{{grantorGo, "startUntil: start.Raw + grantSpan(d.Cap),", "startUntil: start.Raw,"}},
	},
	{
		name: "cap-not-durable", rule: "the cap is raised on disk before the first longer grant",
		situation: "cap-on-a-slow-disk",
		edits:     []edit{{grantorGo, "l := min(g.memory.Cap, g.disk.Cap)", "l := g.memory.Cap"}},
	},
	{
		name: "shorter-grant-ends-a-longer-one", rule: "until is per node, never reset",
		situation: "shorter-profile",
		edits:     []edit{{grantorGo, "g.until[from] = max(g.until[from], now.Raw+grantSpan(r.TTL))", "g.until[from] = now.Raw + grantSpan(r.TTL)"}},
	},
	{
		name: "grant-without-drift", rule: "until[n] = now + ttl·(1+ρ)/(1−ρ) + m",
		situation: "worst-clocks",
		edits:     []edit{{driftGo, "return ttl + (2*ttl+98)/99 + margin(ttl)", "return ttl"}},
	},
	{
		name: "suspend-not-counted", rule: "inside that on RAW and on BOOTTIME (suspend counts)",
		situation: "suspended",
		edits:     []edit{{instantGo, "i.Raw < deadline.Raw && i.Boot < deadline.Boot", "i.Raw < deadline.Raw"}},
	},
	{
		name: "boottime-without-margin", rule: "inside s + 0.9·ttl on BOOTTIME (a 10 % slew does not hurt)",
		situation: "suspended",
		edits:     []edit{{driftGo, "Boot: s.Boot + ttl*9/10", "Boot: s.Boot + ttl"}},
	},
	{
		name: "answer-of-another-store", rule: "members are node + store",
		situation: "grantor-changes-store",
		edits:     []edit{{holderGo, "if !v.set.Has(from) {", "if false {"}},
	},
	{
		name: "gate-without-epoch", rule: "a new epoch opens nothing that was not opened under it",
		situation: "back-before-it-closed",
		edits: []edit{{ruleGo, "	if e.Epoch == 0 || now >= leases[e.Epoch] {", `	until := time.Duration(0)
	for _, u := range leases {
		until = max(until, u)
	}
	if e.Epoch == 0 || now >= until {`}},
	},
	{
		name: "linger-that-claims", rule: "in a linger: IP only",
		situation: "handed-over",
		edits:     []edit{{ruleGo, "		return e.ARP && e.IPUntil == 0", "		return e.IP"}},
	},
	{
		name: "linger-beyond-the-lease", rule: "no lease = closed, in a linger too",
		situation: "fenced-in-a-linger",
		edits:     []edit{{ruleGo, "now >= leases[e.Epoch] {", "now >= leases[e.Epoch] && e.IPUntil == 0 {"}},
	},
	{
		name: "linger-that-is-renewed", rule: "for ≤ linger",
		situation: "handed-over",
		edits:     []edit{{lingerGo, "			next[k] = x\n", "			next[k] = Lingering{x.Epoch, now + Linger}\n"}},
	},
	{
		name: "linger-without-end", rule: "in a linger: IP only, until ipUntil",
		situation: "handed-over",
		edits:     []edit{{ruleGo, "	return e.IP && (e.IPUntil == 0 || now < e.IPUntil)", "	return e.IP"}},
	},
	{
		name: "renewal-that-opens", rule: "a renewal cannot reopen what the actuator closed",
		situation: "released-in-a-renewal",
		edits: []edit{ // a deadline for each address, instead of one for the epoch: those that were open when it was read
			{kernelGo, "	until time.Duration\n}", "	until time.Duration\n	open  [maxSlots]fsm.Epoch\n}"},
			{kernelGo, "renewal{uint64(epoch), until})", "renewal{uint64(epoch), until, n.asked})"},
			{kernelGo, "		n.kernel.renew(r.epoch, r.until)\n", `		n.kernel.renew(r.epoch, r.until)
		for s, e := range r.open {
			if e != 0 && uint64(e) == r.epoch && r.until > 0 {
				n.kernel.vips[s] = gate.Entry{Epoch: r.epoch, ARP: true, IP: true}
			}
		}
`},
		},
	},
	{
		name: "deadline-counted-from-the-write", rule: "a late write of an absolute deadline opens nothing",
		situation: "frozen-in-a-renewal",
		edits: []edit{
			{kernelGo, "renewal{uint64(epoch), until})", "renewal{uint64(epoch), until - n.instant().Boot})"},
			{kernelGo, "n.kernel.renew(r.epoch, r.until)", "n.kernel.renew(r.epoch, n.instant().Boot+r.until)"},
		},
	},
	{
		name: "gate-that-dies-with-the-process", rule: "killing the daemon must not detach the fence",
		situation: "killed-while-open",
		edits:     []edit{{nodeGo, "	n.up, n.lead = false, 0\n	n.m, n.open", "	n.kernel.attached = false\n	n.up, n.lead = false, 0\n	n.m, n.open"}},
	},
	{
		name: "given-to-one-that-ends", rule: "nodes whose agent has been asked to end get nothing",
		situation: "asked-to-end",
		edits:     []edit{{planGo, "h.Able[id] && !h.Ending[id] && !n.Draining", "h.Able[id] && !n.Draining"}},
	},
	{
		name: "kept-by-one-that-ends", rule: "what they own goes to others that are able",
		situation: "asked-to-end",
		edits:     []edit{{unitGo, " && !p.h.Ending[m.rec.Owner] &&", " &&"}},
	},
	{
		name: "ending-outlives-the-process", rule: "a report is worth something for its own process only",
		situation: "asked-to-end",
		edits:     []edit{{reportsGo, "	*x = reported{boot: boot, heard: now.Raw, body: b}", "	b.Ending = b.Ending || x.body.Ending\n	*x = reported{boot: boot, heard: now.Raw, body: b}"}},
	},
	{
		name: "confirmed-before-it-is-closed", rule: "closes ARP, keeps IP, lists the kernel, then confirms",
		situation: "slow-to-close",
		edits: []edit{{actuatorGo, "	n.passing = true\n", `	for _, r := range p.releases {
		n.step(lease.Confirm{Releases: []lease.Released{{Key: r.Key, Index: r.ReleaseIndex}}})
	}
	n.passing = true
`}},
	},
}
