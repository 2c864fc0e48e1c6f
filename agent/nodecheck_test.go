package agent

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"quorate/fsm"
	"quorate/health"
)

// ledgerModel is a model of the cluster: it applies what is proposed, unless it is down.
type ledgerModel struct {
	mu      sync.Mutex
	state   *fsm.State
	changed chan struct{}
	down    error
	said    int // proposals that came
}

func newLog(t *testing.T) *ledgerModel {
	l := &ledgerModel{state: fsm.New(), changed: make(chan struct{})}
	for _, c := range []fsm.Command{
		{Schema: fsm.MaxSchema, Init: &fsm.Init{ClusterID: "c", Node: fsm.Node{ID: "n1", Store: "s1", Weight: 1, Facts: fsm.Facts{Schema: fsm.MaxSchema}}}},
		{Schema: fsm.MaxSchema, Configure: &fsm.Configure{Force: true, Config: haproxyConfig()}},
	} {
		if _, err := l.propose(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func haproxyConfig() fsm.Config {
	process, web := fsm.NewCheck(fsm.CheckProcess), fsm.NewCheck(fsm.CheckTCP)
	process.Process.Process, process.Process.Least = "haproxy", 1
	for _, c := range []*fsm.Check{&process, &web} {
		c.Interval, c.Timeout, c.Rise, c.Fall = time.Second, time.Second, 1, 1
	}
	web.Port = 80
	return fsm.Config{Settings: fsm.DefaultSettings(), NodeChecks: map[string]fsm.NodeCheck{"haproxy": {Name: "haproxy", Required: true, Checks: []fsm.Check{process, web}}}}
}

func (l *ledgerModel) State() *fsm.State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

func (l *ledgerModel) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

func (l *ledgerModel) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = err
}

func (l *ledgerModel) propose(_ context.Context, c fsm.Command) (fsm.Result, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said++
	if l.down != nil {
		return fsm.Result{}, l.down
	}
	c.Schema = fsm.MaxSchema
	next, r := l.state.Apply(l.state.Index+1, c)
	l.state = next
	close(l.changed)
	l.changed = make(chan struct{})
	return r, r.Err
}

func (l *ledgerModel) verdict() fsm.CheckState { return l.State().Nodes["n1"].Found("haproxy") }

// TestNodeChecksAreAgreed: all probes have to pass, only edges are proposed, and what could not be is proposed again.
func TestNodeChecksAreAgreed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog(t)
		n := newNodeChecks("n1", l, l.propose, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- n.run(ctx) }()
		targets := n.targets(l.State())
		if len(targets) != 2 || targets[0].Machine.Process.Name != "haproxy" || targets[1].Addr != netip.MustParseAddrPort("127.0.0.1:80") {
			t.Fatalf("targets %+v", targets)
		}
		tell := func(i int, up bool) {
			n.transition(health.Transition{ID: targets[i].ID, Up: up, Detail: "as it is"})
			synctest.Wait()
		}
		expect := func(want fsm.Verdict) {
			t.Helper()
			if got := l.verdict().Verdict; got != want {
				t.Errorf("agreed %s, want %s", got, want)
			}
		}
		tell(0, true)
		expect(fsm.Unknown) // the other one has not said anything
		tell(1, true)
		expect(fsm.Up)
		before := l.said
		tell(1, true)
		n.transition(health.Transition{ID: "tcp 10.0.0.1:80", Up: false}) // a server's
		synctest.Wait()
		if l.said != before {
			t.Errorf("%d proposals for nothing", l.said-before)
		}
		l.fail(errors.New("no leader"))
		tell(0, false)
		time.Sleep(time.Second)
		expect(fsm.Up)
		l.fail(nil)
		time.Sleep(proposeRetry)
		synctest.Wait()
		if got := l.verdict(); got.Verdict != fsm.Down || got.Detail != "as it is" {
			t.Errorf("agreed %+v", got)
		}
		cancel()
		<-done
	})
}

