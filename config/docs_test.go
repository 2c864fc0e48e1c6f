package config

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"quorate/fsm"
)

var (
	inService = regexp.MustCompile(`(?m)^(check|health|server) `) // what stands inside a service
	ofAgent   = regexp.MustCompile(`(?m)^(name|bind) *=`)         // a setting of agent.hcl
	// What an example may leave out, because it is not about it.
	leftOut = regexp.MustCompile(`: (vip|port): it is missing; |: there is no such (vip|service); `)
)

// TestDocExamples parses every example of the pages, and looks whether there is one of each type of check and of each channel.
func TestDocExamples(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	all := ""
	for _, page := range append(pages, "../README.md") {
		if filepath.Base(page) == "design.md" { // it tells of what is to come
			continue
		}
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, piece := range strings.Split(string(b), "```hcl\n")[1:] {
			text, _, _ := strings.Cut(piece, "```")
			all += text
			if err := parseExample(text); err != nil {
				t.Errorf("%s: its example %d: %v\n%s", page, i+1, err, text)
			}
		}
	}
	for _, kind := range fsm.CheckTypes() {
		if !strings.Contains(all, "check \""+kind+"\" {") {
			t.Errorf("there is no example of a check %q", kind)
		}
	}
	for _, b := range notifyBlock.blocks {
		if !strings.Contains(all, b.name+" {") {
			t.Errorf("there is no example of a notifier's block %s", b.name)
		}
	}
}

const example = `vip "web" {
  address = "192.0.2.10/24"
}
service "example" {
  vip     = "web"
  port    = 80
  forward = "dr"
  server "10.0.0.11:80" {}
`

// parseExample parses an example where it belongs.
func parseExample(text string) error {
	var err error
	switch {
	case ofAgent.MatchString(text):
		_, err = ParseAgent("example.hcl", []byte(text))
	case inService.MatchString(text):
		_, err = Parse("example.hcl", []byte(example+text+"\n}\n"))
	default:
		_, err = Parse("example.hcl", []byte(text))
	}
	var bad []error
	for line := range strings.Lines(errorText(err)) {
		if !leftOut.MatchString(line) {
			bad = append(bad, errors.New(strings.TrimSpace(line)))
		}
	}
	return errors.Join(bad...)
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
