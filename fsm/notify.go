package fsm

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Notifier is somebody who wants to be told what happens, by one channel: exactly one of the pointers is set. Since schema 6.
type Notifier struct {
	Name string   `json:"name"`
	By   NotifyBy `json:"by,omitempty"` // "" = as the channel has it
	// Events are the kinds to tell; none = all.
	Events []EventKind `json:"events,omitempty"`
	// Of what the leader tells, VIPs, Services and Nodes choose what is about one of them; none of any kind = everything. A notifier of the nodes is one
	// of Nodes alone, and tells of VIPs (with their groups) and Services alone.
	VIPs     []string      `json:"vips,omitempty"`
	Services []string      `json:"services,omitempty"`
	Nodes    []NodeID      `json:"nodes,omitempty"`
	Limit    NotifyLimit   `json:"limit,omitzero"`
	RetryFor time.Duration `json:"retry_for,omitempty"` // 0 = DefaultRetryFor
	Webhook  *Webhook      `json:"webhook,omitempty"`
	Email    *Email        `json:"email,omitempty"`
	Script   *Script       `json:"script,omitempty"`
	FIFO     *FIFO         `json:"fifo,omitempty"`
}

// NotifyBy says who carries a notifier out.
type NotifyBy string

// Who carries a notifier out.
const (
	ByLeader NotifyBy = "leader" // each event of the timeline once, in its order
	ByNode   NotifyBy = "node"   // each node says what it does itself
)

// NotifyLimit bounds how many events a notifier is told of; the zero value is no limit.
type NotifyLimit struct {
	Count int           `json:"count"`
	Per   time.Duration `json:"per"`
}

// String is as a configuration writes it: 10/1m.
func (l NotifyLimit) String() string {
	if l == (NotifyLimit{}) {
		return ""
	}
	per := l.Per.String()
	if strings.HasSuffix(per, "m0s") {
		per = strings.TrimSuffix(per, "0s")
	}
	if strings.HasSuffix(per, "h0m") {
		per = strings.TrimSuffix(per, "0m")
	}
	return strconv.Itoa(l.Count) + "/" + per
}

// Webhook is an HTTP POST. What is secret is in files on the nodes: the configuration is shown to whoever may read it.
type Webhook struct {
	URL        string        `json:"url"`
	SecretFile string        `json:"secret_file,omitempty"` // key of the signature; "" = it is not signed
	TokenFile  string        `json:"token_file,omitempty"`  // sent as a bearer token
	CA         string        `json:"ca,omitempty"`          // file of certificates to trust in place of the system's
	Headers    []string      `json:"headers,omitempty"`     // "Name: value"
	Timeout    time.Duration `json:"timeout,omitempty"`     // of one attempt; 0 = DefaultNotifyTimeout
}

// Email goes to a mail server.
type Email struct {
	Server       string        `json:"server"` // host:port
	From         string        `json:"from"`
	To           []string      `json:"to"`
	NoTLS        bool          `json:"no_tls,omitempty"` // in the clear; then there is no user
	CA           string        `json:"ca,omitempty"`
	User         string        `json:"user,omitempty"`
	PasswordFile string        `json:"password_file,omitempty"`
	Timeout      time.Duration `json:"timeout,omitempty"`
}

// Script is a program that is run.
type Script struct {
	Command []string      `json:"command"`
	User    string        `json:"user,omitempty"` // "" = who the agent is
	Timeout time.Duration `json:"timeout,omitempty"`
}

// FIFO is a named pipe on each node, with lines as keepalived writes them.
type FIFO struct {
	Path string `json:"path"`
}

// Defaults of a notifier.
const (
	DefaultRetryFor      = time.Hour
	DefaultNotifyTimeout = 10 * time.Second
)

// EventKinds are all kinds of events.
func EventKinds() []EventKind {
	return []EventKind{EventCluster, EventNode, EventConfig, EventAssign, EventRelease, EventCancel, EventFence, EventRaise, EventHealth, EventServer,
		EventService, EventReported, EventNotify, EventVRRP, EventShadow}
}

// EventKindsOfNodes are those that a notifier of the nodes may choose: assign is what becomes of a VIP here, health and service are the verdicts.
func EventKindsOfNodes() []EventKind { return []EventKind{EventAssign, EventHealth, EventService} }

