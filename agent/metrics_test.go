package agent

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestMetricsReference: the reference names every metric of ours, and no other.
func TestMetricsReference(t *testing.T) {
	page, err := os.ReadFile("../docs/reference/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	descs := make(chan *prometheus.Desc, 1000)
	newMetrics(&Agent{fence: &fence{}}).registry.Describe(descs)
	close(descs)
	have := map[string]bool{}
	for d := range descs {
		if name := regexp.MustCompile(`fqName: "(quorate_[^"]*)"`).FindStringSubmatch(d.String()); name != nil {
			have[name[1]] = true
			if !strings.Contains(string(page), "| `"+name[1]+"` |") {
				t.Errorf("docs/reference/metrics.md does not have %s", name[1])
			}
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(quorate_[a-z_]*)`").FindAllStringSubmatch(string(page), -1) {
		if !have[m[1]] {
			t.Errorf("there is no metric %s", m[1])
		}
	}
	if len(have) < 15 {
		t.Errorf("only %d metrics were found", len(have))
	}
}
