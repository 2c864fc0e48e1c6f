package api_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/api"
	"quorate/api/client"
	"quorate/fsm"
)

const (
	password = "pa55word"
	digits   = "5a17"
)

var signing = []string{"7:" + strings.Repeat(digits, 16), "8:" + strings.Repeat(digits, 17)}

// secretive is sample with a virtual router of each kind that has a secret, each written in its way.
func secretive() fsm.Config {
	c := sample()
	peers := []netip.Addr{netip.MustParseAddr("192.0.2.200")}
	c.Routers = map[string]fsm.VirtualRouter{"VI_1": {VRID: 51, HMACKeys: slices.Clone(signing), HMACMode: fsm.HMACPermissive, Peers: peers}}
	web, lone := c.VIPs["web"], c.VIPs["lone"]
	web.Router = "VI_1"
	lone.VRRP = &fsm.VirtualRouter{VRID: 52, Version: 2, Password: password, Peers: peers}
	c.VIPs["web"], c.VIPs["lone"] = web, lone
	return c
}

// TestSecretsStay: whatever is asked, the password and the keys of a virtual router are in the configuration alone, and there over the unix socket alone.
func TestSecretsStay(t *testing.T) {
	s, agents := cluster(t)
	ctx := t.Context()
	told := func(what string, v any, err error) {
		t.Helper()
		b, jerr := json.Marshal(v)
		if text := string(b); jerr != nil || strings.Contains(text, password) || strings.Contains(text, digits) {
			t.Errorf("%s tells it: %s (%v)", what, text, jerr)
		}
		if err != nil && (strings.Contains(err.Error(), password) || strings.Contains(err.Error(), digits)) {
			t.Errorf("%s tells it: %v", what, err)
		}
	}
	plan, err := s.unix.Plan(ctx, secretive())
	if err != nil || len(plan.Problems) > 0 {
		t.Fatal(plan.Problems, err)
	}
	told("a plan", plan, nil)
	done, err := s.unix.Apply(ctx, secretive(), 0, true)
	if err != nil {
		t.Fatal(err)
	}
	told("an apply", done, nil)
	wrong := secretive()
	r := wrong.Routers["VI_1"]
	r.Password, r.HMACKeys = password+password, []string{strings.Repeat(digits, 3), signing[0], signing[0]}
	wrong.Routers["VI_1"] = r
	plan, err = s.unix.Plan(ctx, wrong)
	if err != nil || len(plan.Problems) < 3 {
		t.Error(plan.Problems, err)
	}
	told("a plan that has problems", plan, nil)
	_, err = s.unix.Apply(ctx, wrong, 0, true)
	told("an apply that is refused", wantCode(t, err, api.CodeInvalidConfig), err)

	// All that can be read.
	overUnix := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.socket)
	}}}
	defer overUnix.CloseIdleConnections()
	get := func(c *http.Client, url string) (int, string) {
		t.Helper()
		limit, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(limit, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(url, err)
		}
		defer func() { _ = resp.Body.Close() }()
		if strings.Contains(url, "/stream") { // what comes at once, as it does not end
			defer time.AfterFunc(200*time.Millisecond, cancel).Stop()
		}
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	var doc struct {
		Paths map[string]map[string]any
	}
	if _, text := get(http.DefaultClient, s.url+"/openapi.json"); json.Unmarshal([]byte(text), &doc) != nil || len(doc.Paths) < 30 {
		t.Fatalf("%.300s", text)
	}
	paths := []string{"/metrics", "/healthz"}
	fill := strings.NewReplacer("{name}", "lone", "{id}", "n1", "{service}", "http", "{address}", "10.0.0.1:80")
	for p, ops := range doc.Paths {
		if ops["get"] != nil {
			paths = append(paths, strings.ReplaceAll(fill.Replace(p), "notifiers/lone", "notifiers/ops"))
		}
	}
	read := 0
	for _, p := range paths {
		for at, c := range map[string]*http.Client{s.url: http.DefaultClient, "http://agent": overUnix} {
			status, text := get(c, at+p)
			if status == http.StatusOK {
				read++
			}
			has := strings.Contains(text, password) && strings.Contains(text, digits)
			some := strings.Contains(text, password) || strings.Contains(text, digits)
			if want := p == "/v1/config" && c == overUnix; has != want || some != want {
				t.Errorf("GET %s%s: the secrets are in it: %t, want %t: %.300s", at, p, some, want, text)
			}
		}
	}
	if read < 2*len(paths)-8 {
		t.Errorf("of %d, %d were answered: %v", 2*len(paths), read, paths)
	}
	for _, a := range agents[1:] {
		other := serve(t, a)
		if c, err := other.tcp.Config(ctx); err != nil || !c.Hidden {
			t.Errorf("%+v, %v", c, err)
		}
	}
}

