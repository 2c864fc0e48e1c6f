package health

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"quorate/health/certtest"
)

// secureServer answers 200 to everything over TLS until the test ends.
func secureServer(t *testing.T, config *tls.Config) netip.AddrPort {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "fine") }))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.TLS = config
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return netip.MustParseAddrPort(srv.Listener.Addr().String())
}

func TestCertificates(t *testing.T) {
	ca, other := certtest.New(t, "Test CA"), certtest.New(t, "Other CA")
	for name, c := range map[string]struct {
		cert  tls.Certificate
		tls   TLS
		host  string
		notCA bool // the target has no ca
		want  string
	}{
		"right by address": {cert: ca.Issue([]string{"127.0.0.1"}), want: `ok: status 200 in .*`},
		"right by name":    {cert: ca.Issue([]string{"a.example"}), tls: TLS{ServerName: "a.example"}, want: `ok: status 200 in .*`},
		"right by host":    {cert: ca.Issue([]string{"a.example"}), host: "a.example:8443", want: `ok: status 200 in .*`},
		"name before host": {cert: ca.Issue([]string{"a.example"}), host: "b.example", tls: TLS{ServerName: "a.example"}, want: `ok: status 200 in .*`},
		"wildcard":         {cert: ca.Issue([]string{"*.example"}), host: "a.example", want: `ok: status 200 in .*`},
		"wrong host":       {cert: ca.Issue([]string{"a.example", "10.0.0.1"}), host: "b.example", want: `certificate is for a\.example, 10\.0\.0\.1, not for b\.example: set server_name, if the server is right`},
		"no address":       {cert: ca.Issue([]string{"a.example"}), want: `certificate is for a\.example, not for 127\.0\.0\.1: set server_name.*`},
		"many names":       {cert: ca.Issue([]string{"a.example", "b.example", "c.example", "d.example", "e.example"}), want: `certificate is for a\.example, b\.example, c\.example and 2 more, not for 127\.0\.0\.1.*`},
		"long name":        {cert: ca.Issue([]string{strings.Repeat("a", 60) + ".example"}), want: `certificate is for a{40}…, not for 127\.0\.0\.1.*`},
		"expired":          {cert: ca.Issue([]string{"127.0.0.1"}, certtest.Expired(75*time.Hour)), want: `certificate of 127\.0\.0\.1 expired 3 days ago`},
		"expired just now": {cert: ca.Issue([]string{"127.0.0.1"}, certtest.Expired(90*time.Second)), want: `certificate of 127\.0\.0\.1 expired 1 minute ago`},
		"not yet": {cert: ca.Issue([]string{"127.0.0.1"}, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(time.Hour), time.Now().Add(9*time.Hour)
		}), want: `certificate of 127\.0\.0\.1 is valid only from 20[-0-9]+ [:0-9]+: is the clock of this node right\?`},
		"self-signed":           {cert: certtest.SelfSigned(t, "a.example"), host: "a.example", notCA: true, want: `certificate of a\.example \(valid for 90 days\) is signed by itself: set ca`},
		"other authority":       {cert: other.Issue([]string{"127.0.0.1"}), want: `certificate of 127\.0\.0\.1 \(valid for 90 days\) is signed by "Other CA", an authority that is not in /.*/ca\.pem: add it there`},
		"no authority":          {cert: ca.Issue([]string{"127.0.0.1"}), notCA: true, want: `certificate of 127\.0\.0\.1 \(valid for 90 days\) is signed by "Test CA", an authority that is not known here: set ca`},
		"not verified":          {cert: other.Issue([]string{"b.example"}, certtest.Expired(time.Hour)), tls: TLS{Unverified: true}, notCA: true, want: `ok: status 200 in .*`},
		"for something else":    {cert: ca.Issue([]string{"127.0.0.1"}, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} }), want: `certificate of 127\.0\.0\.1: certificate specifies an incompatible key usage`},
		"itself an authority":   {cert: certtest.SelfSigned(t, "a.example"), host: "a.example", tls: TLS{CA: "itself"}, want: `ok: status 200 in .*`},
		"an IPv6 host header":   {cert: ca.Issue([]string{"2001:db8::1"}), host: "[2001:db8::1]", want: `ok: status 200 in .*`},
		"an IPv6 host and port": {cert: ca.Issue([]string{"2001:db8::1"}), host: "[2001:db8::1]:443", want: `ok: status 200 in .*`},
	} {
		t.Run(name, func(t *testing.T) {
			addr := secureServer(t, &tls.Config{Certificates: []tls.Certificate{c.cert}})
			switch {
			case c.tls.CA == "itself":
				c.tls.CA, _ = certtest.Files(t, c.cert)
			case !c.notCA:
				c.tls.CA = ca.File()
			}
			detail, err := ask(t, Target{Type: TypeHTTPS, Addr: addr, Interval: 10 * time.Second, Timeout: 10 * time.Second, TLS: c.tls, HTTP: HTTP{URLs: []URL{{Host: c.host}}}})
			wantText(t, detail, err, c.want)
			if errors.Is(err, ErrNotAsked) {
				t.Error("it counts as trouble of this machine")
			}
		})
	}
}

