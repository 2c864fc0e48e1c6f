package health

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"quorate/health/certtest"
)

// A hostile server costs each probe no more than these, whatever it sends: memory that was taken in all, and time beyond the timeout. A machine that stands still makes
// one probe late or another; what a server can do, it does to each.
const (
	maxCost = 8 << 20
	maxLate = 250 * time.Millisecond
)

// pour writes chunk again and again until the prober has had enough.
func pour(c net.Conn, chunk string) {
	b := []byte(chunk)
	for {
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

// drip writes a byte of text at a time.
func drip(c net.Conn, text string) {
	for i := range len(text) {
		if _, err := io.WriteString(c, text[i:i+1]); err != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// hostile1 are servers by HTTP/1.1, after they have read the request.
var hostile1 = map[string]struct {
	serve func(c net.Conn)
	want  string
}{
	"endless header": {func(c net.Conn) { pour(c, "HTTP/1.1 200 OK\r\nA: "+strings.Repeat("a", 4000)) }, `not a usable HTTP answer: its header is longer than 65536 bytes`},
	"endless headers": {func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
		pour(c, strings.Repeat("a:\n", 1000))
	}, `not a usable HTTP answer: its header is longer than 65536 bytes`},
	"endless other names":  {func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n"+manyHeaders(20_000)); pour(c, "a:\n") }, `not a usable HTTP answer: its header is longer than 65536 bytes`},
	"endless status":       {func(c net.Conn) { pour(c, "HTTP/1.1 200 "+strings.Repeat("a", 4000)) }, `not a usable HTTP answer: its header is longer than 65536 bytes`},
	"endless announcement": {func(c net.Conn) { pour(c, "HTTP/1.1 103 Early Hints\r\n\r\n") }, `not a usable HTTP answer: its header is longer than 65536 bytes`},
	"endless body": {func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		pour(c, strings.Repeat("a", 4000))
	}, `status 200, but the body is longer than .* digest is made of`},
	"endless chunks": {func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		pour(c, strings.Repeat("1\r\na\r\n", 600))
	}, `status 200, but (the body is longer than|the body broke off after|no complete body within) .*`},
	"endless chunk extension": {func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=")
		pour(c, strings.Repeat("a", 4000))
	}, `status 200, but the body broke off after 0 bytes: .*`},
	"endless trailer": {func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: a\r\n\r\n1\r\na\r\n0\r\n")
		pour(c, strings.Repeat("a: b\r\n", 600))
	}, `status 200, but the body broke off after 1 bytes: .*`},
	"slow header": {func(c net.Conn) { drip(c, "HTTP/1.1 200 OK\r\nA: "+strings.Repeat("a", 4000)) }, `connected, but no HTTP answer within 300ms`},
	"slow body":   {func(c net.Conn) { drip(c, "HTTP/1.1 200 OK\r\n\r\n"+strings.Repeat("a", 4000)) }, `(connected, but no HTTP answer|status 200, but no complete body) within 300ms`},
	"a bomb": {func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x00")
		pour(c, strings.Repeat("\x00", 4000))
	}, `status 200, but the body is longer than .* digest is made of`},
	"a long redirect": {func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 302 Found\r\nLocation: /")
		pour(c, strings.Repeat("a", 4000))
	}, `not a usable HTTP answer: its header is longer than 65536 bytes`},
	"long redirects": {func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /"+strings.Repeat("a", 60_000)+"\r\n\r\n")
	}, `status 302, and its redirect has 60001 bytes`},
	"many redirects": {func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /"+strings.Repeat("a", 2000)+"\r\n\r\n")
	}, `status 302 after 10 redirects, want 200-299`},
}

func manyHeaders(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%x:\n", i)
	}
	return b.String()
}