// TestNodeCheckMetrics: what is agreed, and every probe, is counted under the name of its check, for as long as there is one.
func TestNodeCheckMetrics(t *testing.T) {
	l := newLog(t)
	n := newNodeChecks("n1", l, l.propose, slog.New(slog.DiscardHandler))
	targets := n.targets(l.State())
	gathered := func() string {
		t.Helper()
		r := prometheus.NewRegistry()
		r.MustRegister(collected(func(c chan<- prometheus.Metric) { n.collect(c, l.State()) }))
		page := httptest.NewRecorder()
		promhttp.HandlerFor(r, promhttp.HandlerOpts{}).ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
		if page.Code != 200 {
			t.Fatal(page.Body)
		}
		return page.Body.String()
	}
	for _, p := range []health.Probed{
		{ID: targets[0].ID, Type: health.TypeProcess, Took: time.Second}, {ID: targets[0].ID, Type: health.TypeProcess, Took: time.Second},
		{ID: targets[0].ID, Type: health.TypeProcess, Result: health.Failed, Took: time.Minute},
		{ID: targets[1].ID, Type: health.TypeTCP, Result: health.NotAsked},
		{ID: "tcp 10.0.0.1:80", Type: health.TypeTCP}, // a server's
	} {
		n.count(p)
	}
	if _, err := l.propose(t.Context(), fsm.Command{SetNodeHealth: &fsm.SetNodeHealth{Node: "n1", Store: "s1", Found: map[string]fsm.Finding{"haproxy": {Verdict: fsm.Down}}}}); err != nil {
		t.Fatal(err)
	}
	got := gathered()
	for _, want := range []string{
		`quorate_node_check{check="haproxy",verdict="down"} 1`,
		`quorate_node_check{check="haproxy",verdict="up"} 0`,
		`quorate_node_check{check="haproxy",verdict="unknown"} 0`,
		`quorate_node_check_probes_total{check="haproxy",result="passed",type="process"} 2`,
		`quorate_node_check_probes_total{check="haproxy",result="failed",type="process"} 1`,
		`quorate_node_check_probes_total{check="haproxy",result="not-asked",type="tcp"} 1`,
		`quorate_node_check_probes_total{check="haproxy",result="passed",type="tcp"} 0`,
		`quorate_node_check_probe_seconds_sum{check="haproxy",type="process"} 2`,
		`quorate_node_check_probe_seconds_count{check="haproxy",type="process"} 2`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	c := haproxyConfig()
	check := c.NodeChecks["haproxy"]
	check.Checks = check.Checks[:1]
	c.NodeChecks["haproxy"] = check
	if _, err := l.propose(t.Context(), fsm.Command{Configure: &fsm.Configure{Force: true, Config: c}}); err != nil {
		t.Fatal(err)
	}
	n.targets(l.State())
	if got := gathered(); strings.Contains(got, "tcp") || !strings.Contains(got, `result="passed",type="process"} 2`) {
		t.Errorf("without its check by TCP:\n%s", got)
	}
}

// collected is a collector that checks nothing before.
type collected func(chan<- prometheus.Metric)

func (collected) Describe(chan<- *prometheus.Desc)     {}
func (f collected) Collect(c chan<- prometheus.Metric) { f(c) }

// TestNodeChecksOfAnEarlierProcess: what it found is taken back before the node acts, and if that cannot be, it is not waited for without end.
func TestNodeChecksOfAnEarlierProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog(t)
		if _, err := l.propose(t.Context(), fsm.Command{SetNodeHealth: &fsm.SetNodeHealth{Node: "n1", Store: "s1", Found: map[string]fsm.Finding{"haproxy": {Verdict: fsm.Up}}}}); err != nil {
			t.Fatal(err)
		}
		n := newNodeChecks("n1", l, l.propose, slog.New(slog.DiscardHandler))
		n.targets(l.State())
		l.fail(errors.New("no leader"))
		began := time.Now()
		n.forget(t.Context())
		if d := time.Since(began); d != earlierLimit {
			t.Errorf("without a leader it waited for %v", d)
		}
		l.fail(nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- n.run(ctx) }()
		n.forget(t.Context())
		if got := l.verdict().Verdict; got != fsm.Unknown {
			t.Errorf("agreed %s before anything was probed", got)
		}
		cancel()
		<-done
	})
}
