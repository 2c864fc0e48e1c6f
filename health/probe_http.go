package health

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2"
)

// maxHeader bounds what is read until the body of an answer begins, in bytes; what is announced before the answer (100, 103) counts.
const maxHeader = 64 << 10

// httpProber asks each URL on a connection of its own.
//
// It writes the request and reads the answer itself instead of using http.Client: each probe has to prove that the server
// still accepts connections, follow no redirect to another server (where that leads is another server's health), obey no proxy
// setting and leave no goroutine behind, and the errors have to say how far the server came. Only HTTP/2 is the library's, on a
// connection that is ours. It asks for no compression and undoes none: a body is compared as it comes.
type httpProber struct {
	dial     DialFunc
	secure   *tlsClients // nil = it speaks no TLS
	two      *transport2 // for version 2
	patterns *patterns
	desks    *sync.Pool // of *desk
	digests  bool       // make both of every body
}

func newHTTPProber(dial DialFunc, secure *tlsClients) httpProber {
	return httpProber{dial: dial, secure: secure, two: newTransport2(), patterns: newPatterns(), desks: &sync.Pool{New: func() any { return newDesk() }}}
}

// Inspect implements inspector.
func (p httpProber) Inspect(t Target) error {
	if p.secure == nil {
		return nil
	}
	return inspectTLS(t)
}

func (p httpProber) Probe(ctx context.Context, t Target) (Answer, error) {
	start := time.Now()
	var said []string
	note := ""
	for _, u := range t.HTTP.URLs {
		page, err := p.fetch(ctx, t, u)
		if err != nil && len(t.HTTP.URLs) > 1 {
			err = fmt.Errorf("%s: %w", clipText(u.Path, 60), err)
		}
		if err != nil {
			return Answer{}, err
		}
		said, note = append(said, fmt.Sprint(page.Status)), page.note
	}
	return Answer{Detail: fmt.Sprintf("status %s in %v%s", strings.Join(said, ", "), since(start), note)}, nil
}

// Page is the answer to one URL.
type Page struct {
	Status      int    `json:"status"`
	Size        int64  `json:"size"` // of the body, in bytes
	MD5         string `json:"md5,omitempty"`
	SHA256      string `json:"sha256,omitempty"`
	Location    string `json:"location,omitempty"` // where a redirect leads
	ContentType string `json:"content_type,omitempty"`

	cut  bool   // the body is longer than what was read of it
	text []byte // its first bytes, where it is to be searched; until the next probe
	note string // what else there is to say, after a comma
}

// Look asks the first URL of a target of HTTP or HTTPS once, as a check does, and returns the answer with the digests of its body, whatever the status is.
// It follows no redirect.
func Look(ctx context.Context, t Target) (Page, error) {
	t = t.withDefaults()
	u := t.HTTP.URLs[0]
	u.Status, u.Body = []StatusRange{{100, 599}}, Body{}
	p := newHTTPProber(dialTarget, nil)
	if t.Type == TypeHTTPS {
		p.secure = newTLSClients()
	}
	p.digests = true
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	return p.ask(ctx, t, u)
}

// fetch asks the URL, follows its redirects as far as the target says, and judges the answer.
func (p httpProber) fetch(ctx context.Context, t Target, u URL) (Page, error) {
	for hop := 0; ; hop++ {
		page, err := p.ask(ctx, t, u)
		if err != nil {
			return page, err
		}
		if u.accepts(page.Status) {
			return page, nil
		}
		if page.Location == "" || t.HTTP.Redirects == 0 {
			return page, refusal(page.Status, u, t.HTTP.Redirects)
		}
		next, err := follow(t, u, page, p.scheme())
		switch {
		case err != nil:
			return page, err
		case hop == t.HTTP.Redirects:
			return page, fmt.Errorf("status %d after %d redirects, want %s", page.Status, hop, u.wanted())
		}
		u = next
	}
}

