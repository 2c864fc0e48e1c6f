package notify

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// Bounds of files, in bytes. Debian's bundle of all authorities has 220 kB.
const (
	maxSecret = 4096
	maxCA     = 4 << 20
)

// secret reads a file that only its owner, or a group, may read. Its errors do not name the path.
func secret(path string) ([]byte, error) {
	b, err := read(path, maxSecret, func(m fs.FileMode) error {
		if m.Perm()&0o007 != 0 {
			return fmt.Errorf("everybody may read it or write to it; run: chmod 600 %s", path)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	text := strings.TrimRight(string(b), "\r\n")
	if text == "" {
		return nil, errors.New("it is empty; write the secret into it")
	}
	return []byte(text), nil
}

// authorities reads a file of certificates. Its errors do not name the path.
func authorities(path string) (*x509.CertPool, error) {
	pem, err := read(path, maxCA, func(fs.FileMode) error { return nil })
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("there is no certificate in it; it has to be in PEM, with lines like -----BEGIN CERTIFICATE-----")
	}
	return pool, nil
}

// read reads a file of at most so many bytes, if its mode is allowed.
func read(path string, most int64, allowed func(fs.FileMode) error) ([]byte, error) {
	st, err := os.Stat(path) // before it is opened: a pipe would wait for someone to write
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w; it has to be on each node that may lead", why(err))
	case !st.Mode().IsRegular():
		return nil, errors.New("this is no file; name one")
	case st.Size() > most:
		return nil, fmt.Errorf("it is longer than %d bytes; name another file", most)
	}
	if err := allowed(st.Mode()); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w; let the agent's user read it", why(err))
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return nil, why(err)
	}
	return b, nil
}

// tlsConfig trusts what is in the file, or what the system does.
func tlsConfig(ca, server string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: server}
	if ca == "" {
		return c, nil
	}
	var err error
	if c.RootCAs, err = authorities(ca); err != nil {
		return nil, fmt.Errorf("ca %s: %w", ca, err)
	}
	return c, nil
}

// why is a path error without the path.
func why(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}
