package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// WebServer is a real server: it answers / with its name and /healthz with 200 while it is well, 503 otherwise. UDP datagrams to
// the same port it sends back.
type WebServer struct {
	*Process
	Port uint16 // where it listens, on all addresses of its host
}

// webSettings is what a web server is started with.
type webSettings struct {
	Name  string        `json:"name"`
	Port  uint16        `json:"port"`
	Grace time.Duration `json:"grace"`
}

// shutdownGrace is how long a web server that is asked to end goes on serving while /healthz says 503: the usual way to
// leave a balancer's pool without a failed request.
const shutdownGrace = 3 * time.Second

// ServeWeb starts a web server on the host, on all its addresses, and returns when it listens.
func (h *Host) ServeWeb(ctx context.Context, name string, port uint16) (*WebServer, error) {
	p, err := h.startRole(ctx, "serve", webSettings{Name: name, Port: port, Grace: shutdownGrace}, Program{Name: name})
	if err != nil {
		return nil, err
	}
	return &WebServer{p, port}, nil
}

// Sicken makes /healthz say 503; everything else goes on.
func (w *WebServer) Sicken() error { return w.Signal(syscall.SIGUSR1) }

// Cure makes /healthz say 200 again.
func (w *WebServer) Cure() error { return w.Signal(syscall.SIGUSR2) }

// Shutdown asks the server to end, as an init system would: it turns sick, serves on for 3 s, then ends. Shutdown does
// not wait for that; see Done.
func (w *WebServer) Shutdown() error { return w.Signal(syscall.SIGTERM) }

// serveRole is the web server's process.
func serveRole(ctx context.Context, args []string) error {
	var s webSettings
	if err := roleSettings(args, &s); err != nil {
		return err
	}
	var sick atomic.Bool
	health := make(chan os.Signal, 8)
	signal.Notify(health, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		for sig := range health {
			sick.Store(sig == syscall.SIGUSR1)
		}
	}()

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s.Name) })
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if sick.Load() {
			http.Error(w, "sick", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "well")
	})
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", s.Port))
	if err != nil {
		return err
	}
	echo, err := net.ListenPacket("udp", listener.Addr().String())
	if err != nil {
		return err
	}
	go sendBack(echo)
	fmt.Println(readyLine)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 30 * time.Second} // on a busy machine what a client has sent is read late
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	sick.Store(true)
	time.Sleep(s.Grace)
	err = server.Close()
	if e := <-ended; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// sendBack returns datagrams to who sent them, until the process ends.
func sendBack(c net.PacketConn) {
	buf := make([]byte, 1500)
	for {
		n, from, err := c.ReadFrom(buf)
		if err == nil {
			_, _ = c.WriteTo(buf[:n], from)
		}
	}
}
