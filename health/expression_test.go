package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestExpressionsThatTakeLong has a server say what an expression takes seconds for: the probe ends when its time is up, and says so.
func TestExpressionsThatTakeLong(t *testing.T) {
	const worst = "(.{0,900}y)?(.{0,900}y)?(.{0,900}y)?(.{0,900}y)?Q" // 20 s for 256 KiB
	says := func(head string) Target {
		return Target{Addr: listen(t, func(c net.Conn) {
			_, _ = io.WriteString(c, head+strings.Repeat("x", maxText))
			_, _ = io.Copy(io.Discard, c)
		}), Timeout: 300 * time.Millisecond, Interval: time.Second}
	}
	page := says(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", maxText))
	page.Type = TypeHTTP
	regex, notRegex, talk := page, page, says("")
	regex.HTTP.URLs = []URL{{Body: Body{Regex: worst}}}
	notRegex.HTTP.URLs = []URL{{Body: Body{NotRegex: worst}}}
	talk.Type, talk.Protocols.TCP = TypeTCP, TCPQuery{ExpectRegex: worst}
	for name, c := range map[string]struct {
		target Target
		want   string
	}{
		"regex":        {regex, `status 200, but regex "\(\.\{0,900\}y\).*" was not through the 262144 bytes of the body when time was up .*`},
		"not_regex":    {notRegex, `status 200, but not_regex .* was not through the 262144 bytes of the body when time was up .*`},
		"expect_regex": {talk, `expect_regex was not through the \d+ bytes that the server says when time was up .*`},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			detail, err := ask(t, c.target)
			wantText(t, detail, err, c.want)
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("it took %v", took)
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
