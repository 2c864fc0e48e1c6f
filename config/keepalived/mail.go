package keepalived

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"quorate/fsm"
)

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
			if a := bare(e.arg(0)); e.out == nil && strings.Contains(a, "@") {
				to = append(to, a)
			} else if e.out == nil {
				e.settle(Unsupported, "this is no mail address, and was left out", "write it like ops@example.org, then import again")
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
