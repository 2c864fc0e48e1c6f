package health

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"
)

// UDPQuery is the part of a Target that only UDP has.
type UDPQuery struct {
	Payload      string `json:"payload,omitempty"`       // what is sent, hexadecimal; blanks between digits do not matter
	Text         string `json:"text,omitempty"`          // in place of Payload
	Reply        string `json:"reply,omitempty"`         // what the reply begins with, hexadecimal; X is any digit
	RequireReply bool   `json:"require_reply,omitempty"` // there has to be a reply
	MinReply     int    `json:"min_reply,omitempty"`     // bytes
	MaxReply     int    `json:"max_reply,omitempty"`     // bytes; 0 = any
}

// udpProber sends one datagram. Where no reply is wanted only the host's word counts that nobody listens (ICMP), and no word until time runs out is a success:
// that is all that can be known of a service which does not answer.
type udpProber struct{ dial DialFunc }

func (p udpProber) Probe(ctx context.Context, t Target) (Answer, error) {
	payload, err := t.UDP.payload()
	if err != nil {
		return Answer{}, err
	}
	wanted, err := parsePattern(t.UDP.Reply)
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrNotAsked, err)
	}
	start := time.Now()
	c, err := connect(ctx, p.dial, "udp", t)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = c.Close() }()
	defer bound(ctx, c)()
	reply := make([]byte, maxDatagram+1)
	n := 0
	if _, err = c.Write(payload); err == nil {
		n, err = c.Read(reply)
	}
	switch {
	case err == nil:
	case timedOut(ctx, err) && t.UDP.wantsReply():
		return Answer{}, fmt.Errorf("no reply within %v", t.Timeout)
	case timedOut(ctx, err):
		return Answer{Detail: fmt.Sprintf("no reply, and nobody said within %v that the port is closed", t.Timeout)}, nil
	case errors.Is(err, syscall.ECONNREFUSED):
		return Answer{}, errors.New("port unreachable: nobody listens")
	default:
		return Answer{}, bare(err)
	}
	if err := t.UDP.accepts(reply[:n], wanted); err != nil {
		return Answer{}, err
	}
	return Answer{Detail: passed(fmt.Sprintf("reply of %d bytes", n), start)}, nil
}

// maxDatagram is the longest reply that is told from longer ones, in bytes.
const maxDatagram = 1400

func (u UDPQuery) payload() ([]byte, error) {
	if u.Text != "" {
		return []byte(u.Text), nil
	}
	b, err := hex.DecodeString(hexDigits(u.Payload))
	if err != nil {
		return nil, fmt.Errorf("%w: the payload is not hexadecimal: %w", ErrNotAsked, err)
	}
	return b, nil
}

func (u UDPQuery) wantsReply() bool {
	return u.RequireReply || u.Reply != "" || u.MinReply > 0 || u.MaxReply > 0
}

// accepts says why a reply is not what is wanted.
func (u UDPQuery) accepts(reply []byte, p replyPattern) error {
	switch n := len(reply); {
	case n < u.MinReply:
		return fmt.Errorf("reply of %d bytes, want at least %d", n, u.MinReply)
	case u.MaxReply > 0 && n > u.MaxReply:
		return fmt.Errorf("reply of %d bytes, want at most %d", n, u.MaxReply)
	case !p.begins(reply):
		return fmt.Errorf("reply begins with %x, want %s", reply[:min(n, len(p), 16)], tidy(u.Reply))
	}
	return nil
}

// replyPattern is what a reply begins with.
type replyPattern []nibbles

// nibbles is a byte of which those bits matter that mask has.
type nibbles struct{ value, mask byte }

// parsePattern reads hexadecimal digits with X for any.
func parsePattern(s string) (replyPattern, error) {
	s = hexDigits(s)
	if len(s)%2 != 0 || len(s) > 2*maxDatagram {
		return nil, fmt.Errorf("a reply of %d digits: write two for each byte, of at most %d", len(s), maxDatagram)
	}
	p := make(replyPattern, len(s)/2)
	for i := range len(s) {
		digit, mask := byte(0), byte(0)
		if s[i] != 'x' && s[i] != 'X' {
			d, err := hex.DecodeString("0" + s[i:i+1])
			if err != nil {
				return nil, fmt.Errorf("%q in the reply is neither a hexadecimal digit nor X", s[i])
			}
			digit, mask = d[0], 0xf
		}
		b := &p[i/2]
		b.value, b.mask = b.value<<4|digit, b.mask<<4|mask
	}
	return p, nil
}

// begins reports whether b begins as the pattern says.
func (p replyPattern) begins(b []byte) bool {
	if len(b) < len(p) {
		return false
	}
	for i, n := range p {
		if b[i]&n.mask != n.value {
			return false
		}
	}
	return true
}

// hexDigits is s without the blanks between digits.
func hexDigits(s string) string { return strings.Join(strings.Fields(s), "") }
