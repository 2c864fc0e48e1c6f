package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"quorate/fsm"
)

func file(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// flap is a message of one event.
func flap() Message {
	return Message{Version: 1, Cluster: "c1", Notifier: "hook", Sender: "n1",
		Events: []Notice{{"c1-7.0", fsm.Event{Index: 7, At: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC), Kind: fsm.EventAssign, VIP: "web", Node: "n2", Text: "web: n1 → n2"}}}}
}

// signed is HMAC-SHA256 as RFC 2104 writes it down, without the library that the sender uses.
func signed(key, text string) string {
	const block = 64
	k := make([]byte, block)
	if len(key) > block {
		sum := sha256.Sum256([]byte(key))
		key = string(sum[:])
	}
	copy(k, key)
	pad := func(with byte) []byte {
		out := make([]byte, block)
		for i := range out {
			out[i] = k[i] ^ with
		}
		return out
	}
	inner := sha256.Sum256(append(pad(0x36), text...))
	outer := sha256.Sum256(append(pad(0x5c), inner[:]...))
	return hex.EncodeToString(outer[:])
}

func TestWebhookIsSignedAndWhole(t *testing.T) {
	var failed error
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		at, mac, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Quorate-Signature"), "t="), ",v1=")
		var m struct {
			Version  int
			Cluster  string
			Notifier string
			Sender   string
			Events   []struct{ ID, Kind, VIP, Node, Text, At string }
		}
		err := json.Unmarshal(body, &m)
		switch {
		case err != nil:
			failed = err
		case signed("a secret of 20 bytes", at+"."+string(body)) != mac:
			failed = fmt.Errorf("signature %s of %s", r.Header.Get("Quorate-Signature"), body)
		case r.Method != "POST" || r.Header.Get("Quorate-Id") != "c1-7.0" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-Env") != "prod" || r.Header.Get("Authorization") != "Bearer abc":
			failed = fmt.Errorf("%s %v", r.Method, r.Header)
		case m.Version != 1 || m.Cluster != "c1" || m.Sender != "n1" || len(m.Events) != 1 || m.Events[0].ID != "c1-7.0" || m.Events[0].Kind != "assign" || m.Events[0].VIP != "web" || m.Events[0].At != "2026-11-20T12:00:00Z":
			failed = fmt.Errorf("%s", body)
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	defer srv.Close()
	ca := file(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})), 0o644)
	w := webhook{fsm.Webhook{URL: srv.URL, SecretFile: file(t, "a secret of 20 bytes\n", 0o600), TokenFile: file(t, "abc", 0o640), CA: ca, Headers: []string{"X-Env: prod"}}}
	if said, err := w.Send(t.Context(), flap()); err != nil || failed != nil || said != "HTTP 202 Accepted" {
		t.Errorf("%q, %v; the receiver says %v", said, err, failed)
	}
	// A certificate that is not trusted, and files that are not as they should be.
	for name, tt := range map[string]struct {
		change func(*webhook)
		want   string
	}{
		"other CA":    {func(w *webhook) { w.CA = "" }, "certificate"},
		"no CA":       {func(w *webhook) { w.CA = "/nonexistent" }, "ca /nonexistent: no such file"},
		"empty CA":    {func(w *webhook) { w.CA = file(t, "x", 0o600) }, "no certificate in it"},
		"no secret":   {func(w *webhook) { w.SecretFile = "/nonexistent" }, "secret_file /nonexistent: no such file"},
		"open secret": {func(w *webhook) { w.SecretFile = file(t, "x", 0o644) }, "everybody may read it"},
		"no token":    {func(w *webhook) { w.TokenFile = file(t, "\n", 0o600) }, "it is empty"},
		"long token":  {func(w *webhook) { w.TokenFile = file(t, strings.Repeat("x", 5000), 0o600) }, "longer than"},
	} {
		x := w
		tt.change(&x)
		_, err := x.Send(t.Context(), flap())
		if err == nil || !strings.Contains(err.Error(), tt.want) || errors.As(err, new(Refused)) {
			t.Errorf("%s: %v, want %q, and to be tried again", name, err, tt.want)
		}
	}
}

