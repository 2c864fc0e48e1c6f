package keepalived

import (
	"fmt"
	"strings"

	"quorate/fsm"
)

// pipeFor is how a script of a service or a server is run here: on each director, as by keepalived, or once for the cluster.
func pipeFor(event, line string) string {
	return fmt.Sprintf(`add a notify block with services = ["SERVICE"], events = [%q] and fifo { path = "/run/quorate/NAME.fifo" }, and on each director a reader that runs it for lines like %s; `+
		`or, to have it run once for the cluster, one with by = "leader" and script { command = ["PROGRAM"] }`, event, line)
}

// notifiers makes notify blocks of scripts, pipes and mail.
func (im *importer) notifiers() {
	found := variants[fsm.Notifier]{}
	for _, b := range im.boxes {
		for _, i := range b.instances {
			im.scripts(&found, b, i.d, i.router.toldOf("INSTANCE", i.name, i.sync != nil))
		}
		for _, g := range b.syncs {
			im.scripts(&found, b, g.d, g.members[0].router.toldOf("GROUP", g.name, false))
		}
		im.pipes(&found, b)
	}
	found.each(im, "notify", func(name string, n fsm.Notifier, nodes []fsm.NodeID) {
		n.Name, n.Nodes = name, nodes
		im.config.Notifiers[name] = n
	}, func(name string) { delete(im.config.Notifiers, name) })
	im.mails()
}

// pipes makes notifiers of named pipes.
func (im *importer) pipes(found *variants[fsm.Notifier], b *box) {
	for word, events := range map[string][]fsm.EventKind{"notify_fifo": nil, "vrrp_notify_fifo": {fsm.EventAssign}, "lvs_notify_fifo": {fsm.EventHealth, fsm.EventService}} {
		x := b.global.one(word)
		if x == nil {
			continue
		}
		x.mapped(fmt.Sprintf("notify %q: fifo", strings.ReplaceAll(word, "_", "-")))
		if x.arg(1) != "" {
			x.settle(Changed, "the pipe belongs to the user of the agent, with mode 0600", "make it before the agent starts, for the user that reads it")
		}
		found.add(strings.ReplaceAll(word, "_", "-"), fsm.Notifier{Events: events, FIFO: &fsm.FIFO{Path: x.arg(0)}}, b.node, x)
	}
}