// hostile2 are servers by HTTP/2, after the preface and their settings.
var hostile2 = map[string]func(c net.Conn, f *http2.Framer){
	"settings": func(c net.Conn, f *http2.Framer) {
		flood(c, func(f *http2.Framer) { _ = f.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 14}) })
	},
	"pings": func(c net.Conn, f *http2.Framer) {
		flood(c, func(f *http2.Framer) { _ = f.WritePing(false, [8]byte{}) })
	},
	"windows": func(c net.Conn, f *http2.Framer) { flood(c, func(f *http2.Framer) { _ = f.WriteWindowUpdate(0, 1) }) },
	"empty data": func(c net.Conn, f *http2.Framer) {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields("200"), EndHeaders: true})
		flood(c, func(f *http2.Framer) { _ = f.WriteData(1, false, nil) })
	},
	"padding": func(c net.Conn, f *http2.Framer) {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields("200"), EndHeaders: true})
		flood(c, func(f *http2.Framer) { _ = f.WriteDataPadded(1, false, nil, zeros[:255]) })
	},
	"data beyond the window": func(c net.Conn, f *http2.Framer) {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields("200"), EndHeaders: true})
		flood(c, func(f *http2.Framer) { _ = f.WriteData(1, false, zeros) })
	},
	"announcements": func(c net.Conn, f *http2.Framer) {
		flood(c, func(f *http2.Framer) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields("103"), EndHeaders: true})
		})
	},
	"continuations": func(c net.Conn, f *http2.Framer) {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields("200")})
		flood(c, func(f *http2.Framer) { _ = f.WriteContinuation(1, false, fields("200")) })
	},
	"empty continuations": func(c net.Conn, f *http2.Framer) {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields("200")})
		flood(c, func(f *http2.Framer) { _ = f.WriteContinuation(1, false, nil) })
	},
	"a header bomb": func(c net.Conn, f *http2.Framer) {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: bomb, EndHeaders: true, EndStream: true})
		_, _ = io.Copy(io.Discard, c)
	},
	"promises": func(c net.Conn, f *http2.Framer) {
		flood(c, func(f *http2.Framer) {
			_ = f.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: fields("200"), EndHeaders: true})
		})
	},
	"nothing": func(c net.Conn, f *http2.Framer) { _, _ = io.Copy(io.Discard, c) },
}

// bomb is a block of 16 KiB that names a header of 4 KB in each byte but the first.
var bomb = func() []byte {
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	_ = e.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	for x := (hpack.HeaderField{Name: "x", Value: strings.Repeat("a", 4000)}); block.Len() < 16<<10; {
		_ = e.WriteField(x)
	}
	return block.Bytes()[:16<<10]
}()

func fields(status string) []byte {
	var block bytes.Buffer
	_ = hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":status", Value: status})
	return block.Bytes()
}

var zeros = make([]byte, 16<<10)

// flood writes what frame makes again and again, and reads nothing.
func flood(c net.Conn, frame func(f *http2.Framer)) {
	var b bytes.Buffer
	f := http2.NewFramer(&b, nil)
	for b.Len() < 32<<10 {
		frame(f)
	}
	pour(c, b.String())
}

// attack probes a hostile server and says what that costs.
func attack(t *testing.T, target Target, want string) {
	t.Helper()
	ps := probers(dialTarget, nil)
	target = target.withDefaults()
	suffer(t, target, want, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), target.Timeout)
		defer cancel()
		_, err := ps[target.Type].Probe(ctx, target)
		return err
	})
	for i := range target.HTTP.URLs {
		target.HTTP.URLs[i].Body.NotRegex = ""
	}
	if target.Type == TypeHTTP && target.loops() {
		suffer(t, target, want, func() error {
			_, err := byLoop(t, target)
			return err
		})
	}
}

func suffer(t *testing.T, target Target, want string, ask func() error) {
	t.Helper()
	probe := func() (time.Duration, error) {
		start := time.Now()
		err := ask()
		return time.Since(start), err
	}
	var before, after runtime.MemStats
	best, _ := probe() // what is made once
	runtime.ReadMemStats(&before)
	const probes = 2
	for range probes {
		took, err := probe()
		if best = min(best, took); err == nil {
			t.Fatal("it is well")
		}
		wantText(t, "", err, want)
	}
	runtime.ReadMemStats(&after)
	cost := (after.TotalAlloc - before.TotalAlloc) / probes
	t.Logf("%d KiB and at least %v for a probe", cost>>10, best.Round(time.Millisecond))
	if cost > maxCost {
		t.Errorf("a probe costs %d KiB of memory, with that of the server", cost>>10)
	}
	if best > target.Timeout+maxLate {
		t.Errorf("no probe took less than %v", best)
	}
}

