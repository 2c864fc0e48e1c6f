package fsm

import (
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
