package keepalived

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"quorate/fsm"
)

// notifiers makes notify blocks of scripts, pipes and mail.
func (im *importer) notifiers() {
	found := variants[fsm.Notifier]{}
	for _, b := range im.boxes {
		for _, i := range b.instances {
			im.scripts(&found, b, i.d, i.name, i.router)
		}
		for _, g := range b.syncs {
			im.scripts(&found, b, g.d, g.name, g.members[0].router)
		}
		im.pipes(&found, b)
	}
	found.each(im, "notify", func(name string, n fsm.Notifier, nodes []fsm.NodeID) {
		n.Name, n.Nodes = name, nodes
		im.config.Notifiers[name] = n
	}, func(name string) { delete(im.config.Notifiers, name) })
	im.mails()
}

// ofStates are the scripts that run for one state alone.
var ofStates = map[string]string{"notify_master": "MASTER", "notify_backup": "BACKUP", "notify_fault": "FAULT", "notify_stop": "STOP", "notify_deleted": "DELETED"}

// scripts makes notifiers of the scripts of an instance or a group.
func (im *importer) scripts(found *variants[fsm.Notifier], b *box, d *directive, name string, r *router) {
	for _, word := range sortedKeys(ofStates) {
		for _, x := range d.all(word) {
			x.settle(Unsupported, "a script is run for every state here",
				fmt.Sprintf(`write one script that looks at its third argument from the end, runs this one for %s, and name it in a block: notify %q { vips = [%s]  script { command = ["/path/of/it"] } }`,
					ofStates[word], plain(name), strings.Join(quoted(r.all(im)), ", ")))
		}
	}
	if x := d.one("notify"); x != nil {
		command, wrong := commandOf(x.args[:1])
		if wrong != "" || !strings.HasPrefix(command[0], "/") {
			x.settle(Unsupported, "the script has no absolute path, and there is no shell to look for it", "name it by its absolute path, then import again")
			return
		}
		n := fsm.Notifier{VIPs: slices.Sorted(slices.Values(r.all(im))), Script: &fsm.Script{Command: command, User: x.arg(1), Timeout: 5 * time.Minute}}
		if n.Script.User == "" {
			if u := b.global.one("script_user"); u != nil {
				u.mapped("user")
				n.Script.User = u.arg(0)
			}
		}
		x.settle(Changed, fmt.Sprintf("notify %q: the last arguments are INSTANCE or GROUP, the name of ours (%s), the state, and always 100 as priority; one runs after another, for 5m at most", plain(name), r.target()),
			"look whether the script knows the name")
		found.add(name, n, b.node, x)
	}
}

// all is the names of the VIPs that move together with those of the router.
func (r *router) all(im *importer) []string {
	if r.group == "" {
		return r.vips
	}
	var out []string
	for _, o := range im.routers {
		if o.group == r.group {
			out = append(out, o.vips...)
		}
	}
	return out
}

