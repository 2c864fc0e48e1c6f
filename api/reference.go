package api

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Reference is a page about the API for people: how to reach it, its operations and its errors, in Markdown. The rest is in
// the OpenAPI description.
func (s *Server) Reference() []byte {
	var b strings.Builder
	b.WriteString("# API\n\nMade from the program by `go generate ./cmd/quorate`; do not edit. [openapi.json](openapi.json) describes every request " +
		"and answer; an agent serves it at `/openapi.json` and `/openapi.yaml`.\n\n")
	b.WriteString(s.openapi.Info.Description + "\n\n")
	b.WriteString("An agent listens on its unix socket, and over TCP on a loopback address when it is started with `--http`:\n\n```sh\n" +
		"curl --unix-socket " + DefaultSocket + " http://agent/v1/status\n" +
		"curl -N --unix-socket " + DefaultSocket + " 'http://agent/v1/events/stream?after=now'\n```\n")
	for _, tag := range s.openapi.Tags {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\n| | | |\n|---|---|---|\n", tag.Name, tag.Description)
		for _, path := range slices.Sorted(maps.Keys(s.openapi.Paths)) {
			item := s.openapi.Paths[path]
			for _, op := range []*huma.Operation{item.Get, item.Post, item.Put} {
				if op == nil || !slices.Contains(op.Tags, tag.Name) {
					continue
				}
				text := op.Summary + "."
				if op.Description != "" {
					text += " " + op.Description
				}
				fmt.Fprintf(&b, "| %s | `%s` | %s |\n", op.Method, path, text)
			}
		}
	}
	b.WriteString("\n## Besides\n\n| | | |\n|---|---|---|\n| GET | `/healthz` | 200 while the agent runs, in a cluster or not. |\n" +
		"| GET | `/metrics` | For Prometheus. |\n")
	b.WriteString("\n## Errors\n\nErrors are problem documents (RFC 9457, `application/problem+json`). Their `type` is stable, their `detail` is for people.\n\n" +
		"| type | status | title | |\n|---|---|---|---|\n")
	for _, k := range kinds {
		fmt.Fprintf(&b, "| `%s%s` | %d | %s | %s |\n", typePrefix, k.code, k.status, k.title, k.meaning)
	}
	return []byte(b.String())
}
