package fsm

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of an HTTP check.
const (
	MaxURLs      = 16
	MaxHeaders   = 32
	MaxRedirects = 10
	maxPattern   = 1024 // bytes of what is looked for in a body
)

// HTTPCheck is the part of a Check that only HTTP and HTTPS have.
type HTTPCheck struct {
	// HTTPRequest is what is asked for. Beside URLs it only has the Host, for those that have none.
	HTTPRequest

	// What follows is since schema 6.

	Version   string        `json:"version,omitempty"`   // "2", or "" for 1.1
	Headers   []string      `json:"headers,omitempty"`   // "Name: value"
	Redirects int           `json:"redirects,omitempty"` // that are followed at most, on the server itself
	URLs      []HTTPRequest `json:"urls,omitempty"`      // asked one after another
}

// HTTPRequest is one URL, and what its answer has to be.
type HTTPRequest struct {
	Path   string        `json:"path,omitempty"`
	Host   string        `json:"host,omitempty"`
	Status []StatusRange `json:"status,omitempty"`

	// What follows is since schema 6.

	Method   string `json:"method,omitempty"` // "" = GET
	Contains string `json:"contains,omitempty"`
	Regex    string `json:"regex,omitempty"` // RE2, as the next
	NotRegex string `json:"not_regex,omitempty"`
	MD5      string `json:"md5,omitempty"` // of the body, in hex
	SHA256   string `json:"sha256,omitempty"`
}

// StatusRange is an inclusive range of HTTP status codes.
type StatusRange struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// Requests are the URLs that are asked.
func (h HTTPCheck) Requests() []HTTPRequest {
	if len(h.URLs) == 0 {
		return []HTTPRequest{h.HTTPRequest}
	}
	out := slices.Clone(h.URLs)
	for i := range out {
		out[i].Host = cmp.Or(out[i].Host, h.Host)
	}
	return out
}

// needs implements the question of Check.needs: what came with schema 6 is not said before.
func (h *HTTPCheck) needs() Schema {
	if h.Method != "" || len(h.body()) > 0 || h.Version != "" || len(h.Headers) > 0 || h.Redirects != 0 || len(h.URLs) > 0 {
		return schemaHealth
	}
	return schemaFirst
}

func (h *HTTPCheck) validate(ps *Problems, object string) {
	if h.Version != "" && h.Version != "2" {
		ps.add(object, "version", h.Version, "this is no version of HTTP that a check speaks", "use 1.1 or 2")
	}
	inRange(ps, object, "redirects", h.Redirects, 0, MaxRedirects)
	if len(h.Headers) > MaxHeaders {
		ps.add(object, "headers", "", fmt.Sprintf("%d are too many", len(h.Headers)), fmt.Sprintf("use at most %d", MaxHeaders))
	}
	for _, line := range h.Headers {
		if what, cure := headerFault(line); what != "" {
			ps.add(object, "headers", line, what, cure)
		}
	}
	switch {
	case len(h.URLs) == 0:
		h.HTTPRequest.validate(ps, object)
		return
	case len(h.URLs) > MaxURLs:
		ps.add(object, "", "", fmt.Sprintf("%d URLs are too many", len(h.URLs)), fmt.Sprintf("use at most %d, or another check", MaxURLs))
	}
	validateHost(ps, object, h.Host)
	beside := h.HTTPRequest
	beside.Host = ""
	for _, key := range beside.said() {
		ps.add(object, key, "", "the check has url blocks, each with its own", "put it into them")
	}
	for i, u := range h.URLs {
		u.validate(ps, object+".url."+strconv.Itoa(i))
	}
}

