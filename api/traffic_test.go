package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"quorate/api"
	"quorate/api/apitest"
	"quorate/fsm"
)

// balancer answers as it is told to; nil: it does not answer before whoever asks gives up.
type balancer struct {
	traffic func(api.TrafficQuery) []api.ServiceTraffic
	err     error
}

func (b balancer) wait(ctx context.Context) error {
	if b.err != nil {
		return b.err
	}
	<-ctx.Done()
	return ctx.Err()
}

func (b balancer) Traffic(ctx context.Context, _ fsm.NodeID, q api.TrafficQuery) ([]api.ServiceTraffic, error) {
	if b.traffic != nil {
		return b.traffic(q), nil
	}
	return nil, b.wait(ctx)
}

func (b balancer) Connections(ctx context.Context, _ fsm.NodeID, _ api.ConnectionQuery) (api.Connections, error) {
	return api.Connections{}, b.wait(ctx)
}

func (b balancer) IPVSAdm(ctx context.Context, _ fsm.NodeID) (api.IPVSAdm, error) {
	return api.IPVSAdm{}, b.wait(ctx)
}

// asking asks an agent of a cluster whose other directors answer like b.
func asking(t *testing.T, b balancer, path string, into any) (status int, took time.Duration) {
	t.Helper()
	o := apitest.NewWorld().Cluster("n1", "n2")[0].Options()
	srv := api.NewServer(o)
	put := httptest.NewRecorder()
	body, err := json.Marshal(api.ApplyRequest{Config: sample()})
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequestWithContext(t.Context(), "PUT", "http://127.0.0.1/v1/config", strings.NewReader(string(body)))
	req.Header.Set("Content-Type", "application/json")
	if srv.ServeHTTP(put, req); put.Code != 200 {
		t.Fatalf("%d %s", put.Code, put.Body)
	}
	o.Balancer = b
	get, began := httptest.NewRecorder(), time.Now()
	api.NewServer(o).ServeHTTP(get, httptest.NewRequestWithContext(t.Context(), "GET", "http://127.0.0.1"+path, nil))
	if err := json.Unmarshal(get.Body.Bytes(), into); err != nil {
		t.Fatalf("%s: %v", get.Body, err)
	}
	return get.Code, time.Since(began)
}

// TestADirectorThatHangs: whoever asks about it gets an answer all the same.
func TestADirectorThatHangs(t *testing.T) {
	for _, path := range []string{"/v1/connections?service=http", "/v1/connections?service=http&node=n2", "/v1/ipvsadm?node=n2"} {
		synctest.Test(t, func(t *testing.T) {
			var e api.Error
			if status, took := asking(t, balancer{}, path, &e); e.Code() != api.CodeUnreachable || took > time.Minute || !strings.Contains(e.Detail, "has not answered within 30s") {
				t.Errorf("%s: %d %+v after %v", path, status, e, took)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		var tr api.Traffic
		if status, took := asking(t, balancer{}, "/v1/traffic", &tr); status != 200 || took > 5*time.Second || len(tr.Services) != 1 || !strings.Contains(tr.Services[0].Problem, "within 3s") {
			t.Errorf("%d %+v after %v", status, tr, took)
		}
	})
}

// TestTrafficIsComplete: a service that its director does not know yet is not left out.
func TestTrafficIsComplete(t *testing.T) {
	var tr api.Traffic
	b := balancer{traffic: func(api.TrafficQuery) []api.ServiceTraffic { return nil }}
	if asking(t, b, "/v1/traffic", &tr); len(tr.Services) != 1 || tr.Services[0].Service != "http" || !strings.Contains(tr.Services[0].Problem, "does not know it yet") {
		t.Errorf("%+v", tr)
	}
}

// TestDirectorsErrors: the name of the director stands before what it says, once.
func TestDirectorsErrors(t *testing.T) {
	for _, said := range []string{"it has no data plane", "n2: it has no data plane"} {
		var e api.Error
		b := balancer{err: errors.Join(errors.New(said), api.ErrNotPossible)}
		asking(t, b, "/v1/connections?service=http&node=n2", &e)
		if e.Code() != api.CodeNotPossible || !strings.HasPrefix(e.Detail, "n2: it has no data plane") {
			t.Errorf("%+v", e)
		}
	}
}
