package health

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"quorate/health/certtest"
)

// versions are the ways by which a web server is asked, each with a server that answers by handler.
var versions = []string{"http/1.1", "https/1.1", "http/2", "https/2"}

// webServer serves handler by one of the versions and returns a target for it.
func webServer(t testing.TB, version string, handler http.Handler) Target {
	t.Helper()
	srv := httptest.NewUnstartedServer(handler)
	target := Target{Type: TypeHTTP, Interval: 10 * time.Second, Timeout: 10 * time.Second}
	scheme, number, _ := strings.Cut(version, "/")
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetHTTP1(number == "1.1")
	srv.Config.Protocols.SetHTTP2(number == "2")
	srv.Config.Protocols.SetUnencryptedHTTP2(number == "2")
	if number == "2" {
		target.HTTP.Version = "2"
	}
	if scheme == "https" {
		ca := certtest.New(t, "Test CA")
		target.Type, target.TLS.CA = TypeHTTPS, ca.File()
		srv.EnableHTTP2 = number == "2"
		srv.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Issue([]string{"127.0.0.1", "www.example.org"})}}
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	target.Addr = netip.MustParseAddrPort(srv.Listener.Addr().String())
	return target
}

func TestHTTPAnswers(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "all is fine") })
	mux.HandleFunc("/empty", func(w http.ResponseWriter, r *http.Request) {})
	mux.HandleFunc("/503", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503); fmt.Fprint(w, "all is fine") })
	mux.HandleFunc("/early", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(103); fmt.Fprint(w, "fine") })
	mux.HandleFunc("/long", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, strings.Repeat("x", maxText)+"late")
	})
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 32<<10)); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/stalls", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "half")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("/silent", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/breaks", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/gzip", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" {
			t.Errorf("it asks for %q", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		fmt.Fprint(w, "no gzip at all")
	})
	mux.Handle("/redirect", http.RedirectHandler("/ok", http.StatusFound))
	mux.Handle("/redirect2", http.RedirectHandler("redirect#x", http.StatusMovedPermanently))
	mux.Handle("/loop", http.RedirectHandler("/loop", http.StatusTemporaryRedirect))
	mux.Handle("/away", http.RedirectHandler("https://login.example.org/", http.StatusFound))
	mux.Handle("/nowhere", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(302) }))
	mux.Handle("/nonsense", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://[x")
		w.WriteHeader(302)
	}))
	mux.HandleFunc("/here", func(w http.ResponseWriter, r *http.Request) {
		scheme := "http"
		if r.TLS != nil {
			scheme = "https"
		}
		http.Redirect(w, r, scheme+"://"+r.Host+"/ok", http.StatusSeeOther)
	})

	const (
		fineMD5 = "12bdbd0a9fcd47ff48a7ab0421a0d58b"
		fineSHA = "3cd0bb7f37d2ff3e4a0d7ba2d4c6b0b8e1d9c3a7a0a5d0a3f0e1b2c3d4e5f607"
	)
	rows := []struct {
		url       URL
		redirects int
		want      string
	}{
		{URL{Path: "/ok"}, 0, `ok: status 200 in .*`},
		{URL{Path: "/early"}, 0, `ok: status 200 in .*`},
		{URL{Path: "/endless"}, 0, `ok: status 200 in .*`},
		{URL{Path: "/ok", Method: "HEAD"}, 0, `ok: status 200 in .*`},
		{URL{Path: "/503"}, 0, `status 503, want 200-299`},
		{URL{Path: "/503", Body: Body{Contains: "bad"}}, 0, `status 503, want 200-299`},
		{URL{Path: "/503", Status: []StatusRange{{503, 503}}, Body: Body{Contains: "fine"}}, 0, `ok: status 503 in .*`},
		{URL{Path: "/silent"}, 0, `connected, but no HTTP answer within 200ms`},
		{URL{Path: "/stalls"}, 0, `status 200, but no complete body within 1s`},
		{URL{Path: "/breaks"}, 0, `status 200, but the body broke off after 4 bytes: .*`},
		{URL{Path: "/gzip", Body: Body{Contains: "no gzip"}}, 0, `ok: status 200 in .*`},

		{URL{Path: "/ok", Body: Body{Contains: "is fine"}}, 0, `ok: status 200 in .*`},
		{URL{Path: "/ok", Body: Body{Contains: "broken"}}, 0, `status 200, but the body does not contain "broken": it begins with "all is fine"`},
		{URL{Path: "/empty", Body: Body{Contains: "broken"}}, 0, `status 200, but the body does not contain "broken": it is empty`},
		{URL{Path: "/ok", Body: Body{Regex: "^all (is|was) fine$"}}, 0, `ok: status 200 in .*`},
		{URL{Path: "/ok", Body: Body{Regex: "^fine"}}, 0, `status 200, but the body does not match regex "\^fine": it begins with "all is fine"`},
		{URL{Path: "/ok", Body: Body{NotRegex: "(?i)error"}}, 0, `ok: status 200 in .*`},
		{URL{Path: "/ok", Body: Body{NotRegex: "is f.*"}}, 0, `status 200, but the body matches not_regex "is f\.\*" with "is fine"`},
		{URL{Path: "/ok", Body: Body{Regex: "("}}, 0, `not asked: error parsing regexp: missing closing \): .*`},
		{URL{Path: "/ok", Body: Body{Contains: "fine", Regex: "all", NotRegex: "x", MD5: "E5B2E8F6", SHA256: ""}}, 0, `status 200, but the MD5 of its 11 bytes is [0-9a-f]{32}, want e5b2e8f6`},
		{URL{Path: "/ok", Body: Body{SHA256: fineSHA}}, 0, `status 200, but the SHA-256 of its 11 bytes is [0-9a-f]{16}…, want 3cd0bb7f37d2ff3e…`},
		{URL{Path: "/empty", Body: Body{MD5: "D41D8CD98F00B204E9800998ECF8427E", SHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}}, 0, `ok: status 200 in .*`},
		{URL{Path: "/long", Body: Body{Contains: "xx"}}, 0, `ok: status 200 in .*`},
		{URL{Path: "/long", Body: Body{Contains: "late"}}, 0, `status 200, but the body does not contain "late" in its first 262144 bytes: it begins with "x{40}…"`},
		{URL{Path: "/long", Body: Body{NotRegex: "late"}}, 0, `status 200, but the body is longer than the 262144 bytes that are searched for not_regex`},
		{URL{Path: "/long", Body: Body{SHA256: "06"}}, 0, `status 200, but the SHA-256 of its 262148 bytes is .*`},
		{URL{Path: "/endless", Body: Body{MD5: fineMD5}}, 0, `status 200, but the body is longer than the 16777216 bytes that a digest is made of`},

		{URL{Path: "/redirect"}, 0, `status 302, want 200-299 \(redirects are not followed\)`},
		{URL{Path: "/redirect", Status: []StatusRange{{302, 302}}}, 1, `ok: status 302 in .*`},
		{URL{Path: "/redirect", Body: Body{Contains: "fine"}}, 1, `ok: status 200 in .*`},
		{URL{Path: "/redirect2"}, 1, `status 302 after 1 redirects, want 200-299`},
		{URL{Path: "/redirect2"}, 2, `ok: status 200 in .*`},
		{URL{Path: "/here", Host: "www.example.org"}, 1, `ok: status 200 in .*`},
		{URL{Path: "/here"}, 1, `ok: status 200 in .*`},
		{URL{Path: "/here", Method: "POST"}, 1, `ok: status 200 in .*`},
		{URL{Path: "/loop"}, 10, `status 307 after 10 redirects, want 200-299`},
		{URL{Path: "/away"}, 3, `status 302, want 200-299 \(its redirect to https://login\.example\.org/ leads away from this server and is not followed\)`},
		{URL{Path: "/nowhere"}, 3, `status 302, want 200-299`},
		{URL{Path: "/nonsense"}, 3, `status 302, and its redirect to "http://\[x" is no URL`},
	}
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			base := webServer(t, version, mux)
			for _, c := range rows {
				target := base
				switch {
				case strings.Contains(c.want, "200ms"):
					target.Timeout = 200 * time.Millisecond
				case strings.Contains(c.want, "1s"): // in which the server has to begin
					target.Timeout = time.Second
				}
				target.HTTP.URLs, target.HTTP.Redirects = []URL{c.url}, c.redirects
				detail, err := askBoth(t, target)
				got := "ok: " + detail
				if err != nil {
					got = err.Error()
				}
				wantText(t, detail, err, c.want)
				if t.Failed() {
					t.Fatalf("%+v: %s", c.url, got)
				}
			}
		})
	}
}