func TestHostileHTTP1(t *testing.T) {
	if testing.Short() {
		t.Skip("hostile servers take their time")
	}
	for name, row := range hostile1 {
		t.Run(name, func(t *testing.T) {
			addr := listen(t, func(c net.Conn) {
				_, _ = http.ReadRequest(bufio.NewReader(c))
				row.serve(c)
			})
			timeout := 10 * time.Second
			switch {
			case strings.HasPrefix(name, "slow"):
				timeout = 300 * time.Millisecond
			case name == "endless chunks": // which last
				timeout = time.Second
			}
			attack(t, Target{Type: TypeHTTP, Addr: addr, Interval: timeout, Timeout: timeout, HTTP: HTTP{Redirects: 10, URLs: []URL{{Body: Body{
				SHA256: strings.Repeat("0", 64), Contains: "zzz", NotRegex: "(x+x+)+y",
			}}}}}, row.want)
		})
	}
}

func TestHostileHTTP2(t *testing.T) {
	if testing.Short() {
		t.Skip("hostile servers take their time")
	}
	ca := certtest.New(t, "Test CA")
	cert, file := ca.Issue([]string{"127.0.0.1"}), ca.File()
	for _, secure := range []bool{false, true} {
		for name, serve := range hostile2 {
			t.Run(fmt.Sprintf("%s/tls=%v", name, secure), func(t *testing.T) {
				addr := listen(t, func(c net.Conn) {
					if secure {
						s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}})
						if s.Handshake() != nil {
							return
						}
						c = s
					}
					if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
						return
					}
					f := http2.NewFramer(c, c)
					_ = f.WriteSettings()
					for { // until the request is here
						if frame, err := f.ReadFrame(); err != nil {
							return
						} else if _, is := frame.(*http2.HeadersFrame); is {
							break
						}
					}
					serve(c, f)
				})
				const timeout = 300 * time.Millisecond
				target := Target{Type: TypeHTTP, Addr: addr, Interval: timeout, Timeout: timeout, HTTP: HTTP{Version: "2", URLs: []URL{{Body: Body{SHA256: strings.Repeat("0", 64)}}}}}
				if secure {
					target.Type, target.TLS.CA = TypeHTTPS, file
				}
				attack(t, target, `.+`)
			})
		}
	}
}

// TestHostileTLS: what comes instead of a handshake.
func TestHostileTLS(t *testing.T) {
	record := func(kind byte, body string) string {
		return string([]byte{kind, 3, 3, byte(len(body) >> 8), byte(len(body))}) + body
	}
	for name, serve := range map[string]func(c net.Conn){
		"zeros":              func(c net.Conn) { pour(c, strings.Repeat("\x00", 4000)) },
		"empty records":      func(c net.Conn) { pour(c, strings.Repeat(record(22, ""), 600)) },
		"warnings":           func(c net.Conn) { pour(c, strings.Repeat(record(21, "\x01\x5a"), 600)) },
		"changes of cipher":  func(c net.Conn) { pour(c, strings.Repeat(record(20, "\x01"), 600)) },
		"a long certificate": func(c net.Conn) { pour(c, record(22, "\x0b\x03\xff\xff"+strings.Repeat("a", 4000))) },
		"slow":               func(c net.Conn) { drip(c, record(22, "\x02\x00\x10\x00"+strings.Repeat("a", 4000))) },
	} {
		t.Run(name, func(t *testing.T) {
			addr := listen(t, func(c net.Conn) { serve(c) })
			attack(t, Target{Type: TypeHTTPS, Addr: addr, Interval: 300 * time.Millisecond, Timeout: 300 * time.Millisecond}, `.+`)
		})
	}
}

// TestFloodOfDetail: what a probe says is bounded, also when the server has chosen the words.
func TestFloodOfDetail(t *testing.T) {
	long := strings.Repeat("é", 5000)
	addr := listen(t, func(c net.Conn) {
		_, _ = http.ReadRequest(bufio.NewReader(c))
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n"+long)
	})
	_, err := ask(t, Target{Type: TypeHTTP, Addr: addr, HTTP: HTTP{URLs: []URL{{Body: Body{NotRegex: "(?s).*"}}}}})
	if err == nil || len(err.Error()) > 2*maxDetail {
		t.Errorf("%v", err)
	}
}
