package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"quorate/fsm"
)

// The table of notifiers: who is told, and how.

var notifyBlock = &block{
	name: "notify", label: "NAME", labelKey: "name",
	doc: "Somebody who is told what happens, by exactly one of the blocks in it. A `webhook` and an `email` are sent by the leader, each event once and in order; a `script` is run, and a `fifo` is written, by each node about itself, as keepalived does. notify.md says what is promised.",
	keys: []key{
		text("by", func(n *fsm.Notifier) *fsm.NotifyBy { return &n.By },
			"Who carries it out. `leader`: each event of the timeline once; `node`: each node tells what it does itself. Only a `script` has the choice. Left out: `leader` for `webhook` and `email`, `node` for `script` and `fifo`.").
			oneOf(string(fsm.ByLeader), string(fsm.ByNode)),
		list("events", func(n *fsm.Notifier) *[]fsm.EventKind { return &n.Events },
			"Kinds of events to tell, as `quorate events` names them. Of what nodes tell themselves `assign` is the state of VIPs and groups, `health` that of servers, `service` that of services; a script tells `assign` alone. Left out: all.").
			oneOf(kinds()...),
		list("vips", func(n *fsm.Notifier) *[]string { return &n.VIPs },
			"Tell what is about these VIPs. With `services` or `nodes` besides, what is about any of them. Left out, with these: everything."),
		list("services", func(n *fsm.Notifier) *[]string { return &n.Services }, "Tell what is about these services, and their servers."),
		list("nodes", func(n *fsm.Notifier) *[]fsm.NodeID { return &n.Nodes },
			"Tell what is about these nodes. Of a notifier that is carried out by the nodes: only these carry it out."),
		scalar("limit", "string", "How many events are told in what time, like `10/1m`. What is beyond is counted, and said in a summary when that time is over. Only by the leader. Left out: no limit.",
			func(n *fsm.Notifier) *fsm.NotifyLimit { return &n.Limit }, limitOf, func(l fsm.NotifyLimit) cty.Value { return cty.StringVal(l.String()) }).within("1/1s to 10000/24h"),
		duration("retry_for", func(n *fsm.Notifier) *time.Duration { return &n.RetryFor },
			"How long after it happened an event is tried again. Then it is given up, which is counted and told. Only by the leader. Left out: 1h.").within("1s to 168h"),
	},
	blocks: []*block{webhookBlock, emailBlock, scriptBlock, fifoBlock},
}

func kinds() (out []string) {
	for _, k := range fsm.EventKinds() {
		out = append(out, string(k))
	}
	return out
}

const (
	notifyTimeoutDoc = "Time for one attempt. Left out: 10s."
	notifyTimeouts   = "100ms to 5m"
	notifyCADoc      = "File of certificates (PEM), on the nodes, that are trusted in place of the system's."
)

var webhookBlock = &block{
	name: "webhook", once: true,
	doc: "POST the events as JSON. Any answer of 2xx means that they have come.",
	keys: []key{
		text("url", func(w *fsm.Webhook) *string { return &w.URL }, "Where to. Redirects are not followed.").must(),
		text("secret_file", func(w *fsm.Webhook) *string { return &w.SecretFile }, "File on the nodes with the key that signs each request (HMAC-SHA256). Left out: they are not signed."),
		text("token_file", func(w *fsm.Webhook) *string { return &w.TokenFile }, "File on the nodes with a token that is sent as `Authorization: Bearer`. Only with https."),
		text("ca", func(w *fsm.Webhook) *string { return &w.CA }, notifyCADoc),
		list("headers", func(w *fsm.Webhook) *[]string { return &w.Headers }, "More headers, as `\"Name: value\"`. Nothing secret: whoever reads the configuration reads them."),
		duration("timeout", func(w *fsm.Webhook) *time.Duration { return &w.Timeout }, notifyTimeoutDoc).within(notifyTimeouts),
	},
}

