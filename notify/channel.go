package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"quorate/fsm"
)

// Channel is one way to tell somebody. Send returns what the other side said, for a person.
type Channel interface {
	Send(ctx context.Context, m Message) (string, error)
}

// Refused is an error that will be the same next time: the other side has understood and does not want it.
type Refused struct{ error }

// Unwrap gives the error itself.
func (r Refused) Unwrap() error { return r.error }

// Later is an error after which the other side wants to be left alone for some time.
type Later struct {
	error
	After time.Duration
}

// Unwrap gives the error itself.
func (l Later) Unwrap() error { return l.error }

// Open is the channel of a notifier that the leader carries out.
func Open(n fsm.Notifier) Channel {
	switch {
	case n.Webhook != nil:
		return webhook{*n.Webhook}
	case n.Email != nil:
		return email{*n.Email}
	case n.Script != nil:
		return program{*n.Script}
	}
	return unknown{}
}

// most is how many events a channel takes at once.
func most(n fsm.Notifier) int {
	if n.Script != nil {
		return 1
	}
	return 50
}

// unknown is the channel of a notifier that this build does not know.
type unknown struct{}

func (unknown) Send(context.Context, Message) (string, error) {
	return "", errors.New("this build knows no such channel")
}

// maxSecret bounds a file with a secret.
const maxSecret = 4096

// secret reads a file that only its owner, or a group, may read.
func secret(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; it has to be on each node that may lead", path, why(err))
	}
	switch {
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s: this is no file", path)
	case st.Mode().Perm()&0o007 != 0:
		return nil, fmt.Errorf("%s: everybody may read it or write to it; run: chmod 600 %s", path, path)
	case st.Size() > maxSecret:
		return nil, fmt.Errorf("%s: it is longer than %d bytes", path, maxSecret)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, why(err))
	}
	text := strings.TrimRight(string(b), "\r\n")
	if text == "" {
		return nil, fmt.Errorf("%s: it is empty", path)
	}
	return []byte(text), nil
}

// tlsConfig trusts what is in the file, or what the system does.
func tlsConfig(ca, server string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: server}
	if ca == "" {
		return c, nil
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("ca %s: %w; it has to be on each node that may lead", ca, why(err))
	}
	if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca %s: there is no certificate in it (PEM)", ca)
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
