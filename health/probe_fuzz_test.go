package health

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// playback is a connection on which a server says what was written down, and then ends it.
type playback struct {
	net.Conn
	says *bytes.Reader
}

func (c *playback) Read(b []byte) (int, error)    { return c.says.Read(b) }
func (*playback) Write(b []byte) (int, error)     { return len(b), nil }
func (*playback) Close() error                    { return nil }
func (*playback) SetDeadline(time.Time) error     { return nil }
func (*playback) SetReadDeadline(time.Time) error { return nil }

// fuzzTalk has a server say anything in the conversations of the targets.
func fuzzTalk(f *testing.F, targets ...Target) {
	for _, k := range talkers() {
		if k.target.Type == targets[0].Type {
			f.Add([]byte(k.good))
		}
	}
	f.Fuzz(func(t *testing.T, says []byte) {
		for _, target := range targets {
			target = target.withDefaults()
			dial := func(context.Context, string, Target) (net.Conn, error) {
				return &playback{says: bytes.NewReader(says)}, nil
			}
			a, err := probers(dial, nil)[target.Type].Probe(t.Context(), target)
			switch {
			case err == nil && a.Detail == "", err != nil && err.Error() == "":
				t.Errorf("no words for %q", says)
			case errors.Is(err, ErrNotAsked):
				t.Errorf("%q is not this machine's fault: %v", says, err)
			case err != nil && a != Answer{}:
				t.Errorf("%q has an answer and an error", says)
			}
			if w := a.Weight; w.Value < 0 || w.Value > maxAgentPercent {
				t.Errorf("%q asks for a weight of %d", says, w.Value)
			}
		}
	})
}

func FuzzAgentLine(f *testing.F) {
	f.Add([]byte("down #why\n"))
	fuzzTalk(f, Target{Type: TypeAgent})
}

func FuzzSMTPDialog(f *testing.F) {
	f.Add([]byte("220 a\r\n250-a\r\n250 STARTTLS\r\n220 go\r\n"))
	fuzzTalk(f, Target{Type: TypeSMTP}, Target{Type: TypeSMTP, Protocols: Protocols{SMTP: SMTPQuery{StartTLS: true}}})
}

func FuzzMySQLLogin(f *testing.F) { fuzzTalk(f, Target{Type: TypeMySQL}) }

func FuzzPostgresLogin(f *testing.F) {
	f.Add([]byte("E\x00\x00\x00\x0dCXX000\x00\x00"))
	f.Add([]byte("E  \x0000000")) // an error without words
	fuzzTalk(f, Target{Type: TypePostgres})
}

func FuzzRedisAnswers(f *testing.F) {
	fuzzTalk(f, Target{Type: TypeRedis}, Target{Type: TypeRedis, Protocols: Protocols{Redis: RedisQuery{Role: "master"}}})
}

func FuzzGRPCHealth(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x02\x08\x01"))
	f.Add(grpcRequest("a"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if said, err := parseGRPCHealth(b); err == nil && grpcServing(said) == "" {
			t.Errorf("no words for %q", b)
		}
	})
}

// dnsPeer answers a question by TCP with what follows the id.
type dnsPeer struct {
	playback
	rest []byte
}

func (c *dnsPeer) Write(b []byte) (int, error) {
	if len(b) > 3 { // two bytes of length, two of the id
		said := binary.BigEndian.AppendUint16(nil, uint16(len(c.rest)+2))
		c.says = bytes.NewReader(append(append(said, b[2:4]...), c.rest...))
	}
	return len(b), nil
}

// FuzzDNSAnswer has a server answer anything to a question: names that point at themselves, records that are cut off, texts of any bytes.
func FuzzDNSAnswer(f *testing.F) {
	for _, record := range []string{". 1 IN SOA a. b. 1 2 3 4 5", ". 1 IN A 192.0.2.1", ". 1 IN TXT \"\\000\\255\" \"\"", ". 1 IN NAPTR 1 2 \"a\" \"b\" \"c\" d.", ". 1 IN HTTPS 1 . alpn=h2 ipv4hint=192.0.2.1",
		". 1 IN RRSIG A 8 0 1 20300101000000 20200101000000 1 . AAAA", ". 1 IN CAA 0 issue \"a\""} {
		rr, err := dns.NewRR(record)
		if err != nil {
			f.Fatal(err)
		}
		m := &dns.Msg{MsgHdr: dns.MsgHdr{Response: true}, Answer: []dns.RR{rr}}
		m.Question = []dns.Question{{Name: ".", Qtype: dns.TypeSOA, Qclass: dns.ClassINET}}
		b, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[2:], "a")
	}
	f.Add([]byte("\x80\x00\x00\x00\x00\x01\x00\x00\x00\x00\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x01\x00\x02\xc0\x0c"), "")
	f.Fuzz(func(t *testing.T, rest []byte, answer string) {
		if len(rest) > 1<<16-3 {
			return
		}
		target := Target{Type: TypeDNS, Protocols: Protocols{DNS: DNSQuery{Transport: "tcp", Answer: answer}}}.withDefaults()
		dial := func(context.Context, string, Target) (net.Conn, error) {
			return &dnsPeer{playback{says: bytes.NewReader(nil)}, rest}, nil
		}
		a, err := dnsProber{dial}.Probe(t.Context(), target)
		switch {
		case err == nil && a.Detail == "", err != nil && err.Error() == "":
			t.Errorf("no words for %q", rest)
		case errors.Is(err, ErrNotAsked):
			t.Errorf("%q is not this machine's fault: %v", rest, err)
		case len(a.Detail) > maxDetail, err != nil && len(err.Error()) > 1000+len(answer)*4:
			t.Errorf("%q has many words: %s %v", rest, a.Detail, err)
		}
	})
}

// FuzzUDPPattern holds patterns against a second way of telling what they mean.
func FuzzUDPPattern(f *testing.F) {
	f.Add("0a XX fX", []byte("\x0a\x00\xf7"))
	f.Add("", []byte{})
	f.Fuzz(func(t *testing.T, text string, reply []byte) {
		p, err := parsePattern(text)
		if err != nil {
			return
		}
		digits := strings.ToLower(hexDigits(text))
		want := 2*len(reply) >= len(digits)
		const hex = "0123456789abcdef"
		for i := 0; want && i < len(digits); i++ {
			nibble := reply[i/2] >> 4
			if i%2 == 1 {
				nibble = reply[i/2] & 0xf
			}
			want = digits[i] == 'x' || digits[i] == hex[nibble]
		}
		if got := p.begins(reply); got != want {
			t.Errorf("%q begins %x: %v, want %v", text, reply, got, want)
		}
	})
}

// FuzzPing has a host send anything by ICMP.
func FuzzPing(f *testing.F) {
	e := newEcho(true)
	b, _ := e.request()
	f.Add(b, true)
	f.Fuzz(func(t *testing.T, b []byte, v4 bool) {
		if done, _ := newEcho(v4).hears(b); done {
			t.Errorf("%x is no echo of a token that nobody knows", b)
		}
	})
}
