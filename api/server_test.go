package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"quorate/api"
	"quorate/api/apitest"
	"quorate/api/client"
	"quorate/fsm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// served is one agent's API on a unix socket and on a TCP port, and a client for each.
type served struct {
	*apitest.Agent
	unix, tcp   *client.Client
	url, socket string
	stop        func()
}

func serve(t *testing.T, a *apitest.Agent) *served {
	t.Helper()
	// Not t.TempDir: unix socket paths end at 107 characters.
	dir, err := os.MkdirTemp("", "q")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	ul, err := api.ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	tl, err := api.ListenTCP("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := a.Options()
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "quorate_test"}, func() float64 { return 7 }))
	o.Metrics = reg
	s := &served{Agent: a, url: "http://" + tl.Addr().String(), socket: path}
	s.unix, s.tcp = dial(t, path), dial(t, s.url)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- api.NewServer(o).Serve(ctx, ul, tl) }()
	s.stop = func() {
		cancel()
		if err, open := <-done; open {
			close(done)
			if err != nil {
				t.Errorf("serve: %v", err)
			}
		}
		s.unix.Close()
		s.tcp.Close()
		http.DefaultClient.CloseIdleConnections()
		_ = os.RemoveAll(dir)
	}
	t.Cleanup(s.stop)
	return s
}