func TestHTTPRequests(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			var mu sync.Mutex
			var seen []*http.Request
			target := webServer(t, version, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				seen = append(seen, r.Clone(t.Context()))
				if r.URL.Path == "/bad" {
					w.WriteHeader(500)
				}
			}))
			target.HTTP.Headers = []string{"X-Probe: yes", "x-probe:  again ", "User-Agent: other", "Authorization: Basic YTpi", "Accept-Encoding: gzip"}
			target.HTTP.URLs = []URL{{Path: "/a?b=c"}, {Path: "/d", Host: "www.example.org", Method: "OPTIONS"}, {Path: "//e/%2f"}}
			detail, err := ask(t, target)
			wantText(t, detail, err, `ok: status 200, 200, 200 in .*`)
			if len(seen) != 3 {
				t.Fatalf("%d requests", len(seen))
			}
			for i, want := range []string{"GET " + target.Addr.String() + " /a?b=c", "OPTIONS www.example.org /d", "GET " + target.Addr.String() + " //e/%2f"} {
				r := seen[i]
				if got := r.Method + " " + r.Host + " " + r.RequestURI; got != want {
					t.Errorf("request %q, want %q", got, want)
				}
				if h := r.Header; fmt.Sprint(h["X-Probe"]) != "[yes again]" || r.UserAgent() != "other" || h.Get("Authorization") != "Basic YTpi" || h.Get("Accept") != "*/*" || h.Get("Accept-Encoding") != "gzip" {
					t.Errorf("headers %v", h)
				}
				if major := map[string]int{"": 1, "2": 2}[target.HTTP.Version]; r.ProtoMajor != major {
					t.Errorf("%s, want major version %d", r.Proto, major)
				}
				if i > 0 && r.RemoteAddr == seen[i-1].RemoteAddr {
					t.Error("two requests came on one connection")
				}
			}
			target.HTTP.URLs = []URL{{Path: "/a"}, {Path: "/bad"}, {Path: "/never"}}
			detail, err = ask(t, target)
			wantText(t, detail, err, `/bad: status 500, want 200-299`)
			if last := seen[len(seen)-1]; last.URL.Path != "/bad" {
				t.Errorf("after a failure it asked %s", last.URL.Path)
			}
		})
	}
}

