package health

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"quorate/health/certtest"
)

func TestTCPTalk(t *testing.T) {
	echo := func(c net.Conn) {
		line, _ := bufio.NewReader(c).ReadString('\n')
		_, _ = io.WriteString(c, "you said "+line)
		_, _ = io.Copy(io.Discard, c)
	}
	say := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			_, _ = io.WriteString(c, text)
			_, _ = io.Copy(io.Discard, c)
		}
	}
	for name, c := range map[string]struct {
		serve func(net.Conn)
		query TCPQuery
		want  string
	}{
		"asked":        {echo, TCPQuery{Send: "PING\r\n", Expect: "PING"}, `ok: expected answer in .*`},
		"asked in hex": {echo, TCPQuery{SendHex: "50 494e47 0a", Expect: "PING", ExpectRegex: "^you"}, `ok: expected answer in .*`},
		"no hex":       {echo, TCPQuery{SendHex: "5"}, `not asked: send_hex: .*`},
		"no regex":     {echo, TCPQuery{ExpectRegex: "("}, `not asked: error parsing regexp: .*`},
		"only told":    {echo, TCPQuery{Send: "PING\r\n"}, `ok: connected in .*`},
		"greeting":     {say("220 mail.example ESMTP\r\n"), TCPQuery{ExpectRegex: `^220[ -]`}, `ok: expected answer in .*`},
		"another":      {say("554 go away\r\n"), TCPQuery{ExpectRegex: `^220[ -]`}, `no match of "\^220\[ -\]" within 1s: the server says "554 go away\\r\\n"`},
		"both, one":    {say("220 fine"), TCPQuery{Expect: "good", ExpectRegex: `^220[ -]`}, `no "good" and match of "\^220\[ -\]" within 1s: the server says "220 fine"`},
		"silent":       {func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, TCPQuery{Expect: "x"}, `connected, but "x" did not come within 200ms`},
		"closes":       {func(c net.Conn) {}, TCPQuery{Expect: "x"}, `connection closed before "x"`},
		"closes late":  {func(c net.Conn) { _, _ = io.WriteString(c, "half") }, TCPQuery{Expect: "x"}, `connection closed before "x": the server says "half"`},
		"at the end":   {func(c net.Conn) { _, _ = io.WriteString(c, "half x") }, TCPQuery{Expect: "x"}, `ok: expected answer in .*`},
		"endless":      {func(c net.Conn) { pour(c, strings.Repeat("a", 4000)) }, TCPQuery{Expect: "x"}, `no "x" in the first 16384 bytes that the server says: they begin with "a{40}…"`},
		"in pieces":    {func(c net.Conn) { drip(c, "hello world"); _, _ = io.Copy(io.Discard, c) }, TCPQuery{Expect: "lo wo"}, `ok: expected answer in .*`},
	} {
		t.Run(name, func(t *testing.T) {
			timeout := 10 * time.Second
			switch {
			case strings.Contains(c.want, "200ms"):
				timeout = 200 * time.Millisecond
			case strings.Contains(c.want, "1s"): // in which the server has to say something
				timeout = time.Second
			}
			target := Target{Type: TypeTCP, Addr: listen(t, c.serve), Interval: timeout, Timeout: timeout, Protocols: Protocols{TCP: c.query}}
			detail, err := ask(t, target)
			wantText(t, detail, err, c.want)
			if target.withDefaults().loops() {
				t.Error("it would only connect")
			}
		})
	}
}

func TestTCPWithTLS(t *testing.T) {
	ca := certtest.New(t, "Test CA")
	serve := func(cert tls.Certificate) Target {
		addr := listen(t, func(c net.Conn) {
			s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
			if s.Handshake() == nil {
				_, _ = io.WriteString(s, "* OK IMAP ready\r\n")
				_, _ = io.Copy(io.Discard, s)
			}
		})
		return Target{Type: TypeTCP, Addr: addr, Interval: 10 * time.Second, Timeout: 10 * time.Second, TLS: TLS{On: true, CA: ca.File()}}
	}
	good := serve(ca.Issue([]string{"127.0.0.1"}))
	detail, err := ask(t, good)
	wantText(t, detail, err, `ok: TLS handshake in .*`)
	good.Protocols.TCP.Expect = "* OK"
	detail, err = ask(t, good)
	wantText(t, detail, err, `ok: expected answer in .*`)
	good.Protocols.TCP.Expect = "* BYE"
	good.Timeout = time.Second
	detail, err = ask(t, good)
	wantText(t, detail, err, `no "\* BYE" within 1s: the server says "\* OK IMAP ready\\r\\n"`)
	detail, err = ask(t, serve(ca.Issue([]string{"127.0.0.1"}, certtest.Expired(49*time.Hour))))
	wantText(t, detail, err, `certificate of 127\.0\.0\.1 expired 2 days ago`)
	if err := Inspect(Target{Type: TypeTCP, TLS: TLS{On: true, CA: "/none"}}); err == nil {
		t.Error("a file that is not there is not missed")
	}
	if err := Inspect(Target{Type: TypeTCP, TLS: TLS{CA: "/none"}}); err != nil {
		t.Errorf("without TLS: %v", err)
	}
}

// FuzzExpect holds what is found in an answer that comes in pieces to what is in the whole.
func FuzzExpect(f *testing.F) {
	f.Add("220 mail.example ESMTP\r\n", "ESMTP", "^220", uint8(3))
	f.Add("", "x", "", uint8(0))
	f.Add("aaab", "", "a*b$", uint8(1))
	f.Fuzz(func(t *testing.T, answer, expect, regex string, piece uint8) {
		q := TCPQuery{Expect: expect, ExpectRegex: regex}
		re, err := newPatterns().compile(regex)
		if err != nil || expect == "" && regex == "" || len(regex) > 100 || len(answer) > maxTalk/2 {
			return
		}
		dial := func(context.Context, string, Target) (net.Conn, error) {
			a, b := net.Pipe()
			go func() {
				defer b.Close()
				n := int(piece) + 1
				for rest := answer; rest != ""; rest = rest[min(n, len(rest)):] {
					if _, err := io.WriteString(b, rest[:min(n, len(rest))]); err != nil {
						return
					}
				}
			}()
			return a, nil
		}
		target := Target{Type: TypeTCP, Addr: netip.MustParseAddrPort("10.0.0.1:80"), Interval: time.Minute, Timeout: time.Minute, Protocols: Protocols{TCP: q}}.withDefaults()
		_, err = tcpProber{dial, nil, newPatterns()}.Probe(t.Context(), target)
		whole := strings.Contains(answer, expect) && (re == nil || re.MatchString(answer))
		// An expression with $ may match the beginning and not the whole.
		if whole && err != nil || !whole && err == nil && !strings.ContainsAny(regex, `$\`) {
			t.Errorf("%q, want %q and %q: %v", answer, expect, regex, err)
		}
		if errors.Is(err, ErrNotAsked) || err != nil && len(err.Error()) > 1000 {
			t.Errorf("%v", err)
		}
	})
}
