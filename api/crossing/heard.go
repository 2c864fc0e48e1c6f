package crossing

import (
	"fmt"
	"slices"
	"strings"

	"quorate/fsm"
)

const (
	// mostNodes are named of those that hear the same.
	mostNodes = 5
	// mostParts are said of what one step waits for.
	mostParts = 8
)

// heard is what several nodes hear, each once with all of them, in the order in which it came.
type heard struct {
	texts []string
	by    map[string][]string
}

func (h *heard) add(text string, by fsm.NodeID) {
	if h.by == nil {
		h.by = map[string][]string{}
	}
	if _, is := h.by[text]; !is {
		h.texts = append(h.texts, text)
	}
	if !slices.Contains(h.by[text], string(by)) {
		h.by[text] = append(h.by[text], string(by))
	}
}

// list says each with who hears it.
func (h *heard) list() (out []string) {
	for _, t := range h.texts {
		out = append(out, t+", as "+hear(h.by[t]))
	}
	return out
}

// hear is "n1 hears", or "n1, n2 and 7 more hear".
func hear(nodes []string) string {
	if len(nodes) == 1 {
		return nodes[0] + " hears"
	}
	return few(nodes, ", ", mostNodes) + " hear"
}

// few are the first of a list.
func few(all []string, sep string, most int) string {
	if n := len(all) - most; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:most], sep), n)
	}
	return strings.Join(all, sep)
}

// fewDo is "n1 does", or "n1, n2 and 7 more do".
func fewDo(nodes []string) string {
	if len(nodes) == 1 {
		return nodes[0] + " does"
	}
	return few(nodes, ", ", mostNodes) + " do"
}
