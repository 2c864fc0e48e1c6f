package keepalived

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"quorate/fsm"
)

// webCheck reads HTTP_GET and SSL_GET.
func webCheck(x *built, r, d *directive, c *fsm.Check) string {
	host := near("virtualhost", "check: host", d, r, x.d)
	var requests []fsm.HTTPRequest
	for _, u := range d.all("url") {
		q, wrong := request(u)
		if wrong != "" {
			return wrong
		}
		u.mapped("check: path, status …")
		requests = append(requests, q)
	}
	switch len(requests) {
	case 0:
		return "it has no url, and keepalived takes the server for up then"
	case 1:
		c.HTTP.HTTPRequest = requests[0]
		c.HTTP.Host = cmp.Or(requests[0].Host, host.arg(0))
	default:
		c.HTTP.URLs = requests
		c.HTTP.Path, c.HTTP.Status = "", nil
		c.HTTP.Host = host.arg(0)
	}
	if p := d.one("http_protocol"); p != nil && !strings.HasPrefix(p.arg(0), "1.1") {
		p.settle(Changed, "it is asked by HTTP 1.1", "look whether the server answers that")
	} else if p != nil {
		p.mapped("check: version")
	}
	x.tls(d, c, requests[0].Host)
	return ""
}

// tls reads what is about TLS.
func (x *built) tls(d *directive, c *fsm.Check, host string) {
	sni, name := d.one("enable_sni"), d.one("sni_name")
	if c.Type != fsm.CheckHTTPS {
		for _, y := range []*directive{sni, name} {
			if y != nil {
				y.settle(Mistake, "HTTP_GET speaks no TLS", "take it out, or write SSL_GET")
			}
		}
		return
	}
	if c.TLS == nil {
		c.TLS = &fsm.TLSCheck{}
	}
	c.TLS.Unverified = true
	d.settle(Changed, `check "https" with verify = false: keepalived looks at no certificate, and so it was done here`, "leave verify out, and name the authority with ca")
	if name != nil {
		c.TLS.ServerName = name.arg(0)
		name.mapped("check: server_name")
	}
	if sni != nil {
		sni.mapped("check: server_name; left out, it is the host")
		if !sni.yes() {
			sni.settle(Changed, "the host, where there is one, is always asked for", "")
		}
	}
	for _, ssl := range x.box.all("SSL") {
		x.clientCertificate(ssl, c)
	}
}

// clientCertificate reads the block SSL, which is for all checks.
func (x *built) clientCertificate(ssl *directive, c *fsm.Check) {
	ssl.mapped(`check "https": certificate, key`)
	if f := ssl.one("certificate"); f != nil {
		c.TLS.Certificate = f.arg(0)
		f.mapped("check: certificate")
	}
	if f := ssl.one("key"); f != nil {
		c.TLS.Key = f.arg(0)
		f.mapped("check: key")
	}
	if f := ssl.one("ca"); f != nil {
		f.settle(Changed, "keepalived reads it and looks at no certificate; it was left out, as verify = false", fmt.Sprintf("set ca = %q and leave verify out, if the servers' certificates are to be checked", shown(f.arg(0), 80)))
	}
	if f := ssl.one("password"); f != nil {
		f.settle(Unsupported, "a key that is encrypted cannot be read", "write it without a password, readable for the agent alone")
	}
}

// request reads a block url.
func request(u *directive) (q fsm.HTTPRequest, wrong string) {
	q.Path = "/"
	if p := u.one("path"); p != nil {
		q.Path = p.arg(0)
		p.mapped("path")
	}
	if h := u.one("virtualhost"); h != nil {
		q.Host = h.arg(0)
		h.mapped("host")
	}
	q.Status = []fsm.StatusRange{{From: 200, To: 299}}
	if s := u.one("status_code"); s != nil {
		q.Status = nil
		for _, w := range s.args {
			low, high, _ := strings.Cut(w, "-")
			from, err1 := strconv.Atoi(low)
			to, err2 := strconv.Atoi(cmp.Or(high, low))
			if err1 != nil || err2 != nil || from < 100 || to > 599 || to < from {
				s.settle(Mistake, fmt.Sprintf("%q is no status code and no range of them", shown(w, 40)), "correct it, then import again")
				return q, "one of its status codes cannot be read, see " + s.at.String()
			}
			q.Status = append(q.Status, fsm.StatusRange{From: from, To: to})
		}
		s.mapped("status")
	}
	if d := u.one("digest"); d != nil {
		q.MD5 = strings.ToLower(d.arg(0))
		d.mapped("md5")
	}
	return q, pattern(u, &q)
}

// pattern reads the regular expression of an url.
func pattern(u *directive, q *fsm.HTTPRequest) (wrong string) {
	x, not, options := u.one("regex"), u.one("regex_no_match"), u.one("regex_options")
	if x == nil {
		for _, d := range []*directive{not, options} {
			if d != nil {
				d.settle(Mistake, "there is no regex", "take it out")
			}
		}
		return ""
	}
	flags := ""
	if options != nil {
		for _, o := range options.args {
			f, known := map[string]string{"caseless": "i", "multiline": "m", "dotall": "s", "ungreedy": "U", "utf": "", "ucp": "", "auto_callout": "", "no_auto_capture": "", "never_utf": ""}[o]
			if !known {
				options.settle(Unsupported, fmt.Sprintf("RE2 has no option %s", shown(o, 40)), "write the expression without it, then import again")
				return "its expression cannot be taken over, see " + options.at.String()
			}
			flags += f
		}
		options.mapped("regex: its flags")
	}
	text := x.arg(0)
	if flags != "" {
		text = "(?" + flags + ")" + text
	}
	if _, err := regexp.Compile(text); err != nil {
		x.settle(Unsupported, fmt.Sprintf("RE2 does not understand the expression: %v", err), "write it without what only PCRE has, then import again")
		return "its expression cannot be taken over, see " + x.at.String()
	}
	if not != nil && not.yes() {
		q.NotRegex = text
		not.mapped("not_regex")
	} else {
		q.Regex = text
	}
	x.mapped("regex")
	return ""
}