// TestSecretsAreLeft: a configuration that was read without its secrets leaves them as they are; where there are none it is refused.
func TestSecretsAreLeft(t *testing.T) {
	s, _ := cluster(t)
	ctx := t.Context()
	if c, err := s.tcp.Config(ctx); err != nil || c.Hidden {
		t.Errorf("without any: %+v, %v", c, err)
	}
	if _, err := s.unix.Apply(ctx, secretive(), 0, true); err != nil {
		t.Fatal(err)
	}
	is := func(keys []string, word string) {
		t.Helper()
		c := s.State().Config
		if r, v := c.Routers["VI_1"], c.VIPs["lone"]; !slices.Equal(r.HMACKeys, keys) || v.VRRP.Password != word {
			t.Errorf("it has %v and %q, want %v and %q", r.HMACKeys, v.VRRP.Password, keys, word)
		}
	}
	for name, c := range map[string]*client.Client{"tcp": s.tcp, "unix": s.unix} {
		read, err := s.tcp.Config(ctx)
		if err != nil || !read.Hidden || read.Config.Routers["VI_1"].HMACKeys[0] != fsm.NotShown || read.Config.VIPs["lone"].VRRP.Password != fsm.NotShown {
			t.Fatalf("%+v, %v", read, err)
		}
		is(signing, password) // what is shown is no part of what is agreed
		if p, err := c.Plan(ctx, read.Config); err != nil || len(p.Changes) > 0 || len(p.Problems) > 0 {
			t.Errorf("%s: the plan of what was read: %+v, %v", name, p, err)
		}
		if d, err := c.Apply(ctx, read.Config, read.Version, false); err != nil || d.Changed {
			t.Errorf("%s: what was read, applied: %+v, %v", name, d, err)
		}
		r := read.Config.Routers["VI_1"]
		r.HMACKeys = []string{"9:" + strings.Repeat("0f", 32), fsm.NotShown} // another signs from now on
		read.Config.Routers["VI_1"] = r
		if _, err := c.Apply(ctx, read.Config, read.Version, false); err != nil {
			t.Fatal(err)
		}
		is(append([]string{r.HMACKeys[0]}, signing...), password)
		if _, err := c.Apply(ctx, secretive(), 0, true); err != nil {
			t.Fatal(err)
		}
	}
	next := secretive()
	next.Routers["VI_2"] = fsm.VirtualRouter{VRID: 53, Version: 2, Password: fsm.NotShown}
	next.Routers["VI_3"] = fsm.VirtualRouter{VRID: 54, HMACKeys: []string{fsm.NotShown}}
	p, err := s.tcp.Plan(ctx, next)
	if err != nil || len(p.Problems) != 2 || p.Problems[0].Object != "virtual_router.VI_2" || p.Problems[0].Key != "password" || p.Problems[1].Key != "hmac_keys" {
		t.Errorf("%+v, %v", p, err)
	}
	_, err = s.tcp.Apply(ctx, next, 0, true)
	wantCode(t, err, api.CodeInvalidConfig)
	is(signing, password)
}
