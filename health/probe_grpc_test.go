package health

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// grpcServer answers calls over HTTP/2 without TLS, as handle says.
func grpcServer(t *testing.T, handle http.HandlerFunc) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	s := &http.Server{Handler: handle, Protocols: protocols}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func TestGRPCProbe(t *testing.T) {
	answer := func(status, message, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
			_, _ = io.WriteString(w, body)
			w.Header().Set("Grpc-Status", status)
			w.Header().Set("Grpc-Message", message)
		}
	}
	const serving, notServing = "\x00\x00\x00\x00\x02\x08\x01", "\x00\x00\x00\x00\x02\x08\x02"
	for _, c := range []struct {
		handle http.HandlerFunc
		want   string
	}{
		{answer("0", "", serving), `ok: SERVING in .*`},
		{answer("0", "", "\x00\x00\x00\x00\x06\x12\x02hi\x08\x01"), `ok: SERVING in .*`}, // a field of the future
		{answer("0", "", notServing), `NOT_SERVING`},
		{answer("0", "", "\x00\x00\x00\x00\x00"), `UNKNOWN`},
		{answer("0", "", ""), `not a HealthCheckResponse`},
		{answer("0", "", "\x01\x00\x00\x00\x02\x08\x01"), `not a HealthCheckResponse`},
		{answer("5", "unknown%20service", ""), `it does not know the service \(unknown service\)`},
		{answer("12", "", ""), `it has no grpc.health.v1.Health`},
		{answer("14", "x\ny", ""), `grpc-status 14.*`},
		{answer("", "", serving), `the answer has no grpc-status`},
		{func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }, `not gRPC: status 404, content type "text/plain; charset=utf-8"`},
		{func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/grpc")
			for {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}, `the answer has no grpc-status|not a HealthCheckResponse`},
		{func(w http.ResponseWriter, r *http.Request) {
			for range 10000 {
				w.Header().Add("A", strings.Repeat("x", 100))
			}
		}, `no answer by gRPC: .*`},
		{func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, `connected, but no answer by gRPC within 100ms`},
		{func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, `no answer by gRPC: .*`},
	} {
		timeout := 10 * time.Second
		if c.want[len(c.want)-5:] == "100ms" {
			timeout = 100 * time.Millisecond
		}
		detail, err := ask(t, Target{Type: TypeGRPC, Addr: grpcServer(t, c.handle), Timeout: timeout, Interval: timeout})
		wantText(t, detail, err, c.want)
	}
}

// TestGRPCProbeOfAnotherProtocol: what is said of a server that speaks before it is asked does not depend on which is seen first.
func TestGRPCProbeOfAnotherProtocol(t *testing.T) {
	at := listen(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	})
	for range 300 {
		detail, err := ask(t, Target{Type: TypeGRPC, Addr: at, Timeout: 10 * time.Second, Interval: 10 * time.Second})
		wantText(t, detail, err, `not an HTTP/2 answer: it began with "SSH-2.0-O"`)
	}
}

func TestGRPCRequest(t *testing.T) {
	seen := make(chan string, 1)
	at := grpcServer(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		seen <- r.Method + " " + r.URL.Path + " " + r.Header.Get("Content-Type") + " " + r.Header.Get("Te") + " " + r.Header.Get("Grpc-Timeout") + " " + string(b)
	})
	_, _ = ask(t, Target{Type: TypeGRPC, Addr: at, Timeout: 2 * time.Second, Protocols: Protocols{GRPC: GRPCQuery{Service: "a.B"}}})
	if got, want := <-seen, "POST /grpc.health.v1.Health/Check application/grpc trailers 2000m \x00\x00\x00\x00\x05\x0a\x03a.B"; got != want {
		t.Errorf("the server saw %q, want %q", got, want)
	}
}