func dial(t *testing.T, at string) *client.Client {
	t.Helper()
	c, err := client.New(at)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// cluster is three agents with a configuration: web and mail in a group, lone by itself.
func cluster(t *testing.T) (*served, []*apitest.Agent) {
	t.Helper()
	agents := apitest.NewWorld().Cluster("n1", "n2", "n3")
	s := serve(t, agents[0])
	if _, err := s.unix.Apply(t.Context(), sample(), 0, false); err != nil {
		t.Fatal(err)
	}
	return s, agents
}

// codeOf is the code of the error that the API answered.
func codeOf(t *testing.T, err error) api.Code {
	t.Helper()
	var e *api.Error
	if !errors.As(err, &e) {
		t.Fatalf("not an answer of the API: %v", err)
	}
	if e.Title == "" || e.Detail == "" || e.Status == 0 {
		t.Errorf("incomplete problem document: %+v", e)
	}
	return e.Code()
}

func wantCode(t *testing.T, err error, want api.Code) *api.Error {
	t.Helper()
	if err == nil {
		t.Fatalf("done, want %s", want)
	}
	if got := codeOf(t, err); got != want {
		t.Fatalf("code %s (%v), want %s", got, err, want)
	}
	var e *api.Error
	_ = errors.As(err, &e)
	return e
}

// raw does a request as any program would, and returns status and body.
func raw(t *testing.T, method, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestMembershipFromTheFirstAgentOn(t *testing.T) {
	w := apitest.NewWorld()
	a, b, c := serve(t, w.Agent("n1")), serve(t, w.Agent("n2")), serve(t, w.Agent("n2"))
	ctx := t.Context()

	st, err := a.unix.Status(ctx)
	if err != nil || st.ClusterID != "" || st.Phase != api.PhaseWaiting || st.Quorum.OK || len(st.Problems) == 0 {
		t.Fatalf("status of a waiting agent: %+v, %v", st, err)
	}
	if n, err := a.unix.Node(ctx); err != nil || n.Phase != api.PhaseWaiting {
		t.Fatalf("node report of a waiting agent: %+v, %v", n, err)
	}
	_, err = a.unix.Members(ctx)
	wantCode(t, err, api.CodeNoCluster)
	_, err = a.unix.Leave(ctx, 0)
	wantCode(t, err, api.CodeNoCluster)
	_, err = a.unix.Plan(ctx, sample())
	wantCode(t, err, api.CodeNoCluster)

	first, err := a.unix.Bootstrap(ctx, fsm.WAN)
	if err != nil || first.Token == "" || !strings.Contains(first.Join, first.Addr) {
		t.Fatalf("bootstrap: %+v, %v", first, err)
	}
	if c, err := a.unix.Config(ctx); err != nil || c.Config.Settings.Profile != fsm.WAN {
		t.Errorf("the new cluster has %+v, %v", c.Config.Settings, err)
	}
	_, err = a.unix.Bootstrap(ctx, "fast")
	wantCode(t, err, api.CodeInvalidRequest)
	_, err = a.unix.Bootstrap(ctx, "")
	wantCode(t, err, api.CodeMember)

	_, err = b.unix.Join(ctx, first.Addr, "wrong")
	wantCode(t, err, api.CodeBadToken)
	_, err = b.unix.Join(ctx, "10.9.9.9:7300", first.Token)
	wantCode(t, err, api.CodeUnreachable)
	j, err := b.unix.Join(ctx, first.Addr, first.Token)
	if err != nil || j.ClusterID != first.ClusterID || j.Node != "n2" {
		t.Fatalf("join: %+v, %v", j, err)
	}
	_, err = c.unix.Join(ctx, first.Addr, first.Token)
	wantCode(t, err, api.CodeNameTaken)

	ms, err := b.unix.Members(ctx)
	if err != nil || len(ms.Members) != 2 || !ms.Members[0].Leader || ms.Node != "n2" {
		t.Fatalf("members: %+v, %v", ms, err)
	}
	if _, err := b.unix.Leave(ctx, 0); err != nil {
		t.Fatal(err)
	}
	if ms, err = a.unix.Members(ctx); err != nil || len(ms.Members) != 1 {
		t.Fatalf("members after a leave: %+v, %v", ms, err)
	}
}

func TestTokenOnlyOverTheUnixSocket(t *testing.T) {
	s, _ := cluster(t)
	tok, err := s.unix.Token(t.Context())
	if err != nil || tok.Token == "" || tok.Addr == "" {
		t.Fatalf("token: %+v, %v", tok, err)
	}
	_, err = s.tcp.Token(t.Context())
	wantCode(t, err, api.CodeForbidden)

	over := serve(t, apitest.NewWorld().Agent("n1"))
	b, err := over.tcp.Bootstrap(t.Context(), "")
	if err != nil || b.Token != "" || b.Join != "" {
		t.Errorf("bootstrap over TCP gave %+v, %v", b, err)
	}
}

func TestOtherSitesAreRefused(t *testing.T) {
	s, _ := cluster(t)
	for name, header := range map[string][]string{
		"another origin":     {"Origin", "http://evil.example"},
		"cross-site":         {"Sec-Fetch-Site", "cross-site"},
		"a name resolved us": {"Host", "evil.example:7302"},
	} {
		resp, body := raw(t, "POST", s.url+"/v1/nodes/n2/drain", "", header...)
		if resp.StatusCode != http.StatusForbidden || !strings.Contains(body, "urn:quorate:error:forbidden") {
			t.Errorf("%s: %s %s", name, resp.Status, body)
		}
	}
	if s.State().Nodes["n2"].Draining {
		t.Error("a web page drained a node")
	}
	resp, body := raw(t, "POST", s.url+"/v1/nodes/n2/drain", "", "Host", "localhost:7302")
	if resp.StatusCode != http.StatusOK {
		t.Errorf("localhost: %s %s", resp.Status, body)
	}
}

func TestMalformedRequests(t *testing.T) {
	s, _ := cluster(t)
	before := s.State().Index
	for _, c := range []struct {
		name, method, path, body, contentType string
		status                                int
		code                                  api.Code
	}{
		{"no such path", "GET", "/v1/nothing", "", "", 404, api.CodeNotFound},
		{"wrong method", "DELETE", "/v1/vips", "", "", 405, api.CodeMethod},
		{"not JSON", "POST", "/v1/plan", "{", "application/json", 400, api.CodeInvalidRequest},
		{"no body", "POST", "/v1/plan", "", "application/json", 400, api.CodeInvalidRequest},
		{"a form", "POST", "/v1/plan", "config=1", "text/plain", 415, api.CodeInvalidRequest},
		{"unknown member", "POST", "/v1/vips/lone/move", `{"to":"n2","now":true}`, "application/json", 422, api.CodeInvalidRequest},
		{"missing member", "POST", "/v1/vips/lone/move", `{}`, "application/json", 422, api.CodeInvalidRequest},
		{"wrong type", "POST", "/v1/vips/lone/move", `{"to":7}`, "application/json", 422, api.CodeInvalidRequest},
		{"port beyond 65535", "POST", "/v1/plan", `{"config":{"settings":{"profile":"lan","data_plane":"auto","observers":3},"services":{"s":{"name":"s","vip":"web","port":70000,"protocol":"tcp","scheduler":"rr","forward":"nat"}}}}`, "application/json", 422, api.CodeInvalidRequest},
		{"no address", "POST", "/v1/plan", `{"config":{"settings":{"profile":"lan","data_plane":"auto","observers":3},"vips":{"x":{"name":"x","address":"here"}}}}`, "application/json", 422, api.CodeInvalidRequest},
		{"too large", "POST", "/v1/vips/lone/move", `{"to":"` + strings.Repeat("n", 70<<10) + `"}`, "application/json", 413, api.CodeTooLarge},
		{"no duration", "POST", "/v1/vips/lone/move?wait=soon", `{"to":"n2"}`, "application/json", 422, api.CodeInvalidRequest},
		{"wait too long", "POST", "/v1/nodes/n2/drain?wait=20h", "", "", 422, api.CodeInvalidRequest},
		{"unknown parameter", "GET", "/v1/events?untl=3", "", "", 422, api.CodeInvalidRequest},
		{"no place", "GET", "/v1/events?after=-1", "", "", 422, api.CodeInvalidRequest},
		{"limit", "GET", "/v1/events?limit=100000", "", "", 422, api.CodeInvalidRequest},
		{"no server address", "POST", "/v1/servers/http/10.0.0.1/admin", `{"admin":"drain"}`, "application/json", 422, api.CodeInvalidRequest},
		{"no such admin state", "POST", "/v1/servers/http/10.0.0.1:80/admin", `{"admin":"off"}`, "application/json", 422, api.CodeInvalidRequest},
		{"no such server", "POST", "/v1/servers/http/10.0.0.9:80/admin", `{"admin":"drain"}`, "application/json", 404, api.CodeNotFound},
		{"no such service", "GET", "/v1/services/htp", "", "", 404, api.CodeNotFound},
		{"servers of no such service", "GET", "/v1/servers?service=htp", "", "", 404, api.CodeNotFound},
		{"no such node", "POST", "/v1/nodes/n9/drain", "", "", 404, api.CodeNotFound},
	} {
		resp, body := raw(t, c.method, s.url+c.path, c.body, "Content-Type", c.contentType)
		var e api.Error
		err := json.Unmarshal([]byte(body), &e)
		if err != nil || resp.StatusCode != c.status || e.Code() != c.code || e.Status != c.status ||
			resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %s %s (%v); want %d %s", c.name, resp.Status, body, err, c.status, c.code)
		}
		if len(body) > 4096 {
			t.Errorf("%s: the answer gives the request back (%d bytes)", c.name, len(body))
		}
	}
	if s.State().Index != before {
		t.Error("a malformed request was committed")
	}
}

func TestWithoutQuorum(t *testing.T) {
	s, agents := cluster(t)
	agents[1].Kill()
	agents[2].Kill()
	st, err := s.unix.Status(t.Context())
	if err != nil || st.Quorum.OK || st.Quorum.Answer != 1 || st.Quorum.Needed != 2 || st.Healthy {
		t.Fatalf("status: %+v, %v", st.Quorum, err)
	}
	if !strings.Contains(st.Problems[0], "no quorum") {
		t.Errorf("the first problem is %q", st.Problems[0])
	}
	if !slices.ContainsFunc(st.VIPs, func(v api.VIP) bool { return v.State == api.VIPUnknown }) {
		t.Errorf("VIPs of silent nodes: %+v", st.VIPs)
	}
	_, err = s.unix.Apply(t.Context(), sample(), st.Version, false)
	wantCode(t, err, api.CodeNoQuorum)
	_, err = s.unix.Plan(t.Context(), sample())
	wantCode(t, err, api.CodeNoQuorum)
	if _, err := s.unix.VIPs(t.Context()); err != nil {
		t.Errorf("what is known locally is not answered: %v", err)
	}
}

func TestFixedPaths(t *testing.T) {
	s, _ := cluster(t)
	for path, want := range map[string]string{
		"/healthz": "ok ready\n", "/metrics": "quorate_test 7", "/openapi.json": `"openapi":"3.1.0"`, "/openapi.yaml": "openapi: 3.1.0", "/v1/version": `"schema":7`,
	} {
		resp, body := raw(t, "GET", s.url+path, "")
		if resp.StatusCode != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %s %.300s", path, resp.Status, body)
		}
	}
}

