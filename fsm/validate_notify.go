package fsm

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MaxNotifiers bounds the notifiers of a configuration: each is a worker of its own.
const MaxNotifiers = 64

func (c Config) validateNotifiers(ps *Problems) {
	if len(c.Notifiers) > MaxNotifiers {
		ps.add("cluster", "", "", fmt.Sprintf("%d notifiers are more than the limit of %d", len(c.Notifiers), MaxNotifiers), "use fewer notifiers")
	}
	pipes := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.Notifiers)) {
		n := c.Notifiers[name]
		object := "notify." + name
		validateName(ps, object, name, n.Name)
		c.validateNotifier(ps, object, n)
		if n.FIFO != nil {
			if other, taken := pipes[n.FIFO.Path]; taken {
				ps.add(object+".fifo", "path", n.FIFO.Path, fmt.Sprintf("notify %q writes to it already", other), "give each a pipe of its own")
			}
			pipes[n.FIFO.Path] = name
		}
	}
}

func (c Config) validateNotifier(ps *Problems, object string, n Notifier) {
	var has, kinds []string
	var the channel
	for _, x := range n.channels() {
		kinds = append(kinds, x.name)
		if x.part != nil {
			has, the = append(has, x.name), x
			x.part.validate(ps, object+"."+x.name)
		}
	}
	switch {
	case len(has) == 0:
		ps.add(object, "", "", "it says nowhere how to tell", "add one of the blocks "+strings.Join(kinds, ", "))
	case len(has) > 1:
		ps.add(object, "", "", "it has the blocks "+strings.Join(has, " and "), "make a notify block of its own for each")
	case n.By != "" && n.By != ByLeader && n.By != ByNode:
		oneOf(ps, object, "by", string(n.By), string(ByLeader), string(ByNode))
	case the.only && n.By != "" && n.By != the.by:
		ps.add(object, "by", string(n.By), fmt.Sprintf("%s is carried out by the %s alone", the.name, the.by), "leave it out")
	}
	nodes := len(has) == 1 && n.Where() == ByNode
	allowed := EventKinds()
	if nodes {
		allowed = EventKindsOfNodes()
	}
	if n.Script != nil && nodes {
		allowed = []EventKind{EventAssign}
	}
	seen := map[EventKind]bool{}
	for _, k := range n.Events {
		switch {
		case !slices.Contains(EventKinds(), k):
			ps.add(object, "events", string(k), "this is no kind of event", "use some of "+join(allowed, ", "))
		case !slices.Contains(allowed, k):
			ps.add(object, "events", string(k), fmt.Sprintf("a %s of each node tells nothing of this kind", n.Channel()), "use "+join(allowed, ", ")+", or by = \"leader\" with a script")
		case seen[k]:
			ps.add(object, "events", string(k), "it is listed twice", "list each kind once")
		}
		seen[k] = true
	}
	for _, v := range n.VIPs {
		if _, ok := c.VIPs[v]; !ok {
			ps.add(object, "vips", v, "there is no such vip", fmt.Sprintf("add vip %q { … }, or correct the name", v))
		}
	}
	for _, s := range n.Services {
		if _, ok := c.Services[s]; !ok {
			ps.add(object, "services", s, "there is no such service", fmt.Sprintf("add service %q { … }, or correct the name", s))
		}
	}
	for _, id := range n.Nodes {
		if !validNodeID(id) {
			ps.add(object, "nodes", string(id), nodeRule, "use the names that `quorate members` shows")
		}
	}
	if l := n.Limit; l != (NotifyLimit{}) {
		switch {
		case nodes:
			ps.add(object, "limit", l.String(), "what each node tells itself has no limit: a state that is not told would be a wrong one", "leave it out")
		case l.Count < 1 || l.Count > 10000 || l.Per < time.Second || l.Per > 24*time.Hour:
			ps.add(object, "limit", l.String(), "it is out of range", `use 1 to 10000 events in 1s to 24h, like "10/1m"`)
		}
	}
	if n.RetryFor != 0 {
		if nodes {
			ps.add(object, "retry_for", n.RetryFor.String(), "what each node tells itself is not tried again", "leave it out")
		} else {
			inRange(ps, object, "retry_for", n.RetryFor, time.Second, 7*24*time.Hour)
		}
	}
}

func validateTimeout(ps *Problems, object string, d time.Duration) {
	if d != 0 {
		inRange(ps, object, "timeout", d, 100*time.Millisecond, 5*time.Minute)
	}
}

// validatePath checks the name of a file on the nodes; whether it is there is for the nodes to say.
func validatePath(ps *Problems, object, key, path string) {
	if path == "" {
		return
	}
	if !strings.HasPrefix(path, "/") || len(path) > 4000 || strings.ContainsAny(path, "\x00\n\r") || strings.HasSuffix(path, "/") {
		ps.add(object, key, path, "this is no absolute path of a file", `begin it with "/"`)
	}
}