func TestClientCertificate(t *testing.T) {
	ca, other := certtest.New(t, "Test CA"), certtest.New(t, "Other CA")
	pool := x509.NewCertPool()
	pool.AddCert(ca.Cert)
	cert, key := certtest.Files(t, ca.Issue([]string{"probe"}))
	otherCert, otherKey := certtest.Files(t, other.Issue([]string{"probe"}))
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			addr := secureServer(t, &tls.Config{
				Certificates: []tls.Certificate{ca.Issue([]string{"127.0.0.1"})}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
				MinVersion: version, MaxVersion: version,
			})
			try := func(x TLS, want string) {
				t.Helper()
				x.CA = ca.File()
				detail, err := ask(t, Target{Type: TypeHTTPS, Addr: addr, Interval: 10 * time.Second, Timeout: 10 * time.Second, TLS: x})
				wantText(t, detail, err, want)
			}
			refused := `the server wants a client certificate: set certificate and key`
			if version == tls.VersionTLS12 {
				refused = `the server refused the TLS handshake: handshake failure \(it may want a client certificate: see certificate and key\)`
			}
			try(TLS{Certificate: cert, Key: key}, `ok: status 200 in .*`)
			try(TLS{}, refused)
			try(TLS{Certificate: otherCert, Key: otherKey}, refused)
			try(TLS{Certificate: cert, Key: otherKey}, `not asked: certificate .* and key .* are no pair: .*`)
		})
	}
}

func TestHandshakesThatFail(t *testing.T) {
	for name, c := range map[string]struct {
		server func(net.Conn)
		want   string
	}{
		"closed": {func(c net.Conn) { _, _ = c.Read(make([]byte, 1000)) }, `connection closed in the TLS handshake`},
		"not TLS": {func(c net.Conn) {
			_, _ = io.WriteString(c, "220 mail.example ESMTP\r\n")
			_, _ = io.Copy(io.Discard, c)
		}, `the server does not speak TLS: it began with "220 m"`},
		"silent":   {func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, `connected, but no TLS handshake within 100ms`},
		"an alert": {func(c net.Conn) { _, _ = c.Write([]byte{21, 3, 3, 0, 2, 2, 112}); _, _ = io.Copy(io.Discard, c) }, `the server has nothing by this name \(unrecognized name\): set server_name`},
		"old":      {func(c net.Conn) { _, _ = c.Write([]byte{21, 3, 1, 0, 2, 2, 70}); _, _ = io.Copy(io.Discard, c) }, `the server refused the TLS handshake: protocol version not supported`},
		"oversized": {func(c net.Conn) {
			_, _ = c.Write([]byte{22, 3, 3, 0, 4, 2, 255, 255, 255})
			_, _ = io.Copy(io.Discard, c)
		}, `TLS handshake: handshake message of length 16777215 bytes exceeds maximum of 65536 bytes`},
	} {
		t.Run(name, func(t *testing.T) {
			timeout := 10 * time.Second
			if strings.Contains(c.want, "100ms") {
				timeout = 100 * time.Millisecond
			}
			detail, err := ask(t, Target{Type: TypeHTTPS, Addr: listen(t, c.server), Interval: timeout, Timeout: timeout})
			wantText(t, detail, err, c.want)
		})
	}
}

