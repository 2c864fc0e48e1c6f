package health

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

// handshakeFault says what was wrong with a handshake.
func handshakeFault(err error, t TLS, now time.Time) error {
	if cert, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return certificateFault(cert.Err, t, now)
	}
	if record, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return fmt.Errorf("the server does not speak TLS: it began with %q", record.RecordHeader[:])
	}
	if refused := alertFault(err); refused != nil {
		return refused
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) {
		return errors.New("connection closed in the TLS handshake")
	}
	return fmt.Errorf("TLS handshake: %s", strings.TrimPrefix(bare(err).Error(), "tls: "))
}

// alertFault puts into words that the server has refused this client; nil = it has not. A server that wants a certificate may say so as late as
// in place of its answer.
func alertFault(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "remote error" {
		return nil
	}
	text := strings.TrimPrefix(bare(err).Error(), "tls: ")
	switch {
	case strings.Contains(text, "certificate required"):
		return errors.New("the server wants a client certificate: set certificate and key")
	case text == "handshake failure": // by TLS 1.2 that is all that a server may say
		return errors.New("the server refused the TLS handshake: handshake failure (it may want a client certificate: see certificate and key)")
	case strings.Contains(text, "unrecognized name"):
		return fmt.Errorf("the server has nothing by this name (%s): set server_name", text)
	case strings.Contains(text, "certificate"), strings.Contains(text, "unknown authority"):
		return fmt.Errorf("the server refused the client certificate, or wants one (%s): see certificate and key", text)
	}
	return fmt.Errorf("the server refused the TLS handshake: %s", text)
}

// certificateFault says what is wrong with the server's certificate, whose it is, and the cure.
func certificateFault(err error, t TLS, now time.Time) error {
	switch e := err.(type) {
	case x509.CertificateInvalidError:
		switch {
		case e.Reason != x509.Expired:
		case now.Before(e.Cert.NotBefore):
			return fmt.Errorf("certificate of %s is valid only from %s: is the clock of this node right?", whose(e.Cert), e.Cert.NotBefore.UTC().Format(time.DateTime))
		default:
			return fmt.Errorf("certificate of %s expired %s", whose(e.Cert), ago(now, e.Cert.NotAfter))
		}
		return fmt.Errorf("certificate of %s: %s", whose(e.Cert), strings.TrimPrefix(err.Error(), "x509: "))
	case x509.HostnameError:
		return fmt.Errorf("certificate is for %s, not for %s: set server_name, if the server is right", whose(e.Certificate), e.Host)
	case x509.UnknownAuthorityError:
		by, cure := "an authority that is not known here", "set ca"
		if t.CA != "" {
			by, cure = "an authority that is not in "+t.CA, "add it there"
		}
		if e.Cert == nil {
			return fmt.Errorf("certificate is signed by %s: %s", by, cure)
		}
		if string(e.Cert.RawIssuer) == string(e.Cert.RawSubject) {
			return fmt.Errorf("certificate of %s (%s) is signed by itself: %s", whose(e.Cert), left(now, e.Cert.NotAfter), cure)
		}
		return fmt.Errorf("certificate of %s (%s) is signed by %q, %s: %s", whose(e.Cert), left(now, e.Cert.NotAfter), issuer(e.Cert), by, cure)
	}
	return fmt.Errorf("certificate: %s", strings.TrimPrefix(err.Error(), "x509: "))
}

// whose lists the first names and addresses that a certificate is for.
func whose(c *x509.Certificate) string {
	names := c.DNSNames
	for _, ip := range c.IPAddresses {
		names = append(names[:len(names):len(names)], ip.String())
	}
	switch {
	case len(names) == 0 && c.Subject.CommonName != "":
		return clipName(c.Subject.CommonName)
	case len(names) == 0:
		return "nobody"
	}
	shown := make([]string, min(3, len(names)))
	for i := range shown {
		shown[i] = clipName(names[i])
	}
	text := strings.Join(shown, ", ")
	if more := len(names) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func issuer(c *x509.Certificate) string {
	if name := c.Issuer.CommonName; name != "" {
		return clipName(name)
	}
	return clipName(c.Issuer.String())
}

// clipName bounds a name that a server has chosen, so that what is said about it is not cut off.
func clipName(s string) string {
	const most = 40
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// ago is how long t is past, for a person.
func ago(now, t time.Time) string {
	return span(now.Sub(t)) + " ago"
}

// left says how long a certificate is still valid.
func left(now, until time.Time) string {
	if now.After(until) {
		return "expired " + ago(now, until)
	}
	return "valid for " + span(until.Sub(now))
}

// span is a length of time by its largest unit.
func span(d time.Duration) string {
	n, unit := int(d/(24*time.Hour)), "day"
	switch {
	case d < time.Hour:
		n, unit = int(d/time.Minute), "minute"
	case d < 24*time.Hour:
		n, unit = int(d/time.Hour), "hour"
	}
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

// expiresSoon says so of a certificate that has to be renewed in these days; "" = there is time.
func expiresSoon(s tls.ConnectionState, now time.Time) string {
	const soon = 14 * 24 * time.Hour
	if len(s.PeerCertificates) == 0 {
		return ""
	}
	if until := s.PeerCertificates[0].NotAfter; until.After(now) && until.Sub(now) < soon {
		return ", its certificate expires in " + span(until.Sub(now))
	}
	return ""
}