func TestOtherVersions(t *testing.T) {
	ok := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {})
	for asked, row := range map[string]struct{ has, want string }{
		"http/2":    {"http/1.1", `not an HTTP/2 answer, but one by HTTP/1.1: leave version out`},
		"https/2":   {"https/1.1", `the server does not speak HTTP/2: it has not chosen h2 by ALPN|the server refused the TLS handshake: no application protocol`},
		"http/1.1":  {"http/2", `not an HTTP answer: .*|connection (lost before|closed without) an HTTP answer.*`},
		"https/1.1": {"https/2", `not an HTTP answer: .*|the server refused the TLS handshake: no application protocol|connection closed without an HTTP answer`},
	} {
		t.Run(asked, func(t *testing.T) {
			target := webServer(t, row.has, ok)
			_, number, _ := strings.Cut(asked, "/")
			target.HTTP.Version = map[string]string{"2": "2"}[number]
			detail, err := askBoth(t, target)
			wantText(t, detail, err, row.want)
		})
	}
	// Speech of TLS with a server that has none, and the other way round.
	plain, secure := webServer(t, "http/1.1", ok), webServer(t, "https/1.1", ok)
	plain.Type, secure.Type = TypeHTTPS, TypeHTTP
	detail, err := ask(t, plain)
	wantText(t, detail, err, `the server does not speak TLS: it began with "HTTP/"`)
	detail, err = askBoth(t, secure)
	wantText(t, detail, err, `status 400, want 200-299`)
}

func TestCertificateExpiresSoon(t *testing.T) {
	ca := certtest.New(t, "Test CA")
	for days, want := range map[int]string{
		5:  `ok: status 200 in .*, its certificate expires in 5 days`,
		20: `ok: status 200 in [0-9.]+[µm]?s`,
	} {
		addr := secureServer(t, &tls.Config{Certificates: []tls.Certificate{ca.Issue([]string{"127.0.0.1"}, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Duration(days)*24*time.Hour+time.Hour)
		})}})
		detail, err := ask(t, Target{Type: TypeHTTPS, Addr: addr, Interval: 10 * time.Second, Timeout: 10 * time.Second, TLS: TLS{CA: ca.File()}})
		wantText(t, detail, err, want)
	}
}

func TestHeadersThatAreNone(t *testing.T) {
	for _, h := range []string{"no colon", "a b: c", "a: b\r\nc: d", ": x"} {
		_, err := askBoth(t, Target{Type: TypeHTTP, Addr: closedPort(t), HTTP: HTTP{Headers: []string{h}}})
		if !errors.Is(err, ErrNotAsked) {
			t.Errorf("%q: %v", h, err)
		}
	}
}