func quoted(names []string) []string {
	var out []string
	for i, n := range names {
		if i == 3 {
			return append(out, "…")
		}
		out = append(out, fmt.Sprintf("%q", n))
	}
	return out
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

// mails makes one notifier of the mail settings of all directors: the leader sends for all.
func (im *importer) mails() {
	name := unique("mail", func(n string) bool { _, ok := im.config.Notifiers[n]; return ok })
	var first *directive
	for _, b := range im.boxes {
		n, server := b.mail()
		if server == nil {
			continue
		}
		n.Name = name
		if first == nil {
			first = server
			im.config.Notifiers[name] = n
		} else if have := im.config.Notifiers[name]; !reflect.DeepEqual(have, n) {
			im.contradict(server, server.line, "mail goes elsewhere, or tells of something else, than on the director of "+first.at.String()+"; what that one has was taken, as one node sends for all")
		}
		im.made("notify."+name, server, func() { delete(im.config.Notifiers, name) })
	}
}

// mail makes a notifier of the mail settings of a director, for what keepalived would tell; server is nil when no mail is sent.
func (b *box) mail() (n fsm.Notifier, server *directive) {
	server = b.global.one("smtp_server")
	from := b.global.one("notification_email_from")
	var to []string
	lists := b.global.all("notification_email")
	for _, l := range lists {
		for _, e := range l.inside {
			if e.out == nil {
				to = append(to, bare(e.arg(0)))
			}
		}
	}
	if len(to) == 0 || server == nil {
		for _, d := range append(lists, server, from, b.global.one("smtp_connect_timeout")) {
			if d != nil {
				d.leave(Ignored, "no mail is sent: there has to be a smtp_server and a notification_email", "")
			}
		}
		b.settleAlerts("there is nobody to send mail to")
		return n, nil
	}
	n = fsm.Notifier{Email: &fsm.Email{To: to, NoTLS: true}}
	host, port := server.arg(0), "25"
	if server.arg(1) != "" {
		port = server.arg(1)
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	n.Email.Server = host + ":" + port
	n.Email.From = "quorate@localhost"
	if from != nil {
		n.Email.From = bare(from.arg(0))
		from.mapped(`notify "mail": from`)
	}
	server.settle(Changed, `notify "mail": server, in the clear as keepalived sends (starttls = false); the leader sends it, once for the cluster`, "leave starttls out, if the server can do it and is not on the same host")
	for _, l := range lists {
		l.leave(Mapped, `notify "mail": to`, "")
	}
	if t := b.global.one("smtp_connect_timeout"); t != nil {
		t.mapped(`notify "mail": timeout`)
		n.Email.Timeout = clamp(t, "timeout", t.duration(0), 100*time.Millisecond, 5*time.Minute)
	}
	vrrp, checks := b.alerts()
	if vrrp {
		n.Events = append(n.Events, fsm.EventAssign, fsm.EventFence)
	}
	if checks {
		n.Events = append(n.Events, fsm.EventHealth, fsm.EventService)
	}
	b.settleAlerts(`notify "mail": events; it tells of all VIPs and services, or of none`)
	if len(n.Events) == 0 {
		server.out = nil
		server.settle(Ignored, "no smtp_alert is on, so that no mail is sent", "")
		return n, nil
	}
	return n, server
}

// bare takes the name off an address: "Name <user@host>".
func bare(s string) string {
	if _, rest, ok := strings.Cut(s, "<"); ok {
		s, _, _ = strings.Cut(rest, ">")
	}
	return strings.TrimSpace(s)
}

// alerts says of what the director sends mail.
func (b *box) alerts() (vrrp, checks bool) {
	on := func(word string) bool {
		x := b.global.one(word)
		return x != nil && x.yes()
	}
	vrrp, checks = on("smtp_alert") || on("smtp_alert_vrrp"), on("smtp_alert") || on("smtp_alert_checker")
	off := func(word string) bool {
		x := b.global.one(word)
		return x != nil && !x.yes()
	}
	eachIn(b.file.inside, func(d *directive) {
		switch {
		case d.word == "smtp_alert" && d.parent != nil && d.parent.word != "global_defs" && d.yes():
			if strings.HasPrefix(d.parent.word, "vrrp_") {
				vrrp = true
			} else {
				checks = true
			}
		case d.word == "real_server" && !off("smtp_alert") && !off("smtp_alert_checker"): // those tell without being asked to
			checks = checks || !slices.ContainsFunc(d.inside, func(x *directive) bool { return x.word == "smtp_alert" && !x.yes() })
		}
	})
	return vrrp, checks
}

func (b *box) settleAlerts(what string) {
	class := Changed
	if strings.HasPrefix(what, "there is") {
		class = Ignored
	}
	for _, word := range []string{"smtp_alert", "smtp_alert_vrrp", "smtp_alert_checker"} {
		for _, x := range b.global.all(word) {
			if x.out == nil {
				x.settle(class, what, "")
			}
		}
	}
	eachIn(b.file.inside, func(d *directive) {
		if d.word == "smtp_alert" && d.out == nil {
			d.settle(class, what, "")
		}
	})
}
