package health

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// mysqlProber takes the greeting of a server of the MySQL protocol and begins a login without a name, which the server refuses. That is an answer:
// one that breaks off after the greeting counts as an error of the connection, and after max_connect_errors of them the server blocks this host.
type mysqlProber struct{ dial DialFunc }

func (p mysqlProber) Probe(ctx context.Context, t Target) (Answer, error) {
	start := time.Now()
	v, end, err := converse(ctx, p.dial, t)
	if err != nil {
		return Answer{}, err
	}
	defer end()
	body, _, err := v.mysqlPacket()
	if err != nil {
		return Answer{}, v.fault(err, "a greeting of MySQL")
	}
	hello, err := parseMySQLGreeting(body)
	if err != nil {
		return Answer{}, err
	}
	v.ask(mysqlPacket(1, mysqlLogin(hello)))
	for range maxMySQLRounds {
		body, seq, err := v.mysqlPacket()
		if err != nil {
			return Answer{}, v.fault(err, "an answer to the login")
		}
		switch kind := mysqlKind(body); kind {
		case mysqlOK:
			v.ask(mysqlPacket(0, []byte{1})) // COM_QUIT
			return Answer{Detail: passed(hello.version, start)}, nil
		case mysqlError:
			if e := parseMySQLError(body); !e.refusesLogin() {
				return Answer{}, e
			}
			return Answer{Detail: passed(hello.version, start)}, nil
		case mysqlGoOn:
			v.ask(mysqlPacket(seq+1, nil)) // no password
		default:
			return Answer{}, errors.New("not an answer of MySQL to a login")
		}
	}
	return Answer{}, fmt.Errorf("the login does not end after %d rounds", maxMySQLRounds)
}

const (
	maxMySQLPacket = 4 << 10 // bytes; a greeting has about 100
	maxMySQLRounds = 4       // of a login: another method, its data, the end
)

// errNotMySQL is what does not look like a packet.
var errNotMySQL = errors.New("not a greeting of MySQL")

// mysqlPacket reads one packet: three bytes of length, one of sequence, the body.
func (v *conversation) mysqlPacket() (body []byte, seq byte, err error) {
	head, err := v.bytes(4)
	if err != nil {
		return nil, 0, err
	}
	n := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	if n == 0 || n > maxMySQLPacket {
		return nil, 0, fmt.Errorf("%w: it begins with %q", errNotMySQL, tidy(string(head)))
	}
	body, err = v.bytes(n)
	return body, head[3], err
}

// mysqlPacket is a packet with the body.
func mysqlPacket(seq byte, body []byte) []byte {
	n := len(body)
	return append([]byte{byte(n), byte(n >> 8), byte(n >> 16), seq}, body...)
}

// mysqlGreeting is what is needed of protocol version 10's first packet.
type mysqlGreeting struct {
	version string
	plugin  string // method of authentication; "" = the server does not say
}

// parseMySQLGreeting reads the first packet. An error packet in its place is an error.
func parseMySQLGreeting(b []byte) (mysqlGreeting, error) {
	switch {
	case len(b) > 0 && b[0] == 0xff:
		return mysqlGreeting{}, parseMySQLError(b)
	case len(b) == 0 || b[0] != 10:
		return mysqlGreeting{}, errNotMySQL
	}
	version, rest, ok := strings.Cut(string(b[1:]), "\x00")
	// Thread, salt, filler, capabilities, character set, status, more capabilities, length of the salt, filler.
	const fixed = 4 + 8 + 1 + 2 + 1 + 2 + 2 + 1 + 10
	if !ok || version == "" || len(rest) < 4+8+1 {
		return mysqlGreeting{}, errNotMySQL
	}
	if real, ok := strings.CutPrefix(version, "5.5.5-"); ok && strings.Contains(real, "MariaDB") {
		version = real // what stands before it is for old replicas
	}
	g := mysqlGreeting{version: tidy(version)}
	if len(rest) < fixed {
		return g, nil // a server before 4.1
	}
	salt := max(13, int(rest[20])-8)
	if len(rest) >= fixed+salt {
		g.plugin, _, _ = strings.Cut(rest[fixed+salt:], "\x00")
	}
	return g, nil
}

// mysqlLogin is the answer to a greeting that has neither name nor password.
func mysqlLogin(g mysqlGreeting) []byte {
	const longPassword, protocol41, secure, pluginAuth = 1 << 0, 1 << 9, 1 << 15, 1 << 19
	b := binary.LittleEndian.AppendUint32(nil, longPassword|protocol41|secure|pluginAuth)
	b = binary.LittleEndian.AppendUint32(b, 1<<24)
	b = append(b, 33) // utf8
	b = append(b, make([]byte, 23)...)
	b = append(b, 0) // name
	b = append(b, 0) // length of the password
	return append(append(b, g.plugin...), 0)
}

// mysqlAnswer is a kind of packet in a login.
type mysqlAnswer uint8

const (
	mysqlOther mysqlAnswer = iota
	mysqlOK
	mysqlError
	mysqlGoOn // another method, or more of this one
)

func mysqlKind(b []byte) mysqlAnswer {
	if len(b) == 0 {
		return mysqlOther
	}
	switch b[0] {
	case 0x00:
		return mysqlOK
	case 0xff:
		return mysqlError
	case 0xfe, 0x01:
		return mysqlGoOn
	default:
		return mysqlOther
	}
}

// mysqlFault is an error packet.
type mysqlFault struct {
	code  int
	state string // SQLSTATE; "" = before the greeting there is none
	text  string
}

func parseMySQLError(b []byte) mysqlFault {
	e := mysqlFault{}
	if len(b) < 3 {
		return e
	}
	e.code, e.text = int(binary.LittleEndian.Uint16(b[1:])), string(b[3:])
	if len(e.text) >= 6 && e.text[0] == '#' {
		e.state, e.text = tidy(e.text[1:6]), e.text[6:]
	}
	e.text = tidy(e.text)
	return e
}

// Error is as MySQL's own client says it.
func (e mysqlFault) Error() string { return fmt.Sprintf("error %d: %s", e.code, e.text) }

// refusesLogin reports whether the server is well and only does not let this one in: access denied (SQLSTATE class 28), no such method of
// authentication, TLS required.
func (e mysqlFault) refusesLogin() bool {
	return strings.HasPrefix(e.state, "28") || slices.Contains([]int{1045, 1251, 1698, 3159, 4151}, e.code)
}
