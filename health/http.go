package health

import (
	"fmt"
	"slices"
	"strings"
)

// HTTP is the part of a Target that only HTTP and HTTPS have.
type HTTP struct {
	Version   string   `json:"version,omitempty"`   // "2", or "" for 1.1
	Headers   []string `json:"headers,omitempty"`   // "Name: value", of every request
	Redirects int      `json:"redirects,omitempty"` // that are followed at most, on this address and port alone
	URLs      []URL    `json:"urls,omitempty"`      // asked one after another, each on a connection of its own; one with the defaults
}

// URL is one request, and what its answer has to be.
type URL struct {
	Path   string        `json:"path"`             // with its query, if any; "/"
	Host   string        `json:"host,omitempty"`   // Host header; the address and port
	Method string        `json:"method,omitempty"` // GET
	Status []StatusRange `json:"status,omitempty"` // any of them will do; 200–299
	Body   Body          `json:"body,omitzero"`
}

// Body is what the body of an answer has to be; "" = anything.
type Body struct {
	Contains string `json:"contains,omitempty"`
	Regex    string `json:"regex,omitempty"`     // matches somewhere
	NotRegex string `json:"not_regex,omitempty"` // matches nowhere
	MD5      string `json:"md5,omitempty"`       // of the whole, in hex
	SHA256   string `json:"sha256,omitempty"`    // likewise
}

// IsZero reports whether nothing is set.
func (h HTTP) IsZero() bool {
	return h.Version == "" && len(h.Headers) == 0 && h.Redirects == 0 && len(h.URLs) == 0
}

// StatusRange is an inclusive range of HTTP status codes.
type StatusRange struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// String is "200-299", or "204" for a range of one.
func (r StatusRange) String() string {
	if r.From == r.To {
		return fmt.Sprint(r.From)
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}

// withDefaults fills in the zero fields of a copy.
func (h HTTP) withDefaults() HTTP {
	h.Headers = slices.Clone(h.Headers)
	h.URLs = slices.Clone(h.URLs)
	if len(h.URLs) == 0 {
		h.URLs = []URL{{}}
	}
	for i := range h.URLs {
		u := &h.URLs[i]
		if u.Path == "" {
			u.Path = "/"
		}
		if u.Method == "" {
			u.Method = "GET"
		}
		if u.Status = slices.Clone(u.Status); len(u.Status) == 0 {
			u.Status = []StatusRange{{200, 299}}
		}
	}
	return h
}

func (h HTTP) equal(o HTTP) bool {
	return h.Version == o.Version && h.Redirects == o.Redirects && slices.Equal(h.Headers, o.Headers) && slices.EqualFunc(h.URLs, o.URLs, URL.equal)
}

func (u URL) equal(o URL) bool {
	return u.Path == o.Path && u.Host == o.Host && u.Method == o.Method && u.Body == o.Body && slices.Equal(u.Status, o.Status)
}

// accepts reports whether the status is in one of the ranges.
func (u URL) accepts(status int) bool {
	return slices.ContainsFunc(u.Status, func(r StatusRange) bool { return r.From <= status && status <= r.To })
}

// wanted lists the ranges for a message: "200-299, 304".
func (u URL) wanted() string {
	s := make([]string, len(u.Status))
	for i, r := range u.Status {
		s[i] = r.String()
	}
	return strings.Join(s, ", ")
}
