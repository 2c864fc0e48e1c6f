package lab

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// Metric reads one metric from the agent's /metrics, e.g. "go_goroutines", or "quorate_fence{kind=\"bpf\"}".
func (d *Director) Metric(ctx context.Context, name string) (float64, error) {
	value, err := d.metric(ctx, name)
	if err != nil {
		return 0, fmt.Errorf("director %s: metric %s: %w", d.Name, name, err)
	}
	return value, nil
}

func (d *Director) metric(ctx context.Context, name string) (float64, error) {
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", d.Socket)
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://agent/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if v, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(v, 64)
		}
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	return 0, fmt.Errorf("it is not among the metrics (%s)", resp.Status)
}