// Channel names how the notifier tells: webhook, email, script, fifo; "" when it says none.
func (n Notifier) Channel() string {
	for _, c := range n.channels() {
		if c.part != nil {
			return c.name
		}
	}
	return ""
}

// channelPart is what one kind of channel has.
type channelPart interface {
	validate(ps *Problems, object string)
	fields(f fields)
}

type channel struct {
	name string
	by   NotifyBy // who carries it out if the notifier does not say
	only bool     // and nobody else can
	part channelPart
}

// channels is one line for each kind of channel.
func (n Notifier) channels() []channel {
	out := []channel{{name: "webhook", by: ByLeader, only: true}, {name: "email", by: ByLeader, only: true}, {name: "script", by: ByNode}, {name: "fifo", by: ByNode, only: true}}
	if n.Webhook != nil {
		out[0].part = n.Webhook
	}
	if n.Email != nil {
		out[1].part = n.Email
	}
	if n.Script != nil {
		out[2].part = n.Script
	}
	if n.FIFO != nil {
		out[3].part = n.FIFO
	}
	return out
}

// Where says who carries the notifier out.
func (n Notifier) Where() NotifyBy {
	if n.By != "" {
		return n.By
	}
	for _, c := range n.channels() {
		if c.part != nil {
			return c.by
		}
	}
	return ByLeader
}

// Retry is RetryFor or its default.
func (n Notifier) Retry() time.Duration {
	if n.RetryFor == 0 {
		return DefaultRetryFor
	}
	return n.RetryFor
}

// Timeout is that of one attempt.
func (n Notifier) Timeout() time.Duration {
	var d time.Duration
	switch {
	case n.Webhook != nil:
		d = n.Webhook.Timeout
	case n.Email != nil:
		d = n.Email.Timeout
	case n.Script != nil:
		d = n.Script.Timeout
	}
	if d == 0 {
		return DefaultNotifyTimeout
	}
	return d
}

// Wants reports whether the leader tells the notifier of an event. It is never told of itself: what it cannot be told would make more to tell.
func (n Notifier) Wants(e Event) bool {
	switch {
	case e.Notifier == n.Name && e.Notifier != "":
		return false
	case len(n.Events) > 0 && !slices.Contains(n.Events, e.Kind):
		return false
	case len(n.VIPs)+len(n.Services)+len(n.Nodes) == 0:
		return true
	}
	service := e.Service
	if service == "" {
		service, _, _ = strings.Cut(e.Server, "/")
	}
	return slices.Contains(n.VIPs, e.VIP) || slices.Contains(n.Services, service) || slices.Contains(n.Nodes, e.Node)
}

func (n Notifier) fields(object func(string) fields) {
	name := "notify." + n.Name
	f := object(name)
	f.set("by", string(n.By))
	f.set("events", join(n.Events, ", "))
	f.set("vips", join(n.VIPs, ", "))
	f.set("services", join(n.Services, ", "))
	f.set("nodes", join(n.Nodes, ", "))
	f.set("limit", n.Limit.String())
	f.span("retry_for", n.RetryFor)
	for _, c := range n.channels() {
		if c.part != nil {
			c.part.fields(object(name + "." + c.name))
		}
	}
}

func (w *Webhook) fields(f fields) {
	f.set("url", w.URL)
	f.set("secret_file", w.SecretFile)
	f.set("token_file", w.TokenFile)
	f.set("ca", w.CA)
	f.set("headers", join(w.Headers, ", "))
	f.span("timeout", w.Timeout)
}

func (m *Email) fields(f fields) {
	f.set("server", m.Server)
	f.set("from", m.From)
	f.set("to", join(m.To, ", "))
	if m.NoTLS {
		f.set("starttls", "false")
	}
	f.set("ca", m.CA)
	f.set("user", m.User)
	f.set("password_file", m.PasswordFile)
	f.span("timeout", m.Timeout)
}

func (s *Script) fields(f fields) {
	f.set("command", join(s.Command, " "))
	f.set("user", s.User)
	f.span("timeout", s.Timeout)
}

func (p *FIFO) fields(f fields) { f.set("path", p.Path) }
