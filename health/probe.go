package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"
)

// Prober asks a target once. ctx carries the deadline (the target's Timeout) and ends the probe wherever it is. A nil
// error is a success; both the detail of a success and the text of an error are sentences for a person.
type Prober interface {
	Probe(ctx context.Context, t Target) (Answer, error)
}

// Answer is what a target that is well said.
type Answer struct {
	Detail string // a sentence for a person
	Weight Weight // that it asks for
}

// Weight is the share of new connections that a target asks for itself. The zero value is none: it asks for nothing.
type Weight struct {
	Asked   bool `json:"asked,omitempty"`
	Percent bool `json:"percent,omitempty"` // of its configured weight; else in its place
	Value   int  `json:"value,omitempty"`   // 0 = no new connections
}

// ErrNotAsked is in the chain of an error that tells of this machine, not of the target: no file descriptor, no local
// port, no memory. Such a result moves no verdict; a director that is out of sockets must not call good servers dead.
var ErrNotAsked = errors.New("not asked")

// probers maps each type to what carries it out. A new kind of probe is one file and one line here.
func probers(plain DialFunc, through ThroughFunc) map[Type]Prober {
	dial := way(plain, through)
	secure := newTLSClients()
	return map[Type]Prober{
		TypeTCP:   tcpProber{dial, secure, newPatterns()},
		TypeHTTP:  newHTTPProber(dial, nil),
		TypeHTTPS: newHTTPProber(dial, secure),

		TypeGRPC:     newGRPCProber(dial, secure),
		TypeSMTP:     smtpProber{dial: dial, secure: secure},
		TypeDNS:      dnsProber{dial},
		TypeUDP:      udpProber{dial},
		TypePing:     pingProber{dial},
		TypeAgent:    agentProber{dial},
		TypeMySQL:    mysqlProber{dial},
		TypePostgres: postgresProber{dial},
		TypeRedis:    redisProber{dial},
	}
}

// unknownProber stands for a type that this version does not have.
type unknownProber struct{}

func (unknownProber) Probe(_ context.Context, t Target) (Answer, error) {
	return Answer{}, fmt.Errorf("%w: this version has no check of type %q", ErrNotAsked, t.Type)
}

// connect dials the target and puts the error into words.
func connect(ctx context.Context, dial DialFunc, network string, t Target) (net.Conn, error) {
	c, err := dial(ctx, network, t)
	if err == nil {
		return c, nil
	}
	return nil, noConnection(err, timedOut(ctx, err), t)
}

// noConnection puts into words why there is no connection to the target.
func noConnection(err error, late bool, t Target) error {
	if errors.Is(err, ErrNotAsked) {
		return bare(err)
	}
	for _, local := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, local) {
			return fmt.Errorf("%w: %w", ErrNotAsked, bare(err))
		}
	}
	if late {
		return fmt.Errorf("no answer within %v", t.Timeout)
	}
	return bare(err)
}

// bound has whatever c is blocked in end when ctx does, whether time ran out or the caller gave up, until stop is called.
func bound(ctx context.Context, c net.Conn) (stop func() bool) {
	return context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
}

// bare strips the layers that repeat the address: "dial tcp 10.0.0.1:80: connect: connection refused" becomes
// "connect: connection refused".
func bare(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

// timedOut tells the probe's own deadline from the kernel's ETIMEDOUT, which keeps its own words.
func timedOut(ctx context.Context, err error) bool {
	return errors.Is(ctx.Err(), context.DeadlineExceeded) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

// maxDetail bounds what one result says, in bytes: details travel to the leader and into the log.
const maxDetail = 200

// tidy makes text that may hold a server's own bytes fit for a log line: printable, and at most maxDetail bytes.
func tidy(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '.'
	}, strings.ToValidUTF8(s, "."))
	if len(s) <= maxDetail {
		return s
	}
	cut := maxDetail - len("…")
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// since rounds a latency to what a person reads.
func since(start time.Time) time.Duration { return rounded(time.Since(start)) }

func rounded(d time.Duration) time.Duration {
	switch {
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	case d > time.Millisecond:
		return d.Round(10 * time.Microsecond)
	default:
		return d.Round(time.Microsecond)
	}
}