func TestWebhookAnswers(t *testing.T) {
	const patient = 30 * time.Second // for a receiver that answers
	var mood atomic.Pointer[http.HandlerFunc]
	answer := func(f http.HandlerFunc) { mood.Store(&f) }
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // before that a handler does not learn that the client has gone
		(*mood.Load())(w, r)
	}))
	defer srv.Close()
	sendFor := func(limit time.Duration) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		said, err := webhook{fsm.Webhook{URL: srv.URL + "/secret-path"}}.Send(ctx, flap())
		if limit == patient && ctx.Err() != nil {
			t.Errorf("it has no end within %v", limit)
		}
		return said, err
	}
	send := func() (string, error) { return sendFor(patient) }
	for code, want := range map[int]string{200: "", 204: "", 299: "", 301: "refused", 307: "refused", 400: "refused", 401: "refused", 404: "refused", 408: "again", 410: "refused", 413: "refused",
		429: "later", 500: "again", 502: "again", 503: "later", 599: "again"} {
		answer(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "77")
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(code)
		})
		_, err := send()
		got := ""
		var later Later
		switch {
		case err == nil:
		case errors.As(err, new(Refused)):
			got = "refused"
		case errors.As(err, &later) && later.After == 77*time.Second:
			got = "later"
		default:
			got = "again"
		}
		if got != want {
			t.Errorf("%d: %q, want %q: %v", code, got, want, err)
		}
	}
	// Receivers that do not play by the rules.
	for name, tt := range map[string]func(w http.ResponseWriter, r *http.Request){
		"slow": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"endless": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(500)
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		},
		"garbage": func(w http.ResponseWriter, _ *http.Request) {
			c, _, _ := w.(http.Hijacker).Hijack()
			_, _ = c.Write([]byte("\x00\xff\x00garbage\n\n"))
			_ = c.Close()
		},
		"headers": func(w http.ResponseWriter, _ *http.Request) {
			for i := range 10000 {
				w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 100))
			}
		},
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			c, _, _ := w.(http.Hijacker).Hijack()
			_, _ = c.Write([]byte("HTTP/1.1 20"))
			_ = c.Close()
		},
	} {
		answer(tt)
		limit := patient
		if name == "slow" {
			limit = 500 * time.Millisecond
		}
		if said, err := sendFor(limit); err == nil || errors.As(err, new(Refused)) || strings.Contains(err.Error(), "secret-path") || len(err.Error()) > 600 {
			t.Errorf("%s: %q, %v", name, said, err)
		}
	}
	srv.Close()
	if _, err := send(); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("nobody there: %v", err)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{"": 0, "5": 5 * time.Second, "0": 0, "-1": 0, "x": 0, "100000": maxRetryAfter, "99999999999999999999": 0,
		"Fri, 20 Nov 2026 12:00:30 GMT": 30 * time.Second, "Fri, 20 Nov 2026 11:00:30 GMT": 0, "Fri, 20 Nov 2026 23:00:30 GMT": maxRetryAfter} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestProgram(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "run")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho \"$1 $QUORATE_KIND $QUORATE_ID $QUORATE_VIP\" > "+dir+"/out\ncat >> "+dir+"/out\nexit ${2:-0}\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if said, err := (program{fsm.Script{Command: []string{path, "arg"}}}).Send(t.Context(), flap()); err != nil || said != "exit status 0" {
		t.Fatalf("%q, %v", said, err)
	}
	out, _ := os.ReadFile(dir + "/out")
	first, rest, _ := strings.Cut(string(out), "\n")
	var m Message
	if err := json.Unmarshal([]byte(rest), &m); err != nil || first != "arg assign c1-7.0 web" || len(m.Events) != 1 || m.Events[0].ID != "c1-7.0" {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := (program{fsm.Script{Command: []string{path, "arg", "4"}}}).Send(t.Context(), flap()); err == nil || !strings.Contains(err.Error(), "exit status 4") || errors.As(err, new(Refused)) {
		t.Errorf("%v", err)
	}
}

// FuzzAnswer: whatever a receiver answers, what is made of it is bounded, and success is 2xx alone.
func FuzzAnswer(f *testing.F) {
	f.Add(200, "", "", []byte("ok"))
	f.Add(429, "120", "", []byte("\xff\x00"))
	f.Add(302, "Fri, 20 Nov 2026 12:00:30 GMT", "https://elsewhere.example.org/", []byte(nil))
	f.Fuzz(func(t *testing.T, code int, after, location string, body []byte) {
		res := &http.Response{StatusCode: code, Status: fmt.Sprintf("%d X", code), Header: http.Header{"Retry-After": {after}, "Location": {location}}}
		said, err := judge(res, body[:min(len(body), maxAnswer)])
		if (err == nil) != (code >= 200 && code < 300) || len(said) > 100 || err != nil && len(err.Error()) > 700 {
			t.Errorf("%d: %q, %v", code, said, err)
		}
		if d := retryAfter(after, time.Now()); d < 0 || d > maxRetryAfter {
			t.Errorf("%q: %v", after, d)
		}
	})
}

// FuzzMemory: a file of what was told may hold anything.
func FuzzMemory(f *testing.F) {
	f.Add([]byte(`{"run":[{"Kind":"INSTANCE","Name":"web","State":"MASTER"}]}`))
	f.Add([]byte(`{"run":null,"":[{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := file(t, string(b), 0o600)
		teller, err := NewTeller("n1", path, func(path string, b []byte) error { return os.WriteFile(path, b, 0o600) }, slog.New(slog.DiscardHandler))
		if teller == nil || err != nil && len(teller.desks) != 0 {
			t.Errorf("%v, %v", teller, err)
		}
	})
}