var emailBlock = &block{
	name: "email", once: true,
	doc: "Send the events by mail.",
	keys: []key{
		text("server", func(m *fsm.Email) *string { return &m.Server }, "Mail server that takes it, `HOST:PORT`. On port 465 TLS begins at once.").must(),
		text("from", func(m *fsm.Email) *string { return &m.From }, "Address of the sender.").must(),
		list("to", func(m *fsm.Email) *[]string { return &m.To }, "Addresses of those who get it.").must(),
		unless("starttls", func(m *fsm.Email) *bool { return &m.NoTLS },
			"Encrypt, and check the server's certificate; a server that cannot is not used. `false` sends in the clear, for a server on the same host."),
		text("ca", func(m *fsm.Email) *string { return &m.CA }, notifyCADoc),
		text("user", func(m *fsm.Email) *string { return &m.User }, "User at the mail server. Left out: no authentication."),
		text("password_file", func(m *fsm.Email) *string { return &m.PasswordFile }, "File on the nodes with the user's password."),
		duration("timeout", func(m *fsm.Email) *time.Duration { return &m.Timeout }, notifyTimeoutDoc).within(notifyTimeouts),
	},
}

var scriptBlock = &block{
	name: "script", once: true,
	doc: "Run a program. By the nodes: with `INSTANCE` or `GROUP`, the name, the state and a priority as its last arguments, as keepalived's `notify`. By the leader: with the events as JSON on its standard input.",
	keys: []key{
		list("command", func(s *fsm.Script) *[]string { return &s.Command }, "The program and its arguments. No shell reads them.").must(),
		text("user", func(s *fsm.Script) *string { return &s.User }, "User as whom it runs. Left out: the agent's."),
		duration("timeout", func(s *fsm.Script) *time.Duration { return &s.Timeout }, "Time for one run; then it is killed, with all that it has started. Left out: 10s.").within(notifyTimeouts),
	},
}

var fifoBlock = &block{
	name: "fifo", once: true,
	doc: "Write lines into a named pipe, as keepalived's `notify_fifo`. It is made if it is missing.",
	keys: []key{
		text("path", func(p *fsm.FIFO) *string { return &p.Path }, "The pipe, on each node.").must(),
	},
}

// limitOf reads "10/1m".
func limitOf(v cty.Value) (fsm.NotifyLimit, error) {
	s, err := stringOf(v)
	if err != nil {
		return fsm.NotifyLimit{}, err
	}
	count, per, _ := strings.Cut(s, "/")
	n, err1 := strconv.ParseUint(strings.TrimSpace(count), 10, 16)
	d, err2 := time.ParseDuration(strings.TrimSpace(per))
	l := fsm.NotifyLimit{Count: int(n), Per: d}
	if err1 != nil || err2 != nil || l == (fsm.NotifyLimit{}) {
		return fsm.NotifyLimit{}, faultf(`write how many in what time, like "10/1m"`, "this is no limit")
	}
	return l, nil
}

// notify reads a notify block.
func (d *decoder) notify(x known, c *fsm.Config) {
	n := fsm.Notifier{Name: x.label()}
	object := "notify." + n.Name
	d, first := d.claim(x.child, object, fmt.Sprintf("notify %q", n.Name), renameOrRemove)
	inner := d.leafKeys(x, object, &n)
	for _, y := range d.children(notifyBlock, inner, object) {
		switch y.schema {
		case webhookBlock:
			n.Webhook = orNew(n.Webhook)
			only(d, y, object+".webhook", n.Webhook)
		case emailBlock:
			n.Email = orNew(n.Email)
			only(d, y, object+".email", n.Email)
		case scriptBlock:
			n.Script = orNew(n.Script)
			only(d, y, object+".script", n.Script)
		case fifoBlock:
			n.FIFO = orNew(n.FIFO)
			only(d, y, object+".fifo", n.FIFO)
		}
	}
	if first {
		put(&c.Notifiers, n.Name, n)
	}
}

// orNew is p, or a new one: of a block that is there twice the first counts.
func orNew[T any](p *T) *T {
	if p == nil {
		return new(T)
	}
	return p
}

// channel writes the block of a notifier's channel.
func (w *writer) channel(n fsm.Notifier) {
	switch {
	case n.Webhook != nil:
		w.block(webhookBlock, "", n.Webhook, nil)
	case n.Email != nil:
		w.block(emailBlock, "", n.Email, nil)
	case n.Script != nil:
		w.block(scriptBlock, "", n.Script, nil)
	case n.FIFO != nil:
		w.block(fifoBlock, "", n.FIFO, nil)
	}
}
