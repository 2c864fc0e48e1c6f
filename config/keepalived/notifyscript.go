package keepalived

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"quorate/fsm"
)

// ofStates are the scripts that run for one state alone.
var ofStates = map[string]string{"notify_master": "MASTER", "notify_backup": "BACKUP", "notify_fault": "FAULT", "notify_stop": "STOP", "notify_deleted": "DELETED"}

// told is whom a notifier tells of in place of an instance or group of keepalived.
type told struct {
	kind, name string // as keepalived calls it, and its scripts expect it
	ours       string // TYPE NAME, as the environment of a script says it
	vip        string
	plain      bool // ours is the same, and nothing else is told of with it
}

// toldOf finds what is told of in place of an instance, or of a sync group.
func (r *router) toldOf(kind, name string, inSync bool) told {
	t := told{kind: kind, name: name, vip: r.vips[0], ours: "INSTANCE " + r.vips[0]}
	if r.group != "" && !inSync {
		t.ours = "GROUP " + r.group
	}
	t.plain = r.group == "" && t.ours == kind+" "+name
	return t
}

// scripts makes notifiers of the scripts of an instance or a group.
func (im *importer) scripts(found *variants[fsm.Notifier], b *box, d *directive, t told) {
	im.anyState(found, b, d, t)
	if x := d.one("notify_deleted"); x != nil && x.arg(0) == "" {
		x.settle(Ignored, "what is gone from the configuration is always told as DELETED", "")
	}
	byUser := map[string][]*directive{}
	for _, word := range sortedKeys(ofStates) {
		if x := d.one(word); x != nil && x.arg(0) != "" {
			if _, wrong := programOf(x); wrong != "" {
				x.settle(Unsupported, wrong, "name it by its absolute path, then import again")
				continue
			}
			user := b.notifyUser(x)
			byUser[user] = append(byUser[user], x)
		}
	}
	for _, user := range sortedKeys(byUser) {
		var s strings.Builder
		s.WriteString(`case "$QUORATE_TYPE $QUORATE_NAME $QUORATE_STATE" in`)
		for _, x := range byUser[user] {
			command, _ := programOf(x)
			fmt.Fprintf(&s, " %s) exec %s;;", quote(t.ours+" "+ofStates[x.word]), strings.Join(quoteAll(command), " "))
		}
		s.WriteString(" esac")
		name := plain(t.name) + "-states"
		for _, x := range byUser[user] {
			x.settle(Changed, fmt.Sprintf("notify %q: a shell runs it where QUORATE_STATE is %s; one runs after another, for 5m at most", name, ofStates[x.word]), "")
			found.add(name, fsm.Notifier{VIPs: []string{t.vip}, Script: &fsm.Script{Command: []string{"/bin/sh", "-c", s.String()}, User: user, Timeout: 5 * time.Minute}}, b.node, x)
		}
	}
}

// anyState makes a notifier of the script for all states.
func (im *importer) anyState(found *variants[fsm.Notifier], b *box, d *directive, t told) {
	x := d.one("notify")
	if x == nil {
		return
	}
	command, wrong := programOf(x)
	if wrong != "" {
		x.settle(Unsupported, wrong, "name it by its absolute path, then import again")
		return
	}
	what := "the last arguments are as from keepalived"
	if !t.plain {
		command = []string{"/bin/sh", "-c", fmt.Sprintf(`case "$QUORATE_TYPE $QUORATE_NAME" in %s) exec %s %s "$QUORATE_STATE" 100;; esac`,
			quote(t.ours), strings.Join(quoteAll(command), " "), strings.Join(quoteAll([]string{t.kind, t.name}), " "))}
		what += ", for which a shell sees, as here it is " + t.ours
	}
	x.settle(Changed, fmt.Sprintf("notify %q: %s, but the priority is always 100; one runs after another, for 5m at most", plain(t.name), what), "")
	found.add(plain(t.name), fsm.Notifier{VIPs: []string{t.vip}, Script: &fsm.Script{Command: command, User: b.notifyUser(x), Timeout: 5 * time.Minute}}, b.node, x)
}

// programOf is the command of a script that is to be told.
func programOf(x *directive) (command []string, wrong string) {
	command, wrong = commandOf(x.args[:1])
	if wrong == "" && !strings.HasPrefix(command[0], "/") {
		wrong = "the script has no absolute path, and there is no shell to look for it"
	}
	return command, wrong
}

// notifyUser is the user that such a script runs as.
func (b *box) notifyUser(x *directive) string {
	if slices.Contains(x.args, ":") || x.arg(2) != "" {
		x.settle(Changed, "a script runs with the groups of its user", "make another user, if the group is needed")
	}
	if x.arg(1) != "" {
		return x.arg(1)
	}
	if u := b.global.one("script_user"); u != nil {
		u.mapped("user")
		return u.arg(0)
	}
	return ""
}
