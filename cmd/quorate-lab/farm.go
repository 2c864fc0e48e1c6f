package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"quorate/integration/lab"
)

// farm is as many servers as there are addresses of a host: this process listens for all of them.
type farm struct {
	listeners []net.Listener
	servers   []*http.Server
	all       sync.WaitGroup
	accepted  tally // connections, by who opened them
	// Handshakes of TLS so far, and those of them that were resumed.
	handshakes, resumed atomic.Int64
}

// The ports of a farm.
const (
	farmTCP   = 9000 // accepts and reads until the other side closes
	farmHTTP  = 9001
	farmHTTPS = 9002
)

// serverName is for whom the farm's certificate is.
const serverName = "farm.example"

// newFarm starts the servers on the host. ca is where the certificate of the authority is put.
func newFarm(h *lab.Host, ca string) (*farm, error) {
	f := &farm{}
	listen := map[uint16]net.Listener{}
	err := h.Do(func() error {
		for _, port := range []int{farmTCP, farmHTTP, farmHTTPS} {
			l, err := net.ListenTCP("tcp4", &net.TCPAddr{Port: port})
			if err != nil {
				return err
			}
			listen[uint16(port)] = &counting{l, &f.accepted}
			f.listeners = append(f.listeners, l)
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	cert, err := selfSigned(ca)
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	f.all.Go(func() { accept(listen[farmTCP]) })
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "well") })
	quiet := log.New(io.Discard, "", 0)
	plain := &http.Server{Handler: ok, ReadHeaderTimeout: 5 * time.Second, ErrorLog: quiet}
	secure := &http.Server{Handler: ok, ReadHeaderTimeout: 5 * time.Second, ErrorLog: quiet, TLSConfig: &tls.Config{
		Certificates: []tls.Certificate{cert},
		VerifyConnection: func(s tls.ConnectionState) error {
			if f.handshakes.Add(1); s.DidResume {
				f.resumed.Add(1)
			}
			return nil
		},
	}}
	f.servers = []*http.Server{plain, secure}
	f.all.Go(func() { _ = plain.Serve(listen[farmHTTP]) })
	f.all.Go(func() { _ = secure.ServeTLS(listen[farmHTTPS], "", "") })
	return f, nil
}

// tally counts connections.
type tally struct {
	mu sync.Mutex
	n  map[netip.Addr]int
}

func (t *tally) snapshot() map[netip.Addr]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.n)
}

// counting is a listener that counts.
type counting struct {
	net.Listener
	by *tally
}

// Accept implements net.Listener.
func (l *counting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		from := c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
		l.by.mu.Lock()
		if l.by.n == nil {
			l.by.n = map[netip.Addr]int{}
		}
		l.by.n[from]++
		l.by.mu.Unlock()
	}
	return c, err
}

// accept closes each connection at once; the other side may be first.
func accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			_ = c.Close()
		}
	}
}

func (f *farm) close() (err error) {
	for _, s := range f.servers {
		err = errors.Join(err, s.Close())
	}
	for _, l := range f.listeners {
		if e := l.Close(); !errors.Is(e, net.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	f.all.Wait()
	return err
}

// selfSigned makes a certificate that is its own authority, and writes it to the file.
func selfSigned(path string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: serverName}, DNSNames: []string{serverName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return tls.Certificate{}, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, os.WriteFile(path, text, 0o644)
}
