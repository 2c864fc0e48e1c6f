package health

import (
	"context"
	"errors"
	"fmt"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SMTPQuery is the part of a Target that only SMTP has.
type SMTPQuery struct {
	Helo     string `json:"helo,omitempty"` // what the probe calls itself
	StartTLS bool   `json:"starttls,omitempty"`
}

// smtpProber goes through a dialog without a mail: greeting (220), EHLO or else HELO (250), STARTTLS where it is wanted (220), QUIT (221), as RFC
// 5321 and 3207 have it.
type smtpProber struct {
	dial   DialFunc
	secure *tlsClients
}

// Inspect implements inspector.
func (p smtpProber) Inspect(t Target) error {
	if !t.TLS.On && !t.SMTP.StartTLS {
		return nil
	}
	return inspectTLS(t)
}

func (p smtpProber) Probe(ctx context.Context, t Target) (Answer, error) {
	start := time.Now()
	v, end, err := converse(ctx, p.dial, t)
	if err != nil {
		return Answer{}, err
	}
	defer end()
	if t.TLS.On {
		if v, err = p.encrypt(ctx, v); err != nil {
			return Answer{}, err
		}
	}
	greeting, err := v.smtpReply("a greeting", 220)
	if err != nil {
		return Answer{}, err
	}
	offers, err := v.smtpHello()
	if err != nil {
		return Answer{}, err
	}
	if t.SMTP.StartTLS {
		if v, err = p.startTLS(ctx, v, offers); err != nil {
			return Answer{}, err
		}
	}
	v.ask([]byte("QUIT\r\n"))
	if _, err := v.smtpReply("an answer to QUIT", 221); err != nil {
		return Answer{}, err
	}
	said, _, _ := strings.Cut("220 "+greeting, "\n")
	if t.SMTP.StartTLS {
		said += ", STARTTLS done"
	}
	return Answer{Detail: passed(said, start)}, nil
}

// startTLS has the server begin TLS, and greets it again.
func (p smtpProber) startTLS(ctx context.Context, v *conversation, offers []string) (*conversation, error) {
	if !slices.Contains(offers, "STARTTLS") {
		return nil, errors.New("it does not offer STARTTLS")
	}
	v.ask([]byte("STARTTLS\r\n"))
	if _, err := v.smtpReply("an answer to STARTTLS", 220); err != nil {
		return nil, err
	}
	v, err := p.encrypt(ctx, v)
	if err != nil {
		return nil, err
	}
	_, err = v.smtpHello()
	return v, err
}

// encrypt goes on with TLS.
func (p smtpProber) encrypt(ctx context.Context, v *conversation) (*conversation, error) {
	if v.in.Buffered() > 0 {
		return nil, errors.New("it goes on in clear text where TLS begins")
	}
	c, err := p.secure.client(ctx, v.Conn, v.target, "")
	if err != nil {
		return nil, err
	}
	return newConversation(ctx, c, v.target), nil
}

// smtpHello says EHLO, or HELO to a server that does not know it, and returns the words that the server offers.
func (v *conversation) smtpHello() ([]string, error) {
	v.ask([]byte("EHLO " + v.target.SMTP.Helo + "\r\n"))
	said, err := v.smtpReply("an answer to EHLO", 250)
	if refused, ok := errors.AsType[smtpRefusal](err); ok && refused.code/100 == 5 {
		v.ask([]byte("HELO " + v.target.SMTP.Helo + "\r\n"))
		_, err = v.smtpReply("an answer to HELO", 250)
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	var offers []string
	for _, line := range strings.Split(said, "\n") {
		if words := strings.Fields(line); len(words) > 0 {
			offers = append(offers, strings.ToUpper(words[0]))
		}
	}
	return offers, nil
}

// smtpRefusal is a reply with another code than the one that is wanted.
type smtpRefusal struct {
	code int
	text string
	what string
	want int
}

func (r smtpRefusal) Error() string {
	first, _, _ := strings.Cut(r.text, "\n")
	return fmt.Sprintf("%d %s; want %d as %s", r.code, tidy(first), r.want, r.what)
}

// smtpReply reads one reply, of one line or several, and demands its code.
func (v *conversation) smtpReply(what string, want int) (string, error) {
	if b, err := v.in.Peek(3); err != nil {
		return "", v.fault(err, what)
	} else if _, err := strconv.ParseUint(string(b), 10, 16); err != nil {
		return "", fmt.Errorf("%s is not SMTP: it begins with %q", what, tidy(string(b)))
	}
	code, text, err := textproto.NewReader(v.in).ReadResponse(want)
	if err == nil {
		return text, nil
	}
	if bad, ok := errors.AsType[*textproto.Error](err); ok {
		return "", smtpRefusal{code: code, text: bad.Msg, what: what, want: want}
	}
	if bad, ok := errors.AsType[textproto.ProtocolError](err); ok {
		return "", fmt.Errorf("%s is not SMTP: %s", what, tidy(bad.Error()))
	}
	return "", v.fault(err, what)
}
