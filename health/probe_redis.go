package health

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// RedisQuery is the part of a Target that only Redis has.
type RedisQuery struct {
	Role string `json:"role,omitempty"` // that it must have: master or replica; "" = any
}

// redisProber asks a server of the Redis protocol for a PONG. One that wants a password first is alive.
type redisProber struct{ dial DialFunc }

func (p redisProber) Probe(ctx context.Context, t Target) (Answer, error) {
	start := time.Now()
	v, end, err := converse(ctx, p.dial, t)
	if err != nil {
		return Answer{}, err
	}
	defer end()
	v.ask([]byte("PING\r\n"))
	line, err := v.line()
	if err != nil {
		return Answer{}, v.fault(err, "an answer to PING")
	}
	said, alive := parsePong(line)
	if !alive {
		return Answer{}, fmt.Errorf("%s", said)
	}
	if t.Redis.Role == "" {
		return Answer{Detail: passed(said, start)}, nil
	}
	v.ask([]byte("ROLE\r\n"))
	role, err := v.redisRole()
	if err != nil {
		return Answer{}, err
	}
	if role != t.Redis.Role {
		return Answer{}, fmt.Errorf("role %s, want %s", role, t.Redis.Role)
	}
	return Answer{Detail: passed(said+", "+role, start)}, nil
}

// parsePong puts the answer to PING into words, and reports whether the server is alive by it.
func parsePong(line string) (said string, alive bool) {
	word, _, _ := strings.Cut(line, " ")
	switch {
	case line == "+PONG":
		return "PONG", true
	case word == "-NOAUTH", word == "-NOPERM":
		return "alive (wants a login: " + tidy(word[1:]) + ")", true
	case strings.HasPrefix(line, "-") && len(word) > 1:
		return tidy(line[1:]), false
	default:
		return fmt.Sprintf("not an answer to PING: %q", tidy(line)), false
	}
}

// redisRole reads the beginning of the answer to ROLE: an array whose first element is a word.
func (v *conversation) redisRole() (string, error) {
	head, err := v.line()
	if err != nil {
		return "", v.fault(err, "an answer to ROLE")
	}
	if strings.HasPrefix(head, "-") {
		return "", fmt.Errorf("it does not tell its role: %s", tidy(head[1:]))
	}
	size, err := v.line()
	if err != nil {
		return "", v.fault(err, "an answer to ROLE")
	}
	word, err := v.line()
	if err != nil {
		return "", v.fault(err, "an answer to ROLE")
	}
	return parseRole(head, size, word)
}

// parseRole reads the first three lines of the answer to ROLE.
func parseRole(head, size, word string) (string, error) {
	if !strings.HasPrefix(head, "*") || size != "$"+strconv.Itoa(len(word)) {
		return "", fmt.Errorf("not an answer to ROLE: %q", tidy(head))
	}
	if word == "slave" {
		return "replica", nil // as it is called since 5.0
	}
	return tidy(word), nil
}
