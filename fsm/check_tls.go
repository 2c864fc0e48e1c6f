package fsm

import (
	"net/netip"
	"slices"
	"strings"
)

// The types of checks that speak TLS: those that always do, and those that do when their part says On.
var (
	tlsAlways = []CheckType{CheckHTTPS}
	tlsChoice = []CheckType{CheckTCP, CheckGRPC, CheckSMTP}
)

// TLSChecks are the types of checks that speak TLS; with choice, those that do it only when they are told to.
func TLSChecks(choice bool) []CheckType {
	if choice {
		return slices.Clone(tlsChoice)
	}
	return slices.Clone(tlsAlways)
}

// TLSCheck is the part of a Check that speaks TLS. Files are those of each node that probes.
type TLSCheck struct {
	On          bool   `json:"on,omitempty"`          // of the types that have the choice
	ServerName  string `json:"server_name,omitempty"` // "" = the type's own: the host, or the server's address
	CA          string `json:"ca,omitempty"`          // "" = the authorities of the node's system
	Unverified  bool   `json:"unverified,omitempty"`
	Certificate string `json:"certificate,omitempty"` // of the client
	Key         string `json:"key,omitempty"`         // of Certificate
}

func (c *TLSCheck) validate(ps *Problems, object string) {
	if c.ServerName != "" && !serverName(c.ServerName) {
		ps.add(object, "server_name", c.ServerName, "this is no name that a certificate may be for", `write it like "www.example.org", without a port`)
	}
	for _, file := range []struct{ key, path string }{{"ca", c.CA}, {"certificate", c.Certificate}, {"key", c.Key}} {
		if file.path != "" {
			absolute(ps, object, file.key, file.path)
		}
	}
	switch {
	case c.Certificate != "" && c.Key == "":
		ps.add(object, "key", "", "the client certificate has no key", "add key = …, the file of its private key (it may be the same file)")
	case c.Key != "" && c.Certificate == "":
		ps.add(object, "certificate", "", "the key has no client certificate", "add certificate = …, or leave key out")
	}
	if c.Unverified && c.CA != "" {
		ps.add(object, "ca", c.CA, "nothing is verified", "leave verify = false out, or ca")
	}
}

// validateTLS is what a check's TLS part means beside its type.
func (c Check) validateTLS(ps *Problems, object string) {
	if c.TLS == nil {
		return
	}
	starts := c.SMTP != nil && c.SMTP.StartTLS
	switch choice := slices.Contains(tlsChoice, c.Type); {
	case starts && c.TLS.On:
		ps.add(object, "starttls", "true", "with tls = true the connection begins with TLS", "leave one of the two out")
	case starts:
	case !choice && c.TLS.On:
		ps.add(object, "type", string(c.Type), "it always speaks TLS and is not told to", "leave tls out")
	case choice && !c.TLS.On && *c.TLS != TLSCheck{}:
		ps.add(object, "tls", "false", "server_name, ca, verify, certificate and key are nothing without TLS", "add tls = true, or leave them out")
	}
}

// warn says what a check without verification is worth.
func (c *TLSCheck) warn(ps *Problems, object string) {
	if c.Unverified {
		ps.add(object, "verify", "false", "the check passes whatever certificate the server shows, one that has expired or is another's as well",
			"set ca to the file of the authority that signed it, and server_name to the name it is for")
	}
}

func (c *TLSCheck) fields(f fields) {
	f.flag("tls", c.On)
	f.set("server_name", c.ServerName)
	f.set("ca", c.CA)
	if c.Unverified {
		f.set("verify", "false")
	}
	f.set("certificate", c.Certificate)
	f.set("key", c.Key)
}

// serverName reports whether s may be the name or address that a certificate is for.
func serverName(s string) bool {
	if strings.Contains(s, ":") {
		a, err := netip.ParseAddr(s)
		return err == nil && a.Zone() == ""
	}
	return plainText(s) && len(s) <= 253 && !strings.ContainsAny(s, "/ *[]@") && !strings.HasPrefix(s, ".")
}

// absolute refuses what is no absolute path of a file.
func absolute(ps *Problems, object, key, path string) {
	if !strings.HasPrefix(path, "/") || !plainText(path) || len(path) > 1024 {
		ps.add(object, key, path, "this is no absolute path of a file", `write it like "/etc/ssl/certs/internal-ca.pem"`)
	}
}
