package health

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestExpressionsThatTakeLong has a server's bytes be those for which an expression takes 20 s: it ends when time is up, and says so.
func TestExpressionsThatTakeLong(t *testing.T) {
	const worst = "(.{0,900}y)?(.{0,900}y)?(.{0,900}y)?(.{0,900}y)?Q"
	body := bytes.Repeat([]byte("x"), maxText)
	judge := func(b Body) func(context.Context) error {
		return func(ctx context.Context) error {
			rules, err := newPatterns().rules(b)
			if err != nil {
				t.Fatal(err)
			}
			return rules.judge(ctx, Page{Size: maxText, text: body})
		}
	}
	expect := func(ctx context.Context) error {
		target := Target{Type: TypeTCP, Protocols: Protocols{TCP: TCPQuery{ExpectRegex: worst}}}.withDefaults()
		dial := func(context.Context, string, Target) (net.Conn, error) {
			return &playback{says: bytes.NewReader(body)}, nil
		}
		_, err := tcpProber{dial, nil, newPatterns()}.Probe(ctx, target)
		return err
	}
	for name, c := range map[string]struct {
		do   func(context.Context) error
		want string
	}{
		"regex":        {judge(Body{Regex: worst}), `regex "\(\.\{0,900\}y\).*" was not through the 262144 bytes of the body when time was up .*`},
		"not_regex":    {judge(Body{NotRegex: worst}), `not_regex .* was not through the 262144 bytes of the body when time was up .*`},
		"expect_regex": {expect, `expect_regex was not through the \d+ bytes that the server says when time was up .*`},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			start := time.Now()
			err := c.do(ctx)
			wantText(t, "", err, c.want)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v has no word of time", err)
			}
		})
	}
}

// TestExpressionReads holds what is found with a look at the time to what regexp finds.
func TestExpressionReads(t *testing.T) {
	for _, text := range []string{"", "a", "all\nis well", "\xff\xfeé\xe2\x82", strings.Repeat("x€", 400) + "end"} {
		for _, pattern := range []string{"", "^", "$", `\z`, `\bwell$`, "x{2}", "(?m)^is", "[^a]", "€end$", "é", "\\pL+", "x€(x€)*e"} {
			e, err := newExpression(pattern)
			if err != nil {
				t.Fatal(err)
			}
			want := e.FindIndex([]byte(text))
			e.steps = quick // as one of which each byte takes long
			if got, err := e.find(t.Context(), []byte(text)); err != nil || !slices.Equal(got, want) {
				t.Errorf("%q in %q: %v, want %v (%v)", pattern, text, got, want, err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := e.find(ctx, []byte(text)); len(text) > 1 && want == nil && !errors.Is(err, context.Canceled) {
				t.Errorf("%q in %q without time: %v", pattern, text, err)
			}
		}
	}
}
