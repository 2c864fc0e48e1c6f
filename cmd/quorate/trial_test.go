package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quorate/fsm"
)

// TestLackWithoutFailure: a check that passes though its client certificate has expired, as that server does not ask for one, is no success.
func TestLackWithoutFailure(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	at := netip.MustParseAddrPort(srv.Listener.Addr().String())
	check := fsm.NewCheck(fsm.CheckHTTPS)
	check.Interval, check.Timeout, check.TLS.Unverified = 10*time.Second, 10*time.Second, true
	try := func() (string, error) {
		trials, err := checkFlags{}.trials(fsm.Config{Services: map[string]fsm.Service{"web": {Name: "web", Checks: []fsm.Check{check}, Servers: []fsm.Server{{Address: at}, {Address: at}}}}})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		err = (&app{out: &out}).try(t.Context(), "n1", trials)
		return out.String(), err
	}
	if out, err := try(); err != nil || !strings.Contains(out, "2 of 2 checks passed.") {
		t.Errorf("%v\n%s", err, out)
	}
	check.TLS.Certificate, check.TLS.Key = expired(t)
	out, err := try()
	if !errors.Is(err, errSaid) || !strings.Contains(out, "2 of 2 checks passed.") || strings.Count(out, "On this machine: web, check 0 https: certificate "+check.TLS.Certificate+" expired") != 1 {
		t.Errorf("%v\n%s", err, out)
	}
}

// expired makes a certificate of yesterday and its key.
func expired(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-24 * time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", cert), write("key.pem", "PRIVATE KEY", pkcs)
}
