package health

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

const (
	// maxPEM bounds a file of certificates, in bytes; Debian's bundle of all authorities has 220 kB.
	maxPEM = 4 << 20
	// fileLook is how often it is looked whether a file has changed.
	fileLook = time.Second
)

// tlsFiles are the files of certificates that targets name. Targets that name the same file share what was read of it. A file that cannot be
// read again goes on meaning what it meant: an authority's renewal that went wrong must not stop all checks.
type tlsFiles struct {
	mu    sync.Mutex
	known map[string]*tlsFile // by path; a pair by both
}

// tlsFile is one file, or a certificate and its key, as they were read last.
type tlsFile struct {
	looked time.Time
	stamp  [2]stamp
	made   *tlsContent // nil = never yet
	err    error       // of the last time
}

// tlsContent is what was made of a file. It is not changed any more, and so it is its own version.
type tlsContent struct {
	pool *x509.CertPool
	pair tls.Certificate
}

// tlsRead is what the files of a target hold; nil = it names none.
type tlsRead struct{ ca, pair *tlsContent }

// stamp tells two states of a file apart.
type stamp struct {
	modified time.Time
	size     int64
}

// read returns what the files of t hold now.
func (f *tlsFiles) read(t TLS) (r tlsRead, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if t.CA != "" && !t.Unverified {
		if r.ca, err = f.look(now, readPool, t.CA, ""); err != nil {
			return r, err
		}
	}
	if t.Certificate != "" {
		r.pair, err = f.look(now, readPair, t.Certificate, t.Key)
	}
	return r, err
}

// look returns what the files are read to, anew if they have changed.
func (f *tlsFiles) look(now time.Time, read func(a, b string) (*tlsContent, error), a, b string) (*tlsContent, error) {
	id := a + "\x00" + b
	k, ok := f.known[id]
	if !ok {
		k = &tlsFile{}
		f.known[id] = k
	}
	if !ok || now.Sub(k.looked) >= fileLook {
		k.looked = now
		if s := [2]stamp{stampOf(a), stampOf(b)}; !ok || s != k.stamp || k.err != nil {
			k.stamp = s
			made, err := read(a, b)
			if k.err = err; err == nil {
				k.made = made
			}
		}
	}
	if k.made == nil {
		return nil, k.err
	}
	return k.made, nil
}

func stampOf(path string) stamp {
	if path == "" {
		return stamp{}
	}
	info, err := os.Stat(path)
	if err != nil {
		return stamp{size: -1}
	}
	return stamp{info.ModTime(), info.Size()}
}

// readPool reads a file of authorities.
func readPool(path, _ string) (*tlsContent, error) {
	text, err := readPEM("ca", path)
	if err != nil {
		return nil, err
	}
	pool, n := x509.NewCertPool(), 0
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("ca %s: certificate %d in it cannot be read: %w", path, n+1, err)
		}
		pool.AddCert(cert)
		n++
	}
	if n == 0 {
		return nil, fmt.Errorf("ca %s has no certificate in it: it has to be in PEM, with lines like -----BEGIN CERTIFICATE-----", path)
	}
	return &tlsContent{pool: pool}, nil
}

// readPair reads a client's certificate and key.
func readPair(certificate, key string) (*tlsContent, error) {
	cert, err := readPEM("certificate", certificate)
	if err != nil {
		return nil, err
	}
	private, err := readPEM("key", key)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, private)
	if err != nil {
		return nil, fmt.Errorf("certificate %s and key %s are no pair: %w", certificate, key, err)
	}
	return &tlsContent{pair: pair}, nil
}

// readPEM reads a file that the target names under the key.
func readPEM(key, path string) ([]byte, error) {
	info, err := os.Stat(path) // before it is opened: a pipe would wait for someone to write
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s %s does not exist on this node: put it there, or correct the path", key, path)
	case err != nil:
		return nil, fmt.Errorf("%s %s: %w", key, path, err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s %s is no ordinary file", key, path)
	case info.Size() > maxPEM:
		return nil, fmt.Errorf("%s %s has %d bytes, more than the %d that are read", key, path, info.Size(), maxPEM)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s %s cannot be read: %w", key, path, errors.Unwrap(err))
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxPEM))
	if err != nil {
		return nil, fmt.Errorf("%s %s cannot be read: %w", key, path, err)
	}
	return text, nil
}

// Inspect says what of this machine the target's TLS lacks.
func (t TLS) inspect(now time.Time) error {
	var errs []error
	if t.CA != "" && !t.Unverified {
		_, err := readPool(t.CA, "")
		errs = append(errs, err)
	}
	if t.Certificate != "" {
		made, err := readPair(t.Certificate, t.Key)
		if err == nil && made.pair.Leaf != nil && now.After(made.pair.Leaf.NotAfter) {
			err = fmt.Errorf("certificate %s expired %s: renew it", t.Certificate, ago(now, made.pair.Leaf.NotAfter))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
