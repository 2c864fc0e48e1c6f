package fsm

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// checkOf is a check that is valid but for what change does.
func checkOf(t CheckType, change func(*Check)) Check {
	c := NewCheck(t)
	c.Interval, c.Timeout, c.Rise, c.Fall = 2*time.Second, time.Second, 2, 3
	if c.HTTP != nil {
		c.HTTP.Path, c.HTTP.Status = "/", []StatusRange{{200, 299}}
	}
	if change != nil {
		change(&c)
	}
	return c
}

// problemsOf are what the check's validation says, as lines.
func problemsOf(c Check) string {
	var ps Problems
	c.validate(&ps, "x")
	var out []string
	for _, p := range ps {
		out = append(out, p.String())
	}
	return strings.Join(out, "\n")
}

func TestTLSCheck(t *testing.T) {
	tls := func(change func(*TLSCheck)) Check {
		return checkOf(CheckHTTPS, func(c *Check) { change(c.TLS) })
	}
	for want, c := range map[string]Check{
		"":                        checkOf(CheckHTTPS, nil),
		"server_name = \"a:443\"": tls(func(c *TLSCheck) { c.ServerName = "a:443" }),
		"server_name = \"*.a\"":   tls(func(c *TLSCheck) { c.ServerName = "*.a" }),
		"server_name = \"a\\nb\"": tls(func(c *TLSCheck) { c.ServerName = "a\nb" }),
		"ca = \"a.pem\"":          tls(func(c *TLSCheck) { c.CA = "a.pem" }),
		"nothing is verified":     tls(func(c *TLSCheck) { c.CA, c.Unverified = "/a.pem", true }),
		"key: the client":         tls(func(c *TLSCheck) { c.Certificate = "/a.pem" }),
		"certificate: the key":    tls(func(c *TLSCheck) { c.Key = "/a.pem" }),
		"always speaks TLS":       tls(func(c *TLSCheck) { c.On = true }),
		"needs the settings of":   checkOf(CheckHTTPS, func(c *Check) { c.TLS = nil }),
		"no settings of tls":      checkOf(CheckHTTP, func(c *Check) { c.TLS = &TLSCheck{} }),
	} {
		if got := problemsOf(c); !strings.Contains(got, want) || (want == "") != (got == "") || strings.Contains(got, "\n") {
			t.Errorf("got %q, want one line with %q", got, want)
		}
	}
	for _, ok := range []string{"a.example", "10.0.0.1", "2001:db8::1", "_a"} {
		if got := problemsOf(tls(func(c *TLSCheck) { c.ServerName = ok })); got != "" {
			t.Errorf("%s: %s", ok, got)
		}
	}
	if n := tls(func(*TLSCheck) {}).needs(); n != schemaHealth {
		t.Errorf("an https check needs schema %d", n)
	}
}

func TestWarnsOfUnverified(t *testing.T) {
	c := Config{Services: map[string]Service{"web": {Checks: []Check{checkOf(CheckTCP, nil), checkOf(CheckHTTPS, func(c *Check) { c.TLS.Unverified = true })}}}}
	ps := c.Warnings()
	if len(ps) != 1 || ps[0].Object != "service.web.check.1" || ps[0].Key != "verify" {
		t.Errorf("%v", ps)
	}
}

// TestPatternsAreNotAgreed: a replica that was built with a Go whose regular expressions know less must take what the others take.
func TestPatternsAreNotAgreed(t *testing.T) {
	bad := checkOf(CheckHTTP, func(c *Check) {
		c.HTTP.URLs, c.HTTP.Path, c.HTTP.Status = []HTTPRequest{{Path: "/", Status: c.HTTP.Status, NotRegex: "("}}, "", nil
	})
	c := Config{Settings: DefaultSettings(), VIPs: map[string]VIP{}, NodeChecks: map[string]NodeCheck{"a": {Name: "a", Required: true, Checks: []Check{
		checkOf(CheckHTTP, func(c *Check) { c.HTTP.Regex, c.Address = "[", netip.MustParseAddr("127.0.0.1"); c.Port = 80 }),
	}}}, Services: map[string]Service{"web": {Name: "web", Checks: []Check{checkOf(CheckTCP, nil), bad}}}}
	var found []string
	for _, p := range c.Validate() {
		if strings.Contains(p.What, "regular expression") {
			found = append(found, p.Object+" "+p.Key)
		}
	}
	if want := "[node_check.a.check.0 regex service.web.check.1.url.0 not_regex]"; fmt.Sprint(found) != want {
		t.Errorf("%v, want %s", found, want)
	}
	for _, p := range c.agreed() {
		if strings.Contains(p.What, "regular expression") {
			t.Errorf("agreed: %v", p)
		}
	}
}