func TestOpenAPIIsComplete(t *testing.T) {
	b, err := api.NewServer(api.Options{}).OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string   `json:"operationId"`
			Summary     string   `json:"summary"`
			Tags        []string `json:"tags"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	n := 0
	for path, ops := range doc.Paths {
		for method, op := range ops {
			n++
			if op.OperationID == "" || op.Summary == "" || len(op.Tags) != 1 {
				t.Errorf("%s %s: %+v", method, path, op)
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d operations are described", n)
	}
	again, err := api.NewServer(api.Options{}).OpenAPI()
	if err != nil || string(again) != string(b) {
		t.Error("the description is not the same each time")
	}
}

// TestStopEndsStreamsAndWaits: a stop must not hang on a reader that follows or waits.
func TestStopEndsStreamsAndWaits(t *testing.T) {
	s, agents := cluster(t)
	events, err := s.unix.Follow(t.Context(), "now")
	if err != nil {
		t.Fatal(err)
	}
	to := other(s.State(), "lone")
	for _, a := range agents {
		a.Freeze()
	}
	moved := make(chan error, 1)
	go func() {
		_, err := s.unix.MoveVIP(t.Context(), "lone", to, api.MaxWait)
		moved <- err
	}()
	if _, err := events.Next(); err != nil { // the release: the move waits
		t.Fatal(err)
	}
	s.stop()
	if err := <-moved; err != nil {
		t.Errorf("a waiting move got no answer: %v", err)
	}
	if _, err := events.Next(); err == nil {
		t.Error("the stream goes on after the stop")
	}
	_ = events.Close()
}

func TestClientWithoutAgent(t *testing.T) {
	dir := t.TempDir()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = free.Close()
	for _, at := range []string{filepath.Join(dir, "none.sock"), "http://" + free.Addr().String()} {
		c := dial(t, at)
		_, err := c.Status(t.Context())
		var none *client.NoAgentError
		if !errors.As(err, &none) || !strings.Contains(err.Error(), "no agent answers at "+at) || !strings.Contains(err.Error(), "QUORATE_SOCKET") {
			t.Errorf("%s: %v", at, err)
		}
	}
	for _, at := range []string{"", "unix:", "https://127.0.0.1:1", "http://", "http://h/path"} {
		if _, err := client.New(at); err == nil {
			t.Errorf("%q was taken as an address", at)
		}
	}
	notOurs, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.NotFoundHandler()}
	go func() { _ = srv.Serve(notOurs) }()
	defer func() { _ = srv.Close() }()
	c := dial(t, "http://"+notOurs.Addr().String())
	defer c.Close()
	if _, err := c.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "no quorate agent") {
		t.Errorf("another server: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Status(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a canceled call: %v", err)
	}
}

// other is a node that does not own the VIP.
func other(st *fsm.State, vip string) fsm.NodeID {
	owner := st.Assignments[st.Config.VIPs[vip].Key()].Owner
	for _, n := range []fsm.NodeID{"n2", "n3", "n1"} {
		if n != owner {
			return n
		}
	}
	return ""
}
