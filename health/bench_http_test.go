package health

import (
	"context"
	"net/http"
	"testing"
)

// BenchmarkHTTP measures what a probe of a web server on loopback costs, with what the server takes, which is in the same process.
func BenchmarkHTTP(b *testing.B) {
	for _, version := range versions {
		b.Run(version, func(b *testing.B) {
			target := webServer(b, version, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {})).withDefaults()
			p := probers(dialTarget, nil)[target.Type]
			b.ReportAllocs()
			for b.Loop() {
				ctx, cancel := context.WithTimeout(b.Context(), target.Timeout)
				if _, err := p.Probe(ctx, target); err != nil {
					b.Fatal(err)
				}
				cancel()
			}
		})
	}
}