// TestSessionsAreResumed counts the full handshakes of probes a second apart.
func TestSessionsAreResumed(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			ca := certtest.New(t, "Test CA")
			path := ca.File()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				day := func(a, b int) func(*x509.Certificate) { // in the bubble's time, which begins in 2000
					return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = began.AddDate(0, 0, a), began.AddDate(0, 0, b) }
				}
				root := *ca.Cert
				root.NotBefore, root.NotAfter = began.AddDate(0, 0, -1), began.AddDate(1, 0, 0)
				own := &certtest.Authority{T: t, Key: ca.Key}
				own.Cert = own.Sign(&x509.Certificate{Subject: root.Subject, IsCA: true, BasicConstraintsValid: true, NotBefore: root.NotBefore, NotAfter: root.NotAfter}, &ca.Key.PublicKey)
				certtest.WritePEM(t, path, pem.Block{Type: "CERTIFICATE", Bytes: own.Cert.Raw})
				cert := own.Issue([]string{"10.0.0.1"}, day(-1, 1))
				server := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: version, MaxVersion: version}
				full := 0
				dial := func(ctx context.Context, network string, _ Target) (net.Conn, error) {
					a, b := net.Pipe()
					go func() {
						c := tls.Server(newQueued(b), server)
						defer c.NetConn().Close()
						if c.Handshake() != nil {
							return
						}
						if !c.ConnectionState().DidResume {
							full++
						}
						_, _ = c.Read(make([]byte, 1024))
						_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
						_, _ = io.Copy(io.Discard, c)
					}()
					return a, nil
				}
				p := probers(dial, nil)[TypeHTTPS]
				target := Target{Type: TypeHTTPS, Addr: netip.MustParseAddrPort("10.0.0.1:443"), TLS: TLS{CA: path}}.withDefaults()
				probe := func() error {
					ctx, cancel := context.WithTimeout(t.Context(), target.Timeout)
					defer cancel()
					_, err := p.Probe(ctx, target)
					synctest.Wait()
					return err
				}
				for range 120 {
					if err := probe(); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Second)
				}
				if full != 2 {
					t.Errorf("%d full handshakes in 120 probes over 2 minutes, want 2", full)
				}
				// Another target has a session of its own.
				target.Addr = netip.MustParseAddrPort("10.0.0.1:444")
				if err := probe(); err != nil || full != 3 {
					t.Errorf("another target: %d full handshakes, %v", full, err)
				}
				target.Addr = netip.MustParseAddrPort("10.0.0.1:443")
				// A certificate that is replaced by a wrong one is seen within a minute, although the server goes on to resume sessions.
				server.Certificates = []tls.Certificate{own.Issue([]string{"10.0.0.2"}, day(-1, 1))}
				changed := time.Now()
				err := probe()
				for ; err == nil; err = probe() {
					time.Sleep(time.Second)
				}
				if want := "certificate is for 10.0.0.2, not for 10.0.0.1: set server_name, if the server is right"; err.Error() != want {
					t.Errorf("the other certificate: %v", err)
				}
				if d := time.Since(changed); d > fullHandshake+2*time.Second {
					t.Errorf("the other certificate was seen after %v", d)
				}
				// One that expires is seen at once, in a resumed handshake as well.
				server.Certificates = []tls.Certificate{cert}
				time.Sleep(24*time.Hour - 30*time.Second - time.Since(began))
				if err := probe(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(31 * time.Second)
				if err := probe(); err == nil || err.Error() != "certificate of 10.0.0.1 expired 0 minutes ago" {
					t.Errorf("expired: %v", err)
				}
			})
		})
	}
}

// queued is the end of a net.Pipe whose writes do not wait for the reader, as those to a socket do not.
type queued struct {
	net.Conn
	out chan []byte
}

func newQueued(c net.Conn) queued {
	q := queued{c, make(chan []byte, 100)}
	go func() {
		for b := range q.out {
			_, _ = c.Write(b)
		}
		_ = c.Close()
	}()
	return q
}

