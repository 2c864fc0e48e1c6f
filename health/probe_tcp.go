package health

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// TCPQuery is what a check by TCP says, and waits for; the zero value = it only connects.
type TCPQuery struct {
	Send        string `json:"send,omitempty"`
	SendHex     string `json:"send_hex,omitempty"` // in place of Send
	Expect      string `json:"expect,omitempty"`   // has to be in the first maxTalk bytes that the server says
	ExpectRegex string `json:"expect_regex,omitempty"`
	// HalfOpen leaves the handshake without its end: the server's SYN+ACK is answered by RST, so that its program hears of nothing. For a check that only connects.
	HalfOpen bool `json:"half_open,omitempty"`
}

// tcpProber connects and closes again, in the ordinary way (FIN), so that the server's log shows a client that changed
// its mind rather than a reset; a half-open check it does not even see. It may speak TLS before that, say something, and wait for what the server has to say.
type tcpProber struct {
	dial     DialFunc
	secure   *tlsClients
	patterns *patterns
}

// Inspect implements inspector.
func (p tcpProber) Inspect(t Target) error {
	if !t.TLS.On {
		return nil
	}
	return inspectTLS(t)
}

func (p tcpProber) Probe(ctx context.Context, t Target) (Answer, error) {
	if t.Protocols.TCP != (TCPQuery{HalfOpen: t.Protocols.TCP.HalfOpen}) || t.TLS.On {
		return p.talk(ctx, t)
	}
	start := time.Now()
	c, err := connect(ctx, p.dial, "tcp", t)
	if err != nil {
		return Answer{}, err
	}
	// The handshake was the question; what closing says of the server is none of its health.
	_ = c.Close()
	return connected(t, time.Since(start)), nil
}

// connected is the answer of a target that took a connection, or would have.
func connected(t Target, took time.Duration) Answer {
	what := "connected"
	if t.halfOpen() {
		what = "SYN+ACK"
	}
	return Answer{Detail: what + " in " + rounded(took).String()}
}

// talk is a probe that does more than to connect.
func (p tcpProber) talk(ctx context.Context, t Target) (Answer, error) {
	q := t.Protocols.TCP
	regex, err := p.patterns.compile(q.ExpectRegex)
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrNotAsked, err)
	}
	question, err := q.question()
	if err != nil {
		return Answer{}, err
	}
	start := time.Now()
	v, end, err := converse(ctx, p.dial, t)
	if err != nil {
		return Answer{}, err
	}
	defer end()
	done, note := "connected", ""
	if t.TLS.On {
		conn, err := p.secure.client(ctx, v.Conn, t, "")
		if err != nil {
			return Answer{}, err
		}
		v = newConversation(ctx, conn, t)
		defer func() { _ = conn.Close() }()
		done, note = "TLS handshake", expiresSoon(conn.ConnectionState(), time.Now())
	}
	if len(question) > 0 {
		v.ask(question)
	}
	if q.Expect != "" || regex != nil {
		if err := v.expect(q, regex); err != nil {
			return Answer{}, err
		}
		done = "expected answer"
	}
	return Answer{Detail: passed(done, start) + note}, nil
}

func (q TCPQuery) question() ([]byte, error) {
	if q.SendHex == "" {
		return []byte(q.Send), nil
	}
	b, err := hex.DecodeString(strings.Join(strings.Fields(q.SendHex), ""))
	if err != nil {
		return nil, fmt.Errorf("%w: send_hex: %w", ErrNotAsked, err)
	}
	return b, nil
}

// expect reads until the server has said what it has to say.
func (v *conversation) expect(q TCPQuery, regex *expression) error {
	// A server that says a byte at a time does not have all of it searched for each.
	const (
		eager = 64
		piece = 512
	)
	var said []byte
	looked, wanted := 0, wantedText(q)
	for pieces := 0; ; pieces++ {
		b := make([]byte, piece)
		n, err := v.in.Read(b)
		said = append(said, b[:n]...)
		if err != nil || pieces < eager || len(said)-looked >= piece {
			looked = len(said)
			switch found, err := q.found(v.ctx, said, regex); {
			case err != nil:
				return fmt.Errorf("expect_regex was not through the %d bytes that the server says when time was up (%w): repeat less in it, or use a longer timeout", looked, err)
			case found:
				return nil
			}
		}
		switch refused := alertFault(err); {
		case err == nil:
		case refused != nil:
			return refused
		case v.limited.N <= 0:
			return fmt.Errorf("no %s in the first %d bytes that the server says: they begin with %q", wanted, maxTalk, clipText(string(said), 40))
		case len(said) == 0:
			return v.fault(err, wanted)
		case timedOut(v.ctx, err):
			return fmt.Errorf("no %s within %v: the server says %q", wanted, v.target.Timeout, clipText(string(said), 40))
		case errors.Is(err, io.EOF):
			return fmt.Errorf("connection closed before %s: the server says %q", wanted, clipText(string(said), 40))
		default:
			return v.fault(err, wanted)
		}
	}
}

// found reports whether the server has said what is waited for, unless ctx ends before that is known.
func (q TCPQuery) found(ctx context.Context, said []byte, regex *expression) (bool, error) {
	if !bytes.Contains(said, []byte(q.Expect)) {
		return false, nil
	}
	if regex == nil {
		return true, nil
	}
	at, err := regex.find(ctx, said)
	return at != nil, err
}

// wantedText names what is waited for.
func wantedText(q TCPQuery) string {
	var parts []string
	if q.Expect != "" {
		parts = append(parts, fmt.Sprintf("%q", clipText(q.Expect, 40)))
	}
	if q.ExpectRegex != "" {
		parts = append(parts, fmt.Sprintf("match of %q", clipText(q.ExpectRegex, 40)))
	}
	return strings.Join(parts, " and ")
}