// ask asks the URL once. Its error also says what the body of a status that is wanted lacks.
func (p httpProber) ask(ctx context.Context, t Target, u URL) (page Page, err error) {
	req, err := p.request(ctx, t, u)
	if err != nil {
		return page, err
	}
	rules, err := p.patterns.rules(u.Body)
	if err != nil {
		return page, err
	}
	rules.digests = p.digests
	c, err := connect(ctx, p.dial, "tcp", t)
	if err != nil {
		return page, err
	}
	defer func() { _ = c.Close() }()
	defer bound(ctx, c)()
	if p.secure != nil {
		conn, err := p.secure.client(ctx, c, t, hostOf(u.Host), protocol(t.HTTP.Version))
		if err != nil {
			return page, err
		}
		c, page.note = conn, expiresSoon(conn.ConnectionState(), time.Now())
	}
	desk := p.desks.Get().(*desk)
	desk.sit(c)
	defer func() {
		desk.leave()
		p.desks.Put(desk)
	}()

	var resp *http.Response
	if t.HTTP.Version == "2" {
		var done func()
		if resp, done, err = p.exchange2(ctx, c, req); err == nil {
			defer done()
		}
	} else {
		resp, err = desk.exchange(c, req)
	}
	if err != nil {
		if timedOut(ctx, err) {
			return page, fmt.Errorf("connected, but no HTTP answer within %v", t.Timeout)
		}
		return page, err
	}
	defer func() { _ = resp.Body.Close() }()
	page.Status, page.Location, page.ContentType = resp.StatusCode, location(resp), resp.Header.Get("Content-Type")
	if !u.accepts(page.Status) {
		rules = bodyRules{}
	}
	err = desk.read(&page, resp.Body, rules)
	switch {
	case err != nil && timedOut(ctx, err):
		return page, fmt.Errorf("status %d, but no complete body within %v", page.Status, t.Timeout)
	case err != nil:
		return page, fmt.Errorf("status %d, but the body broke off after %d bytes: %w", page.Status, page.Size, bodyFault(err))
	}
	if err := rules.judge(ctx, page); err != nil {
		return page, fmt.Errorf("status %d, but %w", page.Status, err)
	}
	page.text = nil
	return page, nil
}

func (p httpProber) scheme() string {
	if p.secure != nil {
		return "https"
	}
	return "http"
}

// protocol is the name of the version by ALPN.
func protocol(version string) string {
	if version == "2" {
		return http2.NextProtoTLS
	}
	return "http/1.1"
}

// request is the question, on its way to the target's address whatever the Host header says.
func (p httpProber) request(ctx context.Context, t Target, u URL) (*http.Request, error) {
	if !strings.HasPrefix(u.Path, "/") {
		return nil, fmt.Errorf("%w: path %q does not begin with a slash", ErrNotAsked, u.Path)
	}
	// A zone is this machine's name for a link and means nothing to the server.
	authority := netip.AddrPortFrom(t.Addr.Addr().WithZone(""), t.Addr.Port())
	req, err := http.NewRequestWithContext(ctx, u.Method, p.scheme()+"://"+authority.String()+u.Path, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: path %q: %w", ErrNotAsked, u.Path, err)
	}
	if u.Host != "" {
		req.Host = u.Host
	}
	req.Close = t.HTTP.Version != "2"
	req.Header.Set("User-Agent", "quorate")
	req.Header.Set("Accept", "*/*")
	for _, line := range t.HTTP.Headers {
		name, value, ok := strings.Cut(line, ":")
		if value = strings.TrimSpace(value); !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, fmt.Errorf("%w: %q is no header", ErrNotAsked, line)
		}
		if name = http.CanonicalHeaderKey(name); name == "User-Agent" || name == "Accept" {
			req.Header.Set(name, value)
		} else {
			req.Header.Add(name, value)
		}
	}
	return req, nil
}

// hostOf is the host of a Host header, which may have a port.
func hostOf(header string) string {
	if host, _, err := net.SplitHostPort(header); err == nil {
		return host
	}
	return strings.Trim(header, "[]")
}

// clipText is the beginning of a text.
func clipText(s string, most int) string {
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// bodyFault is the error of a body without the layers that repeat what is known.
func bodyFault(err error) error {
	if err == io.ErrUnexpectedEOF {
		return err
	}
	return bare(err)
}