func (q queued) Write(b []byte) (int, error) {
	q.out <- bytes.Clone(b)
	return len(b), nil
}

func (q queued) Close() error {
	close(q.out)
	return nil
}

func TestFilesAreReadAgain(t *testing.T) {
	old, renewed := certtest.New(t, "Old CA"), certtest.New(t, "New CA")
	path := old.File()
	x := newTLSClients()
	read := func(change func(), after time.Duration) (*tlsContent, error) {
		if change != nil {
			change()
		}
		x.files.known[path+"\x00"].looked = time.Now().Add(-after) // as if the last look were so long past
		r, err := x.files.read(TLS{CA: path})
		return r.ca, err
	}
	first, err := x.files.read(TLS{CA: path})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := read(nil, 2*fileLook); again != first.ca || err != nil {
		t.Errorf("a file that did not change was read again, or %v", err)
	}
	replace := func() {
		certtest.WritePEM(t, path, pem.Block{Type: "CERTIFICATE", Bytes: renewed.Cert.Raw})
		_ = os.Chtimes(path, time.Time{}, time.Now().Add(time.Minute))
	}
	if soon, _ := read(replace, 0); soon != first.ca {
		t.Error("it was looked at the file twice in a second")
	}
	second, err := read(nil, 2*fileLook)
	if second == first.ca || err != nil {
		t.Errorf("the renewed file was not read: %v", err)
	}
	if kept, err := read(func() { _ = os.Remove(path) }, 2*fileLook); kept != second || err != nil {
		t.Errorf("without the file what it said does not count any more: %v", err)
	}
	if third, err := read(replace, 2*fileLook); third == second || err != nil {
		t.Errorf("the file that is there again was not read: %v", err)
	}
}

func TestInspectTLS(t *testing.T) {
	ca := certtest.New(t, "Test CA")
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, key := certtest.Files(t, ca.Issue([]string{"a"}))
	late, lateKey := certtest.Files(t, ca.Issue([]string{"a"}, certtest.Expired(50*time.Hour)))
	_, otherKey := certtest.Files(t, ca.Issue([]string{"a"}))
	large := write("large", "")
	if err := os.Truncate(large, maxPEM+1); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		tls  TLS
		want string
	}{
		{TLS{}, `ok: `},
		{TLS{CA: ca.File(), Certificate: good, Key: key}, `ok: `},
		{TLS{CA: dir + "/none"}, `ca /.*/none does not exist on this node: put it there, or correct the path`},
		{TLS{CA: dir + "/none", Unverified: true}, `ok: `},
		{TLS{CA: dir}, `ca /.* is no ordinary file`},
		{TLS{CA: "/dev/zero"}, `ca /dev/zero is no ordinary file`},
		{TLS{CA: large}, `ca /.*/large has 4194305 bytes, more than the 4194304 that are read`},
		{TLS{CA: write("empty", "")}, `ca /.*/empty has no certificate in it: it has to be in PEM, .*`},
		{TLS{CA: key}, `ca /.*/key.pem has no certificate in it: .*`},
		{TLS{CA: write("broken", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")}, `ca /.*/broken: certificate 1 in it cannot be read: .*`},
		{TLS{Certificate: good, Key: otherKey}, `certificate /.* and key /.* are no pair: .*`},
		{TLS{Certificate: late, Key: lateKey}, `certificate /.*cert.pem expired 2 days ago: renew it`},
		{TLS{CA: dir + "/a", Certificate: dir + "/b", Key: key}, `ca /.*/a does not exist .*\ncertificate /.*/b does not exist .*`},
	} {
		err := Inspect(Target{Type: TypeHTTPS, TLS: c.tls})
		wantText(t, "", err, c.want)
	}
	if err := Inspect(Target{Type: TypeHTTP, TLS: TLS{CA: "/none"}}); err != nil {
		t.Errorf("a type without TLS: %v", err)
	}
	if err := Inspect(Target{Type: "nonsense"}); err != nil {
		t.Errorf("a type that is not there: %v", err)
	}
}