func TestTCPCheck(t *testing.T) {
	plain := checkOf(CheckTCP, nil).Spared()
	if got := problemsOf(plain); got != "" || plain.TCP != nil || plain.TLS != nil || plain.needs() != schemaFirst {
		t.Errorf("a check that only connects: %s, %+v, schema %d", got, plain, plain.needs())
	}
	tcp := func(change func(*TCPCheck)) Check {
		return checkOf(CheckTCP, func(c *Check) { change(c.TCP) }).Spared()
	}
	for want, c := range map[string]Check{
		"":                    tcp(func(c *TCPCheck) { c.Send, c.Expect, c.ExpectRegex = "PING\r\n", "PONG", "^P" }),
		"has one digit":       tcp(func(c *TCPCheck) { c.SendHex = "0a0" }),
		"a send already":      tcp(func(c *TCPCheck) { c.SendHex, c.Send = "0a", "x" }),
		"not UTF-8":           tcp(func(c *TCPCheck) { c.Expect = "\xff" }),
		"and send needs one":  tcp(func(c *TCPCheck) { c.HalfOpen, c.Send = true, "x" }),
		"and expect needs":    tcp(func(c *TCPCheck) { c.HalfOpen, c.Expect = true, "x" }),
		"and tls needs one":   checkOf(CheckTCP, func(c *Check) { c.TCP.HalfOpen, c.TLS.On = true, true }).Spared(),
		"and through needs":   checkOf(CheckTCP, func(c *Check) { c.TCP.HalfOpen, c.Through = true, ThroughForwarding }).Spared(),
		"it has 1025 bytes":   tcp(func(c *TCPCheck) { c.Send = strings.Repeat("a", 1025) }),
		"are nothing without": checkOf(CheckTCP, func(c *Check) { c.TLS.CA = "/a" }).Spared(),
	} {
		if got := problemsOf(c); (want == "") != (got == "") || !strings.Contains(got, want) || strings.Contains(got, "\n") {
			t.Errorf("got %q, want one line with %q", got, want)
		}
		if c.needs() != schemaHealth {
			t.Errorf("%+v needs schema %d", c, c.needs())
		}
	}
}

func TestHTTPCheck(t *testing.T) {
	http := func(change func(*HTTPCheck)) Check {
		return checkOf(CheckHTTP, func(c *Check) { change(c.HTTP) })
	}
	many := func(h *HTTPCheck, n int) {
		h.HTTPRequest = HTTPRequest{}
		for range n {
			h.URLs = append(h.URLs, HTTPRequest{Path: "/", Status: []StatusRange{{200, 200}}})
		}
	}
	for want, c := range map[string]Check{
		"":                     http(func(h *HTTPCheck) {}),
		"16 URLs":              http(func(h *HTTPCheck) { many(h, MaxURLs) }),
		"17 URLs are too many": http(func(h *HTTPCheck) { many(h, MaxURLs+1) }),
		"33 are too many":      http(func(h *HTTPCheck) { h.Headers = slices.Repeat([]string{"a: b"}, MaxHeaders+1) }),
		"it has 1025 bytes":    http(func(h *HTTPCheck) { h.Contains = strings.Repeat("a", 1025) }),
		"this header has 1030": http(func(h *HTTPCheck) { h.Headers = []string{"a: " + strings.Repeat("a", 1027)} }),
		"it has 30 characters": http(func(h *HTTPCheck) { h.MD5 = strings.Repeat("a", 30) }),
		"no method":            http(func(h *HTTPCheck) { h.Method = "CONNECT" }),
		"not UTF-8":            http(func(h *HTTPCheck) { h.Contains = "\xff" }),
		"each with its own":    http(func(h *HTTPCheck) { many(h, 1); h.SHA256 = strings.Repeat("a", 64) }),
	} {
		fine := want == "" || want == "16 URLs"
		if got := problemsOf(c); fine != (got == "") || !fine && (!strings.Contains(got, want) || strings.Contains(got, "\n")) {
			t.Errorf("got %q, want one line with %q", got, want)
		}
	}
	for _, c := range []Check{http(func(h *HTTPCheck) { h.Method = "HEAD" }), http(func(h *HTTPCheck) { h.Headers = []string{"a:"} }), http(func(h *HTTPCheck) { many(h, 1) }), http(func(h *HTTPCheck) { h.Version = "2" })} {
		if c.needs() != schemaHealth {
			t.Errorf("%+v needs schema %d", c.HTTP, c.needs())
		}
	}
	if n := http(func(h *HTTPCheck) { h.Headers, h.URLs = []string{}, []HTTPRequest{} }).needs(); n != schemaFirst {
		t.Errorf("an http check as before needs schema %d", n)
	}
}
