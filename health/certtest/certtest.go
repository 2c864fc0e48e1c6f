// Package certtest makes certificates for tests: right ones, and those with any fault.
package certtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority signs certificates for a test.
type Authority struct {
	T    testing.TB
	Cert *x509.Certificate // its own
	Key  *ecdsa.PrivateKey
}

// New is an authority of that name, valid for 90 days.
func New(t testing.TB, name string) *Authority {
	t.Helper()
	a := &Authority{T: t, Key: newKey(t)}
	made := a.Sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, &a.Key.PublicKey)
	a.Cert = made
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Sign makes a certificate of a template; the authority's own, when it has none yet.
func (a *Authority) Sign(template *x509.Certificate, public *ecdsa.PublicKey) *x509.Certificate {
	a.T.Helper()
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(90*24*time.Hour+time.Hour)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		a.T.Fatal(err)
	}
	template.SerialNumber = serial
	parent := a.Cert
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, a.Key)
	if err != nil {
		a.T.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.T.Fatal(err)
	}
	return cert
}

// Issue makes a certificate with its key for names and addresses.
func (a *Authority) Issue(names []string, change ...func(*x509.Certificate)) tls.Certificate {
	a.T.Helper()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: names[0]}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	for _, c := range change {
		c(template)
	}
	key := newKey(a.T)
	cert := a.Sign(template, &key.PublicKey)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

// Expired makes a certificate one that expired so long ago.
func Expired(ago time.Duration) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-ago-time.Hour), time.Now().Add(-ago)
	}
}

// SelfSigned is a certificate that vouches for itself.
func SelfSigned(t testing.TB, name string) tls.Certificate {
	t.Helper()
	a := &Authority{T: t, Key: newKey(t)}
	cert := a.Sign(&x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, KeyUsage: x509.KeyUsageDigitalSignature}, &a.Key.PublicKey)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: a.Key, Leaf: cert}
}

// File is a file with the authority's certificate.
func (a *Authority) File() string {
	a.T.Helper()
	path := filepath.Join(a.T.TempDir(), "ca.pem")
	WritePEM(a.T, path, pem.Block{Type: "CERTIFICATE", Bytes: a.Cert.Raw})
	return path
}

// Files are a file with the certificate and one with its key.
func Files(t testing.TB, c tls.Certificate) (certificate, key string) {
	t.Helper()
	dir := t.TempDir()
	certificate, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	private, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	WritePEM(t, certificate, pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
	WritePEM(t, key, pem.Block{Type: "PRIVATE KEY", Bytes: private})
	return certificate, key
}

// WritePEM writes a file of PEM blocks.
func WritePEM(t testing.TB, path string, blocks ...pem.Block) {
	t.Helper()
	var text []byte
	for _, b := range blocks {
		text = append(text, pem.EncodeToMemory(&b)...)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
