package api

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"
)

const (
	maxBody       = 64 << 10 // any request but a configuration
	maxConfigBody = 16 << 20 // about 100,000 real servers
	shutdownGrace = 5 * time.Second

	configReadLimit = 30 * time.Second // for the body of a configuration, over a slow tunnel
)

// Options of a Server. All but Metrics and Log are needed.
type Options struct {
	Reader      Reader
	Proposer    Proposer
	Membership  Membership
	Inspector   Inspector
	Reporter    Reporter
	Forcer      Forcer
	Balancer    Balancer
	Notifying   Notifying
	Observatory Observatory
	Lookout     Lookout             // nil: what the nodes see on the wire is not told
	Examiner    Examiner            // nil: files that a configuration names are not looked at
	Metrics     prometheus.Gatherer // nil: /metrics is not served
	Version     string              // of this build
	Log         *slog.Logger        // nil: nothing is logged
}

// Server answers HTTP. It is safe for concurrent use.
type Server struct {
	reader      Reader
	proposer    Proposer
	membership  Membership
	inspector   Inspector
	reporter    Reporter
	forcer      Forcer
	balancer    Balancer
	notifying   Notifying
	observatory Observatory
	examiner    Examiner
	lookout     Lookout
	version     string
	log         *slog.Logger
	handler     http.Handler
	openapi     *huma.OpenAPI

	closeOnce sync.Once
	closing   chan struct{} // closed when Serve begins to stop: ends streams and waits
}

// NewServer builds the handler; it starts nothing.
func NewServer(o Options) *Server {
	s := &Server{
		reader: o.Reader, proposer: o.Proposer, membership: o.Membership, inspector: o.Inspector, reporter: o.Reporter, forcer: o.Forcer, balancer: o.Balancer, notifying: o.Notifying, observatory: o.Observatory, examiner: o.Examiner, lookout: o.Lookout,
		version: o.Version, log: o.Log, closing: make(chan struct{}),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	mux := http.NewServeMux()
	h := humago.New(mux, description())
	for _, register := range []func(huma.API){
		s.registerVersion, s.registerStatus, s.registerNode, s.registerMembership, s.registerConfig, s.registerVIPs,
		s.registerServices, s.registerObservers, s.registerTraffic, s.registerConnections, s.registerIPVSAdm, s.registerDrain, s.registerEvents, s.registerNotifiers, s.registerVRRP, s.registerVirtualRouters, s.registerCrossing,
	} {
		register(h)
	}
	s.openapi = h.OpenAPI()
	if o.Metrics != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{}))
	}
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("/", s.notRouted(mux))
	s.handler = s.guard(mux)
	return s
}

// ServeHTTP implements http.Handler. A request that comes this way and not through Serve counts as one from a stranger.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Serve answers on all listeners until ctx ends, then lets requests under way finish for up to five seconds and closes
// the listeners. Streams and waits end at once. A Server serves once. The error is nil when it stopped because ctx ended.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	srv := &http.Server{
		Handler:           s,
		ConnContext:       withPeer,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		// Above every wait; streams set their own deadline at each write.
		WriteTimeout:   MaxWait + time.Minute,
		MaxHeaderBytes: 64 << 10,
		ErrorLog:       slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	g, gctx := errgroup.WithContext(ctx)
	for _, l := range listeners {
		g.Go(func() error {
			err := srv.Serve(l)
			if errors.Is(err, http.ErrServerClosed) {
				return nil
			}
			return err
		})
	}
	g.Go(func() error {
		<-gctx.Done()
		s.closeOnce.Do(func() { close(s.closing) })
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
		defer cancel()
		if err := srv.Shutdown(grace); err != nil {
			s.log.Warn("api: requests were cut off", "reason", err)
			return srv.Close()
		}
		return nil
	})
	return g.Wait()
}

// guard refuses what a web browser sends on behalf of another site: the TCP listener trusts every process of this
// machine, and a browser is one.
func (s *Server) guard(next http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !peerOf(r.Context()).local {
			if !localHost(r.Host) {
				writeError(w, newError(CodeForbidden, "host %.80q is not an address of this machine: use http://127.0.0.1:PORT", r.Host))
				return
			}
			if err := cross.Check(r); err != nil {
				writeError(w, newError(CodeForbidden, "refused: a web page of another site asked for it (%v)", err))
				return
			}
		}
		if s.log.Enabled(r.Context(), slog.LevelDebug) {
			start := time.Now()
			defer func() {
				s.log.Debug("api request", "method", r.Method, "path", r.URL.Path, "actor", actor(r.Context()), "took", time.Since(start))
			}()
		}
		next.ServeHTTP(w, r)
	})
}

// healthz answers 200 while the agent runs, in a cluster or not: it is for whoever restarts dead processes.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok " + string(s.reporter.Local().Phase) + "\n"))
}

// notRouted answers for paths and methods that nothing is registered for.
func (s *Server) notRouted(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, m := range []string{"GET", "POST", "PUT", "DELETE"} {
			probe := &http.Request{Method: m, URL: r.URL, Host: r.Host}
			if _, pattern := mux.Handler(probe); pattern != "/" && pattern != "" {
				allowed = append(allowed, m)
			}
		}
		if len(allowed) > 0 {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			writeError(w, newError(CodeMethod, "%s %.200s: use %s", r.Method, r.URL.Path, strings.Join(allowed, " or ")))
			return
		}
		writeError(w, notFound("there is nothing at %.200s: the API is described at /openapi.json", r.URL.Path))
	}
}
