package health

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzHTTPAnswer has a server say anything: what a probe makes of it is a status that is wanted, or a sentence.
func FuzzHTTPAnswer(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.0 204 No Content\r\n\r\n", "HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", "HTTP/1.1 301 x\r\nLocation: //a\x00\r\n\r\n",
		"SSH-2.0-OpenSSH_9.9\r\n", "", "\x15\x03\x03\x00\x02\x02\x46",
	} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, answer string, two bool) {
		dial := func(ctx context.Context, network string, _ Target) (net.Conn, error) {
			a, b := net.Pipe()
			go func() {
				defer b.Close()
				go func() { _, _ = io.Copy(io.Discard, b) }()
				_, _ = io.WriteString(b, answer)
			}()
			return a, nil
		}
		target := Target{Type: TypeHTTP, Addr: netip.MustParseAddrPort("10.0.0.1:80"), Interval: time.Minute, Timeout: time.Minute}
		target.HTTP = HTTP{Redirects: 2, URLs: []URL{{Body: Body{Contains: "fine", NotRegex: "x+"}}}}
		if two {
			target.HTTP.Version = "2"
			answer = "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + answer // after the settings
		}
		target = target.withDefaults()
		a, err := newHTTPProber(dial, nil).Probe(t.Context(), target)
		switch {
		case err == nil && !strings.HasPrefix(a.Detail, "status 2"):
			t.Errorf("it is well: %s", a.Detail)
		case err == nil && !strings.Contains(answer, "fine") && !strings.Contains(answer, "\n") && !two:
			t.Errorf("it is well without what it has to contain")
		case err != nil && len(err.Error()) > 70<<10:
			t.Errorf("%d bytes about %d", len(err.Error()), len(answer))
		}
	})
}

// FuzzReplay has an answer come in two pieces: what is judged before the second has come is judged as the whole, and nothing is left open once it has ended.
func FuzzReplay(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nfine",
		"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.0 204 No Content\r\n\r\n", "HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", "SSH-2.0-OpenSSH_9.9\r\n", "",
	} {
		f.Add(s, uint(20))
		f.Add(s, uint(len(s)))
	}
	f.Fuzz(func(t *testing.T, answer string, at uint) {
		target := Target{Type: TypeHTTP, Addr: netip.MustParseAddrPort("10.0.0.1:80"), HTTP: HTTP{URLs: []URL{{Body: Body{Contains: "fine"}}}}}.withDefaults()
		q, err := newHTTPProber(nil, nil).question(t.Context(), target, target.HTTP.URLs[0])
		if err != nil {
			t.Fatal(err)
		}
		d := newDesk()
		all, fault, whole := d.replay([]byte(answer), io.EOF, nil, q, target)
		if !whole {
			t.Fatal("more is waited for after the end")
		}
		begun, early, whole := d.replay([]byte(answer)[:min(at, uint(len(answer)))], nil, nil, q, target)
		if whole && ((early == nil) != (fault == nil) || begun.Status != all.Status) {
			t.Errorf("after %d bytes: %+v %v; of the whole %+v %v", at, begun, early, all, fault)
		}
	})
}

// FuzzRedirect holds what is followed to its law: it is on the server that was asked, and a request.
func FuzzRedirect(f *testing.F) {
	for _, s := range []string{"/x", "x?y#z", "//other/x", "http://www.example.org/x", "http://www.example.org:80", "https://www.example.org/", "http://user@www.example.org/ x", "\r\n", "?", "http:x", "/%zz", "%2f%2fother"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, to string) {
		target := Target{Addr: netip.MustParseAddrPort("10.0.0.1:80")}
		u, err := follow(target, URL{Path: "/a/b", Host: "www.example.org", Method: "GET"}, Page{Status: 302, Location: to}, "http")
		if err != nil {
			return
		}
		if u.Host != "www.example.org" || !strings.HasPrefix(u.Path, "/") || strings.ContainsAny(u.Path, "\r\n \x00") {
			t.Errorf("%q leads to %+v", to, u)
		}
		req, err := newHTTPProber(nil, nil).request(t.Context(), target, u)
		if err == nil && req.URL.Host != target.Addr.String() {
			t.Errorf("%q is asked of %s", to, req.URL.Host)
		}
		if err != nil && !strings.Contains(err.Error(), "not asked") {
			t.Error(err)
		}
	})
}

// FuzzBody holds the rules of a body to the plain ones of the library.
func FuzzBody(f *testing.F) {
	f.Add("all is fine", "fine", "^all", "error", 3)
	f.Add("", "", "", "", 1)
	f.Add("\xff\xfe", "\xff", "(", ".*", 2)
	f.Fuzz(func(t *testing.T, text, contains, regex, notRegex string, piece int) {
		if !utf8.ValidString(regex) || len(regex) > 100 || len(notRegex) > 100 {
			return
		}
		rules, err := newPatterns().rules(Body{Contains: contains, Regex: regex, NotRegex: notRegex})
		if err != nil {
			return
		}
		rules.digests = true
		var page Page
		if err := newDesk().read(&page, &pieces{text, max(1, piece)}, rules); err != nil {
			t.Fatal(err)
		}
		if page.Size != int64(len(text)) || page.cut || rules.searches() && string(page.text) != text {
			t.Fatalf("read %d of %d bytes", page.Size, len(text))
		}
		want := strings.Contains(text, contains) && (rules.regex == nil || rules.regex.MatchString(text)) && (rules.notRegex == nil || !rules.notRegex.MatchString(text))
		if err := rules.judge(t.Context(), page); (err == nil) != want {
			t.Errorf("%v, want %v", err, want)
		}
		rules.MD5, rules.SHA256 = strings.ToUpper(page.MD5), page.SHA256
		if err := rules.judge(t.Context(), page); (err == nil) != want {
			t.Errorf("by its own digests: %v, want %v", err, want)
		}
	})
}

// pieces is a reader that gives a few bytes at a time.
type pieces struct {
	text string
	n    int
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.text == "" {
		return 0, io.EOF
	}
	n := copy(b, p.text[:min(p.n, len(p.text))])
	p.text = p.text[n:]
	return n, nil
}

// FuzzHeaders holds the headers that a request gets to those that were asked for.
func FuzzHeaders(f *testing.F) {
	f.Add("X-Probe: yes")
	f.Add("a:b\r\nc:d")
	f.Fuzz(func(t *testing.T, line string) {
		target := Target{Addr: netip.MustParseAddrPort("10.0.0.1:80"), HTTP: HTTP{Headers: []string{line}}}
		req, err := newHTTPProber(nil, nil).request(t.Context(), target, URL{Path: "/", Method: "GET"})
		if err != nil {
			return
		}
		var b strings.Builder
		if err := req.Write(&b); err != nil {
			return
		}
		if lines := strings.Count(b.String(), "\r\n"); lines > 7 || strings.Count(b.String(), "\n") != lines {
			t.Errorf("%q makes\n%q", line, b.String())
		}
		if _, err := http.ReadRequest(bufio.NewReader(strings.NewReader(b.String()))); err != nil && !strings.EqualFold(strings.TrimSpace(strings.SplitN(line, ":", 2)[0]), "host") {
			t.Errorf("%q: %v", line, err)
		}
	})
}
