package fsm

import (
	"fmt"
	"strconv"
	"strings"
)

// HTTPCheck is the part of a Check that only HTTP has.
type HTTPCheck struct {
	Path   string        `json:"path"`
	Host   string        `json:"host,omitempty"`
	Status []StatusRange `json:"status"`
}

// StatusRange is an inclusive range of HTTP status codes.
type StatusRange struct {
	From int `json:"from"`
	To   int `json:"to"`
}

func (h *HTTPCheck) validate(ps *Problems, object string) {
	if !strings.HasPrefix(h.Path, "/") || !plainText(h.Path) || strings.Contains(h.Path, " ") || len(h.Path) > 2048 {
		ps.add(object, "path", h.Path, "this is no path of a URL", `begin it with "/" and escape blanks as %20`)
	}
	if !plainText(h.Host) || strings.ContainsAny(h.Host, "/ ") || len(h.Host) > 255 {
		ps.add(object, "host", h.Host, "this is no host name", `write it like "www.example.org"`)
	}
	if len(h.Status) == 0 {
		ps.add(object, "status", "", "it is empty", `add status = ["200-299"]`)
	}
	for _, r := range h.Status {
		if r.From < 100 || r.To > 599 || r.From > r.To {
			ps.add(object, "status", fmt.Sprintf("%d-%d", r.From, r.To), "this is no range of HTTP status codes", `use codes of 100 to 599, like "200-299"`)
		}
	}
}

func (h *HTTPCheck) fields(f fields) {
	f.set("path", h.Path)
	f.set("host", h.Host)
	var ranges []string
	for _, r := range h.Status {
		ranges = append(ranges, strconv.Itoa(r.From)+"-"+strconv.Itoa(r.To))
	}
	f.set("status", strings.Join(ranges, ", "))
}
