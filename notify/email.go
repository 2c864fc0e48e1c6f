package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"quorate/fsm"
)

// maxDialog is how much a mail server may say.
const maxDialog = 1 << 20

// email goes to a mail server.
type email struct{ fsm.Email }

// Send implements Channel.
func (x email) Send(ctx context.Context, m Message) (string, error) {
	host, portText, err := net.SplitHostPort(x.Server)
	port, portErr := strconv.Atoi(portText)
	if err := errors.Join(err, portErr); err != nil {
		return "", Refused{err}
	}
	trust, err := tlsConfig(x.CA, host)
	if err != nil {
		return "", err
	}
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := errors.Join(msg.From(x.From), msg.To(x.To...)); err != nil {
		return "", Refused{err}
	}
	msg.Subject(m.subject())
	msg.SetDate()
	msg.SetMessageIDWithValue(messageID(m))
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader(HeaderID, m.ID())
	msg.SetBodyString(mail.TypeTextPlain, m.text())
	limit := fsm.DefaultNotifyTimeout
	if at, ok := ctx.Deadline(); ok {
		limit = max(time.Millisecond, time.Until(at))
	}
	whole := port == 465 && !x.NoTLS // TLS from the first byte on
	options := []mail.Option{mail.WithPort(port), mail.WithTimeout(limit), mail.WithHELO(helo()), mail.WithTLSConfig(trust), mail.WithTLSPolicy(mail.TLSMandatory),
		mail.WithoutNoop(), mail.WithDialContextFunc(dialer(ctx, whole, trust))}
	if x.NoTLS {
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	}
	if whole {
		options = append(options, mail.WithSSL())
	}
	if x.User != "" {
		password, err := secret(x.PasswordFile)
		if err != nil {
			return "", fmt.Errorf("password_file %s: %w", x.PasswordFile, err)
		}
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(x.User), mail.WithPassword(string(password)))
	}
	client, err := mail.NewClient(host, options...)
	if err != nil {
		return "", Refused{err}
	}
	err = client.DialAndSendWithContext(ctx, msg)
	// A server that has taken the mail and says goodbye badly has taken it.
	if sent := (*mail.SendError)(nil); err != nil && msg.IsDelivered() {
		return "taken, though the dialog ended badly: " + clip(err.Error(), 200), nil
	} else if errors.As(err, &sent) && !sent.IsTemp() && sent.ErrorCode() >= 500 && sent.ErrorCode() < 600 {
		return "", Refused{errors.New(clip(err.Error(), 300))}
	}
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("the mail server took too long: %w", err)
		}
		return "", errors.New(clip(err.Error(), 300))
	}
	return "taken by " + x.Server, nil
}

// messageID is the id as the field Message-ID has it, without the brackets.
func messageID(m Message) string {
	safe := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '.'
	}, m.ID()+".to."+m.Notifier)
	for strings.Contains(safe, "..") { // what a dot-atom cannot have
		safe = strings.ReplaceAll(safe, "..", ".to.")
	}
	return strings.Trim(safe, ".") + "@quorate.invalid"
}

func helo() string {
	if name, err := os.Hostname(); err == nil && name != "" {
		return name
	}
	return "localhost"
}

// dialer makes a connection that ends with ctx, whatever the other side does, and on which that side cannot talk for ever.
func dialer(ctx context.Context, whole bool, trust *tls.Config) mail.DialContextFunc {
	return func(dial context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(dial, network, address)
		if err != nil {
			return nil, err
		}
		c := &talk{Conn: conn, left: maxDialog}
		c.stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
		if !whole {
			return c, nil
		}
		secured := tls.Client(c, trust)
		if err := secured.HandshakeContext(dial); err != nil {
			return nil, errors.Join(err, c.Close())
		}
		return secured, nil
	}
}

// talk bounds what is read.
type talk struct {
	net.Conn
	left int
	stop func() bool
}

func (t *talk) Read(p []byte) (int, error) {
	if t.left <= 0 {
		return 0, fmt.Errorf("the mail server says more than %d bytes", maxDialog)
	}
	n, err := t.Conn.Read(p[:min(len(p), t.left)])
	t.left -= n
	return n, err
}

func (t *talk) Close() error {
	t.stop()
	return t.Conn.Close()
}
