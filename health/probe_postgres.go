package health

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
)

// PostgresQuery is the part of a Target that only PostgreSQL has.
type PostgresQuery struct {
	User     string `json:"user,omitempty"` // whose login is begun
	Database string `json:"database,omitempty"`
}

// postgresProber begins a login as pg_isready does. A server that asks for a password is well, and so is one that does not know the role or the
// database; one that starts, ends or has no room is not.
type postgresProber struct{ dial DialFunc }

func (p postgresProber) Probe(ctx context.Context, t Target) (Answer, error) {
	start := time.Now()
	v, end, err := converse(ctx, p.dial, t)
	if err != nil {
		return Answer{}, err
	}
	defer end()
	v.ask(postgresStartup(t.Postgres))
	said := ""
	for {
		kind, body, err := v.postgresMessage()
		if err != nil {
			return Answer{}, v.fault(err, "an answer to the login")
		}
		switch kind {
		case 'R':
			if len(body) < 4 {
				return Answer{}, errNotPostgres
			}
			// With anything but 0 it waits for a password. It says nothing in its log when the connection ends there.
			if said = "asks for a password"; binary.BigEndian.Uint32(body) != 0 {
				return Answer{Detail: passed(said, start)}, nil
			}
			said = "lets the role in"
		case 'E':
			e := parsePostgresError(body)
			if e.ill() {
				return Answer{}, e
			}
			return Answer{Detail: passed(e.Error(), start)}, nil
		case 'Z':
			v.ask([]byte{'X', 0, 0, 0, 4})
			return Answer{Detail: passed(said, start)}, nil
		case 'S', 'K', 'N', 'v': // what a server says of itself to one that it has let in
		default:
			return Answer{}, errNotPostgres
		}
	}
}

// maxPostgresMessage bounds one message, in bytes.
const maxPostgresMessage = 8 << 10

var errNotPostgres = errors.New("not an answer of PostgreSQL")

// postgresMessage reads one message: a letter, four bytes of length that count themselves, the body. What a server says that could not even start a
// process is text without a length.
func (v *conversation) postgresMessage() (kind byte, body []byte, err error) {
	head, err := v.bytes(5)
	if err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	switch {
	case 4 <= n && n <= maxPostgresMessage:
		body, err = v.bytes(int(n) - 4)
		return head[0], body, err
	case head[0] == 'E' && head[1] >= 0x20:
		text, _ := v.in.ReadString(0)
		return 'E', append([]byte{'M'}, string(head[1:])+text...), nil
	default:
		return 0, nil, fmt.Errorf("%w: it begins with %q", errNotPostgres, tidy(string(head)))
	}
}

// postgresStartup is the first message of a login, by protocol 3.0.
func postgresStartup(q PostgresQuery) []byte {
	body := binary.BigEndian.AppendUint32(nil, 3<<16)
	for _, s := range []string{"user", q.User, "database", q.Database, "application_name", "quorate", ""} {
		body = append(append(body, s...), 0)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4)), body...)
}

// postgresFault is an error message of a server.
type postgresFault struct{ code, text string }

// parsePostgresError reads the fields of an error: a letter and a text each.
func parsePostgresError(body []byte) postgresFault {
	e := postgresFault{}
	for _, field := range strings.Split(string(body), "\x00") {
		switch {
		case strings.HasPrefix(field, "C"):
			e.code = tidy(field[1:])
		case strings.HasPrefix(field, "M"):
			e.text = tidy(strings.TrimSpace(field[1:]))
		}
	}
	return e
}

// Error is as PostgreSQL's own client says it.
func (e postgresFault) Error() string {
	switch {
	case e.text == "" && e.code == "":
		return "an error without words"
	case e.code == "":
		return e.text
	}
	return fmt.Sprintf("%s (%s)", e.text, e.code)
}

// ill reports whether the error tells of the server, and not of the login: it starts or ends (class 57), has no room (53), or is broken (58, XX, or
// no class at all). A role or database that does not exist, or an address that is not let in, are in other classes.
func (e postgresFault) ill() bool {
	for _, class := range []string{"53", "57", "58", "XX", "F0"} {
		if strings.HasPrefix(e.code, class) {
			return true
		}
	}
	return e.code == ""
}