func (w *Webhook) validate(ps *Problems, object string) {
	scheme, _, _ := strings.Cut(w.URL, "://")
	host := hostOf(w.URL)
	switch {
	case scheme != "https" && scheme != "http" || host == "" || !plainText(w.URL) || len(w.URL) > 2048 || strings.ContainsAny(w.URL, " \"<>\\^`{|}"):
		ps.add(object, "url", w.URL, "this is no URL of a webhook", `write it like "https://hooks.example.org/quorate"`)
	case strings.Contains(host, "@"):
		ps.add(object, "url", w.URL, "it has a password in it, and everybody who may see the configuration sees it", "put the password into a file on the nodes, and name it with token_file")
	case strings.Contains(w.URL, "#"):
		ps.add(object, "url", w.URL, "a fragment (#…) is never sent", "leave it out")
	case w.TokenFile != "" && scheme != "https":
		ps.add(object, "token_file", w.TokenFile, "the token would be sent in the clear", "use https")
	}
	validatePath(ps, object, "secret_file", w.SecretFile)
	validatePath(ps, object, "token_file", w.TokenFile)
	validatePath(ps, object, "ca", w.CA)
	validateTimeout(ps, object, w.Timeout)
	if len(w.Headers) > 32 {
		ps.add(object, "headers", "", fmt.Sprintf("%d headers are more than the limit of 32", len(w.Headers)), "use fewer")
	}
	for _, h := range w.Headers {
		name, value, ok := strings.Cut(h, ":")
		switch key := strings.ToLower(name); {
		case !ok || name == "" || !plainText(value) || len(h) > 1024 || strings.ContainsFunc(name, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
		}):
			ps.add(object, "headers", h, "this is no header", `write it like "X-Environment: production"`)
		case key == "authorization" || key == "proxy-authorization" || key == "cookie":
			ps.add(object, "headers", h, "everybody who may see the configuration would see it", "put the token into a file on the nodes, and name it with token_file")
		case key == "host" || key == "connection" || key == "transfer-encoding" || strings.HasPrefix(key, "content-") || strings.HasPrefix(key, "quorate-"):
			ps.add(object, "headers", h, "quorate sets this header itself", "leave it out")
		}
	}
}

func (m *Email) validate(ps *Problems, object string) {
	host, port, ok := strings.Cut(m.Server, ":")
	if strings.HasPrefix(m.Server, "[") {
		a, err := netip.ParseAddrPort(m.Server)
		host, port, ok = a.Addr().String(), strconv.Itoa(int(a.Port())), err == nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); !ok || err != nil || n == 0 || host == "" || len(host) > 255 || !plainText(host) || strings.ContainsAny(host, " /") {
		ps.add(object, "server", m.Server, "this is no HOST:PORT of a mail server", `write it like "smtp.example.org:587"`)
	}
	if !address(m.From) {
		ps.add(object, "from", m.From, "this is no mail address", `write it like "quorate@example.org"`)
	}
	if len(m.To) == 0 || len(m.To) > 50 {
		ps.add(object, "to", "", fmt.Sprintf("%d addresses", len(m.To)), "use 1 to 50")
	}
	for _, to := range m.To {
		if !address(to) {
			ps.add(object, "to", to, "this is no mail address", `write it like "ops@example.org"`)
		}
	}
	validatePath(ps, object, "ca", m.CA)
	validatePath(ps, object, "password_file", m.PasswordFile)
	validateTimeout(ps, object, m.Timeout)
	switch {
	case m.User != "" && m.PasswordFile == "":
		ps.add(object, "user", m.User, "it has no password", `add password_file = "/etc/quorate/smtp.password", a file on the nodes`)
	case m.User == "" && m.PasswordFile != "":
		ps.add(object, "password_file", m.PasswordFile, "there is no user to whom it belongs", "add user, or leave it out")
	case m.User != "" && m.NoTLS:
		ps.add(object, "user", m.User, "the password would be sent in the clear", "leave starttls out, or the user")
	case m.NoTLS && m.CA != "":
		ps.add(object, "ca", m.CA, "there is no certificate without TLS", "leave starttls out, or the ca")
	}
	if !plainText(m.User) || len(m.User) > 255 {
		ps.add(object, "user", m.User, "this is no user of a mail server", "use printable ASCII")
	}
}

// address reports whether s is a plain mail address, without a name or quotes.
func address(s string) bool {
	user, host, ok := strings.Cut(s, "@")
	good := func(s, also string) bool {
		return s != "" && !strings.HasPrefix(s, ".") && !strings.HasSuffix(s, ".") && !strings.ContainsFunc(s, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(also, r))
		})
	}
	return ok && good(user, ".!#$%&'*+-/=?^_`{|}~") && good(host, ".-") && len(s) <= 254
}

func (s *Script) validate(ps *Problems, object string) {
	switch {
	case len(s.Command) == 0:
		ps.add(object, "command", "", "it is empty", `write it like command = ["/usr/local/bin/notify"]`)
	case !strings.HasPrefix(s.Command[0], "/"):
		ps.add(object, "command", s.Command[0], "this is no absolute path of a program", `begin it with "/"; no shell looks for it`)
	case len(s.Command) > 64 || slices.ContainsFunc(s.Command, func(a string) bool { return len(a) > 4000 || strings.ContainsRune(a, 0) }):
		ps.add(object, "command", s.Command[0], "the command is too long", "use up to 64 arguments of up to 4000 bytes")
	}
	if s.User != "" && !plainName(s.User) {
		ps.add(object, "user", s.User, "this is no name of a user", "use a name that `getent passwd` shows")
	}
	validateTimeout(ps, object, s.Timeout)
}

func (p *FIFO) validate(ps *Problems, object string) {
	if p.Path == "" {
		ps.add(object, "path", "", "it is missing", `add path = "/run/quorate/notify.fifo"`)
	}
	validatePath(ps, object, "path", p.Path)
}
