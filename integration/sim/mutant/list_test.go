package mutant

const (
	grantorGo  = "cluster/lease/grantor.go"
	holderGo   = "cluster/lease/holder.go"
	machineGo  = "cluster/lease/machine.go"
	handoverGo = "cluster/lease/handover.go"
	changeGo   = "cluster/lease/change.go"
	fenceGo    = "fsm/apply_fence.go"
	assignGo   = "fsm/apply_assignment.go"
	localGo    = "fsm/local.go"
	planGo     = "fsm/plan.go"
)

var mutants = []mutant{
	{
		name: "promise-not-durable", rule: "a promise is on disk before it is answered", schedules: 400,
		edits: []edit{
			{grantorGo, "		g.memory.Floors[f.Node] = f.Epoch\n		g.memory.Promises++\n", "		g.memory.Floors[f.Node] = f.Epoch\n"},
			{grantorGo, "if g.disk.Floors[n] < f.Epoch || now.Raw <= g.runOut(n) {", "if now.Raw <= g.runOut(n) {"},
		},
	},
	{
		name: "answer-before-the-grant-ran-out", rule: "waits until until[n] has passed, and answers", schedules: 400,
		edits: []edit{{grantorGo, "if g.disk.Floors[n] < f.Epoch || now.Raw <= g.runOut(n) {", "if g.disk.Floors[n] < f.Epoch {"}},
	},
	{
		name: "lease-from-the-reply", rule: "s is read before sending", schedules: 400,
		edits: []edit{{machineGo, "m.holder.ack(from, b, &m.view)", "m.holder.sends[b.Seq%maxSends].at = m.now\n\t\tm.holder.ack(from, b, &m.view)"}},
	},
	{
		name: "answer-of-an-earlier-boot", rule: "each answer echoes the asker's boot id", schedules: 400,
		edits: []edit{{holderGo, "if a.Boot != h.boot || a.Seq == 0 ||", "if a.Seq == 0 ||"}},
	},
	{
		name: "no-barrier", rule: "no Renew before the start barrier", schedules: 400,
		edits: []edit{{holderGo, "if !h.barrier || v.epoch == 0 {", "if v.epoch == 0 {"}},
	},
	{
		name: "no-confirmation", rule: "Assign only after the owner confirmed", schedules: 400,
		edits: []edit{{planGo, "p.h.Confirmed[a.Key] == a.Release.Index", "true"}},
	},
	{
		name: "unbound-confirmation", rule: "a confirmation is worth something for its own Release only", schedules: 400,
		edits: []edit{{handoverGo, "x.key == r.Key && x.index == r.Index && x.owner == from", "x.key == r.Key && x.owner == from"}},
	},
	{
		name: "epoch-not-compared", rule: "Apply demands that n's epoch is still e", schedules: 400,
		edits: []edit{{fenceGo, "	case n.Epoch != c.Epoch:\n		return fmt.Errorf(\"fence of node", "	case false:\n		return fmt.Errorf(\"fence of node"}},
	},
	{
		name: "raise-and-move-apart", rule: "one entry raises the epoch and moves the VIPs", schedules: 400,
		edits: []edit{
			{fenceGo, "			e.give(rec, v, m.To, m.Reason.clip(), contested{})\n", "			rec.Release = &Release{Index: e.index, To: m.To, Reason: m.Reason.clip()}\n			e.assignments()[m.Key] = rec\n"},
			{planGo, "p.h.Confirmed[a.Key] == a.Release.Index", "(p.h.Confirmed[a.Key] == a.Release.Index || a.Release.Reason.Code == ReasonFenced)"},
			{localGo, "		case a.Release != nil:", "		case a.Release != nil && a.Release.Reason.Code != ReasonFenced:"},
		},
	},
	{
		name: "grantor-change-without-the-rule", rule: "the next change only after a majority refuses older sets and the cap has passed", schedules: 400,
		edits: []edit{{changeGo, "	if !c.asking {\n", "	c.asking, c.allowed = true, true\n	if !c.asking {\n"}},
	},
}
