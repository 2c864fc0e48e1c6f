package health

import (
	"bytes"
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
	v := newVisit(&t, p.scheme())
	page, err := p.ask(ctx, t, v.url)
	return p.rest(ctx, v, start, page, err)
}

// rest asks what is to be asked after an answer.
func (p httpProber) rest(ctx context.Context, v *visit, start time.Time, page Page, err error) (Answer, error) {
	for {
		more, fault := v.take(page, err)
		switch {
		case fault != nil:
			return Answer{}, fault
		case !more:
			return v.answer(time.Since(start)), nil
		}
		page, err = p.ask(ctx, *v.target, v.url)
	}
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

// ask asks the URL once. Its error also says what the body of a status that is wanted lacks.
func (p httpProber) ask(ctx context.Context, t Target, u URL) (page Page, err error) {
	q, err := p.question(ctx, t, u)
	if err != nil {
		return page, err
	}
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
	if t.HTTP.Version != "2" {
		err = p.exchange(ctx, c, q, t, &page)
		return page, err
	}
	desk := p.sit(c)
	defer p.leave(desk)
	resp, done, err := p.exchange2(ctx, c, q.req)
	if err == nil {
		defer done()
	}
	err = desk.take(ctx, &page, resp, err, q, t)
	return page, err
}

// exchange asks the question by HTTP/1.1 and takes the answer.
func (p httpProber) exchange(ctx context.Context, c net.Conn, q question, t Target, page *Page) error {
	desk := p.sit(c)
	defer p.leave(desk)
	// A server may answer before it has read everything, and close: what it said counts more than the failed write.
	var writeErr error
	if len(q.text) > 0 {
		_, writeErr = c.Write(q.text)
	}
	resp, err := desk.listen(q.req, writeErr)
	return desk.take(ctx, page, resp, err, q, t)
}

func (p httpProber) sit(c net.Conn) *desk {
	d := p.desks.Get().(*desk)
	d.sit(c)
	return d
}

func (p httpProber) leave(d *desk) {
	d.leave()
	p.desks.Put(d)
}

// resume goes on with a question that has been asked of c, but for unsent, and with what is to be asked after it.
func (p httpProber) resume(ctx context.Context, v *visit, start time.Time, c net.Conn, q question, unsent []byte) (Answer, error) {
	var page Page
	stop := bound(ctx, c)
	q.text = unsent
	err := p.exchange(ctx, c, q, *v.target, &page)
	stop()
	_ = c.Close()
	return p.rest(ctx, v, start, page, err)
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

// question is what is asked of a URL, and what the answer has to be.
type question struct {
	url   URL
	rules bodyRules
	req   *http.Request
	text  []byte // of the request by HTTP/1.1
}

func (p httpProber) question(ctx context.Context, t Target, u URL) (q question, err error) {
	q.url = u
	if q.req, err = p.request(ctx, t, u); err != nil {
		return q, err
	}
	if q.rules, err = p.patterns.rules(u.Body); err != nil {
		return q, err
	}
	q.rules.digests = p.digests
	if t.HTTP.Version == "2" {
		return q, nil
	}
	var b bytes.Buffer
	if err := q.req.Write(&b); err != nil {
		return q, fmt.Errorf("%w: %w", ErrNotAsked, err)
	}
	q.text = b.Bytes()
	return q, nil
}

// questions are those of a target's URLs, made once. Where redirects lead is another each time.
type questions []*question

func (x *questions) of(p httpProber, v *visit) (*question, error) {
	if *x == nil {
		*x = make(questions, len(v.target.HTTP.URLs))
	}
	if v.hop == 0 && (*x)[v.at] != nil {
		return (*x)[v.at], nil
	}
	q, err := p.question(context.Background(), *v.target, v.url)
	if err != nil {
		return nil, err
	}
	if v.hop == 0 {
		(*x)[v.at] = &q
	}
	return &q, nil
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
