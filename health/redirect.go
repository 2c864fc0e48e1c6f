package health

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// location is where an answer leads; "" = nowhere.
func location(resp *http.Response) string {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return resp.Header.Get("Location")
	}
	return ""
}

// maxLocation bounds where a redirect leads, in bytes; it is what the path of a check may have.
const maxLocation = 2048

// follow is the URL that a redirect leads to, on the server that was asked.
func follow(t Target, u URL, page Page, scheme string) (URL, error) {
	host := u.Host
	if host == "" {
		host = netip.AddrPortFrom(t.Addr.Addr().WithZone(""), t.Addr.Port()).String()
	}
	base, err := url.Parse(scheme + "://" + host + u.Path)
	if err != nil {
		return u, fmt.Errorf("%w: path %q: %w", ErrNotAsked, u.Path, err)
	}
	if len(page.Location) > maxLocation {
		return u, fmt.Errorf("status %d, and its redirect has %d bytes", page.Status, len(page.Location))
	}
	to, err := base.Parse(page.Location)
	if err != nil || strings.ContainsFunc(page.Location, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return u, fmt.Errorf("status %d, and its redirect to %q is no URL", page.Status, clipText(page.Location, 60))
	}
	if to.Scheme != scheme || !sameHost(to, base) {
		return u, fmt.Errorf("status %d, want %s (its redirect to %s leads away from this server and is not followed)", page.Status, u.wanted(), clipText(page.Location, 60))
	}
	to.Fragment, to.RawFragment = "", ""
	if u.Path = to.RequestURI(); !strings.HasPrefix(u.Path, "/") {
		u.Path = "/" + u.Path
	}
	// As browsers do (RFC 9110, section 15.4).
	if page.Status == http.StatusSeeOther && u.Method != http.MethodHead || page.Status < http.StatusTemporaryRedirect && u.Method == http.MethodPost {
		u.Method = http.MethodGet
	}
	return u, nil
}

func sameHost(a, b *url.URL) bool {
	port := func(u *url.URL) string {
		if p := u.Port(); p != "" {
			return p
		}
		if u.Scheme == "https" {
			return "443"
		}
		return "80"
	}
	return strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func refusal(status int, u URL, redirects int) error {
	if status >= 300 && status < 400 && redirects == 0 {
		return fmt.Errorf("status %d, want %s (redirects are not followed)", status, u.wanted())
	}
	return fmt.Errorf("status %d, want %s", status, u.wanted())
}
