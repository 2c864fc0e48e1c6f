package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

// DNSQuery is the part of a Target that only DNS has.
type DNSQuery struct {
	Name      string `json:"name,omitempty"`      // asked for; the root
	Record    string `json:"record,omitempty"`    // its type; SOA
	Rcode     string `json:"rcode,omitempty"`     // wanted; NOERROR
	Answer    string `json:"answer,omitempty"`    // address or text that one record has; "" = any answer will do
	Transport string `json:"transport,omitempty"` // udp or tcp; udp
}

// dnsProber asks one question and looks at the answer's code and, where that is wanted, at its records.
type dnsProber struct{ dial DialFunc }

func (p dnsProber) Probe(ctx context.Context, t Target) (Answer, error) {
	q, err := dnsQuestion(t.DNS)
	if err != nil {
		return Answer{}, err
	}
	start := time.Now()
	c, err := connect(ctx, p.dial, t.DNS.Transport, t)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = c.Close() }()
	defer bound(ctx, c)()
	r, err := dnsAsk(c, q)
	if err != nil {
		return Answer{}, dnsFault(ctx, err, t)
	}
	if err := dnsAccepts(r, t.DNS); err != nil {
		return Answer{}, err
	}
	return Answer{Detail: passed(fmt.Sprintf("%s, %s", dns.RcodeToString[r.Rcode], countRecords(len(r.Answer))), start)}, nil
}

func dnsQuestion(d DNSQuery) (*dns.Msg, error) {
	record, ok := dns.StringToType[d.Record]
	if !ok {
		return nil, fmt.Errorf("%w: there is no record type %q", ErrNotAsked, d.Record)
	}
	if _, ok := dns.StringToRcode[d.Rcode]; !ok {
		return nil, fmt.Errorf("%w: there is no response code %q", ErrNotAsked, d.Rcode)
	}
	name := dns.Fqdn(d.Name)
	if _, ok := dns.IsDomainName(name); !ok {
		return nil, fmt.Errorf("%w: %q is no name of a domain", ErrNotAsked, d.Name)
	}
	q := new(dns.Msg)
	q.SetQuestion(name, record)
	return q, nil
}

// maxStray is how many datagrams that answer something else are passed over: answers to an earlier question that came late.
const maxStray = 16

// dnsAsk sends the question and reads the answer to it.
func dnsAsk(c net.Conn, q *dns.Msg) (*dns.Msg, error) {
	conn := &dns.Conn{Conn: c, UDPSize: 4096}
	if err := conn.WriteMsg(q); err != nil {
		return nil, err
	}
	for range maxStray {
		r, err := conn.ReadMsg()
		if err != nil {
			return nil, err
		}
		if r.Id == q.Id {
			// A server that does not understand a question may answer without it.
			if !r.Response || len(r.Question) > 1 || len(r.Question) == 1 && !sameDNSQuestion(r.Question[0], q.Question[0]) {
				return nil, errors.New("not an answer to the question")
			}
			return r, nil
		}
		if _, stream := c.(*net.TCPConn); stream {
			break
		}
	}
	return nil, errors.New("answers, but to other questions")
}

func sameDNSQuestion(a, b dns.Question) bool {
	return strings.EqualFold(a.Name, b.Name) && a.Qtype == b.Qtype && a.Qclass == b.Qclass
}

// dnsFault puts into words why there was no answer.
func dnsFault(ctx context.Context, err error, t Target) error {
	if timedOut(ctx, err) {
		return fmt.Errorf("no answer within %v", t.Timeout)
	}
	if bad, ok := errors.AsType[*dns.Error](err); ok {
		return fmt.Errorf("not a DNS answer: %s", tidy(bad.Error()))
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return errors.New("connection refused: nobody listens")
	}
	if t.DNS.Transport == "tcp" {
		return fmt.Errorf("connection closed before an answer: %w", bare(err))
	}
	return bare(err)
}

// dnsAccepts says why an answer is not what is wanted.
func dnsAccepts(r *dns.Msg, want DNSQuery) error {
	if got := dns.RcodeToString[r.Rcode]; got != want.Rcode {
		return fmt.Errorf("%s, want %s", rcodeText(r.Rcode), want.Rcode)
	}
	if want.Answer == "" {
		return nil
	}
	for _, rr := range r.Answer {
		if dnsHas(rr, want.Answer) {
			return nil
		}
	}
	cure := ""
	if r.Truncated {
		cure = ` (cut off: use transport = "tcp")`
	}
	return fmt.Errorf("no record with %q among %s%s", want.Answer, countRecords(len(r.Answer)), cure)
}

// dnsHas reports whether the record is the address, or has the text.
func dnsHas(rr dns.RR, want string) bool {
	if addr, err := netip.ParseAddr(want); err == nil {
		switch rr := rr.(type) {
		case *dns.A:
			got, ok := netip.AddrFromSlice(rr.A)
			return ok && got.Unmap() == addr.Unmap()
		case *dns.AAAA:
			got, ok := netip.AddrFromSlice(rr.AAAA)
			return ok && got == addr
		}
	}
	return strings.Contains(strings.TrimPrefix(rr.String(), rr.Header().String()), want)
}

func rcodeText(code int) string {
	if s, ok := dns.RcodeToString[code]; ok {
		return s
	}
	return fmt.Sprintf("response code %d", code)
}

func countRecords(n int) string {
	if n == 1 {
		return "1 record"
	}
	return fmt.Sprintf("%d records", n)
}