func (r HTTPRequest) validate(ps *Problems, object string) {
	if !strings.HasPrefix(r.Path, "/") || !plainText(r.Path) || strings.Contains(r.Path, " ") || len(r.Path) > 2048 {
		ps.add(object, "path", r.Path, "this is no path of a URL", `begin it with "/" and escape blanks as %20`)
	}
	validateHost(ps, object, r.Host)
	if len(r.Status) == 0 {
		ps.add(object, "status", "", "it is empty", `add status = ["200-299"]`)
	}
	for _, s := range r.Status {
		if s.From < 100 || s.To > 599 || s.From > s.To {
			ps.add(object, "status", fmt.Sprintf("%d-%d", s.From, s.To), "this is no range of HTTP status codes", `use codes of 100 to 599, like "200-299"`)
		}
	}
	if r.Method != "" && (len(r.Method) > 20 || strings.Trim(r.Method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" || r.Method == "CONNECT" || r.Method == "GET") {
		ps.add(object, "method", r.Method, "this is no method that a check may use", `use GET, HEAD, OPTIONS or another in capitals; GET is what it is when it is left out`)
	}
	for _, x := range []struct{ key, text string }{{"contains", r.Contains}, {"regex", r.Regex}, {"not_regex", r.NotRegex}} {
		switch {
		case len(x.text) > maxPattern:
			ps.add(object, x.key, x.text[:40]+"…", fmt.Sprintf("it has %d bytes", len(x.text)), fmt.Sprintf("use at most %d", maxPattern))
		case !utf8.ValidString(x.text):
			ps.add(object, x.key, x.text, "it is not UTF-8", "compare a digest instead")
		}
	}
	validateDigest(ps, object, "md5", r.MD5, 16)
	validateDigest(ps, object, "sha256", r.SHA256, 32)
	if body := r.body(); r.Method == "HEAD" && len(body) > 0 {
		ps.add(object, body[0], "", "the answer to HEAD has no body", "use GET, or leave it out")
	}
}

// body are the keys that say something of the body.
func (r HTTPRequest) body() []string {
	return slices.DeleteFunc(r.said(), func(key string) bool { return slices.Contains([]string{"path", "host", "status", "method"}, key) })
}

// said are the keys that are not left out.
func (r HTTPRequest) said() (keys []string) {
	f := fields{}
	r.fields(f)
	return slices.Sorted(maps.Keys(f))
}

func validateHost(ps *Problems, object, host string) {
	if !hostName(host) {
		ps.add(object, "host", host, "this is no host name", `write it like "www.example.org"`)
	}
}

func hostName(s string) bool { return plainText(s) && !strings.ContainsAny(s, "/ ") && len(s) <= 255 }

func validateDigest(ps *Problems, object, key, text string, size int) {
	switch b, err := hex.DecodeString(text); {
	case text == "":
	case err != nil:
		ps.add(object, key, text, "a digest has the characters 0 to 9 and a to f", "quorate genhash URL shows it")
	case len(b) != size:
		ps.add(object, key, text, fmt.Sprintf("it has %d characters, and this kind of digest %d", len(text), 2*size), "quorate genhash URL shows it")
	}
}

// headerFault says what is wrong with a header as it is written; "" = nothing.
func headerFault(line string) (what, cure string) {
	const like = `write it like "X-Probe: yes"`
	name, value, ok := strings.Cut(line, ":")
	switch {
	case !ok:
		return "the header has no colon", like
	case name == "" || strings.ContainsFunc(name, func(r rune) bool { return !tokenByte(r) }):
		return "this is no name of a header", like
	case !plainText(value):
		return "the header has characters that are not printable ASCII", "use printable ASCII, without line breaks"
	case len(line) > maxPattern:
		return fmt.Sprintf("this header has %d bytes", len(line)), fmt.Sprintf("use at most %d", maxPattern)
	}
	switch strings.ToLower(name) {
	case "host":
		return "the host has a key of its own", fmt.Sprintf("write host = %q", strings.TrimSpace(value))
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "content-length", "te", "trailer", "upgrade":
		return "this header is about the connection, which belongs to the check", "leave it out"
	}
	return "", ""
}

// tokenByte reports whether names of headers may have the character (RFC 9110, section 5.6.2).
func tokenByte(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

// unaskable says what a probe could not ask: regular expressions that do not compile, paths and hosts that do not fit into a request. It is no part of validate: that is
// for the version of Go that a replica was built with to say, and all replicas have to agree on what they take.
func (h *HTTPCheck) unaskable(ps *Problems, object string) {
	h.HTTPRequest.unaskable(ps, object)
	for i, u := range h.URLs {
		u.unaskable(ps, object+".url."+strconv.Itoa(i))
	}
}

func (r HTTPRequest) unaskable(ps *Problems, object string) {
	path, _, _ := strings.Cut(r.Path, "?")
	switch escape := badEscape(path); {
	case escape != "":
		ps.add(object, "path", r.Path, fmt.Sprintf("%q stands for no byte", escape), "write two hexadecimal digits behind %, or %25 for the sign itself")
	case strings.Contains(r.Path, "#"):
		ps.add(object, "path", r.Path, "a fragment (#…) is never sent", "leave it out, or escape the sign as %23")
	}
	if i := strings.IndexFunc(r.Host, func(r rune) bool { return !hostByte(r) }); i >= 0 && hostName(r.Host) {
		ps.add(object, "host", r.Host, fmt.Sprintf("no name of a host has the character %q", r.Host[i]), `write it like "www.example.org"`)
	}
	for _, x := range []struct{ key, text string }{{"regex", r.Regex}, {"not_regex", r.NotRegex}} {
		validateExpression(ps, object, x.key, x.text)
	}
}

// badEscape is the first escape of a path that is none; "" = all are.
func badEscape(path string) string {
	for i := strings.IndexByte(path, '%'); i >= 0; {
		escape := path[i:min(i+3, len(path))]
		if _, err := hex.DecodeString(escape[1:]); err != nil || len(escape) < 3 {
			return escape
		}
		next := strings.IndexByte(path[i+3:], '%')
		if next < 0 {
			break
		}
		i += 3 + next
	}
	return ""
}

// hostByte reports whether a Host header may have the character (RFC 3986, section 3.2.2, with a port and brackets).
func hostByte(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune("!$%&'()*+,-.:;=[]_~", r)
}

func (h *HTTPCheck) fields(f fields) {
	h.HTTPRequest.fields(f)
	f.set("version", h.Version)
	f.set("headers", strings.Join(h.Headers, ", "))
	f.count("redirects", h.Redirects)
	for i, u := range h.URLs {
		of := fields{}
		u.fields(of)
		for key, value := range of {
			f["url."+strconv.Itoa(i)+"."+key] = value
		}
	}
}

func (r HTTPRequest) fields(f fields) {
	f.set("path", r.Path)
	f.set("host", r.Host)
	var ranges []string
	for _, s := range r.Status {
		ranges = append(ranges, strconv.Itoa(s.From)+"-"+strconv.Itoa(s.To))
	}
	f.set("status", strings.Join(ranges, ", "))
	f.set("method", r.Method)
	f.set("contains", r.Contains)
	f.set("regex", r.Regex)
	f.set("not_regex", r.NotRegex)
	f.set("md5", r.MD5)
	f.set("sha256", r.SHA256)
}
