package health

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// talker is one type of the checks that converse by TCP: what a server that is well says, all at once, before it is asked.
type talker struct {
	name   string
	target Target
	good   string // for as long as the probe needs
	ok     string // what the probe says then, as a pattern
}

var mysqlHello = "\x0a5.5.5-10.11.19-MariaDB\x00\x01\x00\x00\x0012345678\x00\xfe\xf7\x21\x02\x00\xff\x81\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00123456789012\x00mysql_native_password\x00"

func talkers() []talker {
	packet := func(seq byte, body string) string { return string(mysqlPacket(seq, []byte(body))) }
	return []talker{
		{"agent", Target{Type: TypeAgent}, "up 75% maxconn:30\n", `ok: agent says up 75% in .*; its maxconn is left to the server`},
		{"redis", Target{Type: TypeRedis}, "+PONG\r\n", `ok: PONG in .*`},
		{"redis role", Target{Type: TypeRedis, Protocols: Protocols{Redis: RedisQuery{Role: "replica"}}}, "+PONG\r\n*5\r\n$5\r\nslave\r\n", `ok: PONG, replica in .*`},
		{"mysql", Target{Type: TypeMySQL}, packet(0, mysqlHello) + packet(2, "\xfemysql_native_password\x00salt") + packet(4, "\xff\x15\x04#28000Access denied for user ''@'localhost'"), `ok: 10.11.19-MariaDB in .*`},
		{"postgres", Target{Type: TypePostgres}, "R\x00\x00\x00\x0c\x00\x00\x00\x05abcd", `ok: asks for a password in .*`},
		{"postgres trust", Target{Type: TypePostgres}, "R\x00\x00\x00\x08\x00\x00\x00\x00S\x00\x00\x00\x09a\x00bc\x00Z\x00\x00\x00\x05I", `ok: lets the role in in .*`},
		{"smtp", Target{Type: TypeSMTP}, "220-mail.example.org\r\n220 ready\r\n250-mail\r\n250 SIZE 5\r\n221 bye\r\n", `ok: 220 mail.example.org in .*`},
		{"dns over tcp", Target{Type: TypeDNS, Protocols: Protocols{DNS: DNSQuery{Transport: "tcp"}}}, "", ""},
		{"grpc", Target{Type: TypeGRPC}, "", ""},
	}
}

// TestPeersThatAreHostile has each conversation with servers that say too much, too little, nonsense or nothing: each ends in time, with words, and with bounded
// memory.
func TestPeersThatAreHostile(t *testing.T) {
	endless := func(piece string) func(net.Conn) {
		return func(c net.Conn) {
			b := bytes.Repeat([]byte(piece), 1+4096/len(piece))
			for {
				if _, err := c.Write(b); err != nil {
					return
				}
			}
		}
	}
	says := func(text string, stay bool) func(net.Conn) {
		return func(c net.Conn) {
			_, _ = io.WriteString(c, text)
			if stay {
				_, _ = io.Copy(io.Discard, c)
				return
			}
			// An ordinary end, whatever the probe has sent.
			_ = c.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, c)
		}
	}
	for _, k := range talkers() {
		peers := map[string]func(net.Conn){
			"silent":           says("", true),
			"closes":           says("", false),
			"endless zeros":    endless("\x00"),
			"endless letters":  endless("a"),
			"endless lines":    endless("a\r\n"),
			"endless greeting": endless("220-a\r\n"),
			"endless trust":    endless("R\x00\x00\x00\x08\x00\x00\x00\x00"),
			"endless mysql":    endless("\x01\x00\x00\x00\xfe"),
			"ssh":              says("SSH-2.0-OpenSSH_9.9\r\n\x00\xff\x01", false),
			"http":             says("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", false),
			"html":             says("<html>", true),
		}
		// The last of SMTP's lines may lack its end.
		for i := 0; i < len(k.good)-9; i += 5 {
			peers[fmt.Sprintf("closes after %d bytes", i)] = says(k.good[:i], false)
		}
		for name, peer := range peers {
			t.Run(k.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				target := k.target
				target.Addr, target.Timeout, target.Interval = listen(t, peer), 10*time.Second, 10*time.Second
				if strings.Contains(name, "silent") || name == "html" {
					target.Timeout = 100 * time.Millisecond
				}
				start := time.Now()
				detail, err := ask(t, target)
				if err == nil {
					t.Fatalf("it is well: %s", detail)
				}
				if errors.Is(err, ErrNotAsked) {
					t.Errorf("it is not the server's fault: %v", err)
				}
				if took := time.Since(start); took > 5*time.Second {
					t.Errorf("it took %v: %v", took, err)
				}
				if strings.Contains(err.Error(), "127.0.0.1") || err.Error() == "" {
					t.Errorf("words: %q", err)
				}
			})
		}
		if k.good == "" {
			continue
		}
		t.Run(k.name+"/byte by byte", func(t *testing.T) {
			target := k.target
			target.Addr = listen(t, func(c net.Conn) {
				for i := range len(k.good) {
					if _, err := io.WriteString(c, k.good[i:i+1]); err != nil {
						return
					}
				}
				_, _ = io.Copy(io.Discard, c)
			})
			target.Timeout, target.Interval = 10*time.Second, 10*time.Second
			detail, err := ask(t, target)
			wantText(t, detail, err, k.ok)
		})
	}
}

// TestConversationsAreSmall bounds what a hostile server may cost: megabytes that it sends are not kept.
func TestConversationsAreSmall(t *testing.T) {
	for _, k := range talkers() {
		target := k.target
		target.Timeout, target.Interval = 10*time.Second, 10*time.Second
		target.Addr = listen(t, func(c net.Conn) {
			b := bytes.Repeat([]byte("x"), 64<<10)
			for {
				if _, err := c.Write(b); err != nil {
					return
				}
			}
		})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := ask(t, target); err == nil {
			t.Errorf("%s: it is well", k.name)
		}
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
			t.Errorf("%s: one probe took %d bytes of memory", k.name, grown)
		}
	}
}

// TestWordsOfConversations are what an operator reads.
func TestWordsOfConversations(t *testing.T) {
	packet := func(seq byte, body string) string { return string(mysqlPacket(seq, []byte(body))) }
	pgError := func(code, text string) string {
		body := "SFATAL\x00C" + code + "\x00M" + text + "\x00\x00"
		return "E\x00\x00\x00" + string(rune(len(body)+4)) + body
	}
	role := func(r string) Target {
		return Target{Type: TypeRedis, Protocols: Protocols{Redis: RedisQuery{Role: r}}}
	}
	starttls := Target{Type: TypeSMTP, Protocols: Protocols{SMTP: SMTPQuery{StartTLS: true}}}
	for _, c := range []struct {
		target Target
		says   string
		want   string
	}{
		{Target{Type: TypeAgent}, "75%\n", `ok: agent says 75% in .*`},
		{Target{Type: TypeAgent}, "drain\r\n", `ok: agent says drain in .*`},
		{Target{Type: TypeAgent}, "down #disk is full\n", `agent says down: disk is full`},
		{Target{Type: TypeAgent}, "maint\n", `agent says maint`},
		{Target{Type: TypeAgent}, "up", `connection closed before the agent's line`},
		{Target{Type: TypeAgent}, "\n", `the agent's line is empty`},
		{Target{Type: TypeAgent}, "hello\n", `not an agent's line: there is no word "hello"`},
		{Target{Type: TypeAgent}, "up 999999%\n", `ok: agent says up 25600% in .*`},
		{Target{Type: TypeAgent}, "up 7O%\n", `ok: agent says up in .*; there is no word "7O%"`},
		{Target{Type: TypeAgent}, "-5%\n", `not an agent's line: there is no word "-5%"`},
		{Target{Type: TypeRedis}, "-NOAUTH Authentication required.\r\n", `ok: alive \(wants a login: NOAUTH\) in .*`},
		{Target{Type: TypeRedis}, "-LOADING Redis is loading the dataset in memory\r\n", `LOADING Redis is loading the dataset in memory`},
		{Target{Type: TypeRedis}, "-ERR max number of clients reached\r\n", `ERR max number of clients reached`},
		{Target{Type: TypeRedis}, "PONG\r\n", `not an answer to PING: "PONG"`},
		{role("master"), "+PONG\r\n*5\r\n$5\r\nslave\r\n", `role replica, want master`},
		{role("master"), "-NOAUTH x\r\n-NOAUTH Authentication required.\r\n", `it does not tell its role: NOAUTH Authentication required.`},
		{Target{Type: TypeMySQL}, packet(0, "\xff\x10\x04Too many connections"), `error 1040: Too many connections`},
		{Target{Type: TypeMySQL}, packet(0, "\xff\x69\x04Host '10.0.0.1' is blocked because of many connection errors"), `error 1129: Host '10.0.0.1' is blocked because of many connection errors`},
		{Target{Type: TypeMySQL}, packet(0, mysqlHello) + packet(2, "\xff\x1d\x04#08S01Server shutdown in progress"), `error 1053: Server shutdown in progress`},
		{Target{Type: TypeMySQL}, packet(0, mysqlHello) + packet(2, "\x00\x00\x00\x02\x00\x00\x00"), `ok: 10.11.19-MariaDB in .*`},
		{Target{Type: TypeMySQL}, packet(0, "\x095.0\x00"), `not a greeting of MySQL`},
		{Target{Type: TypeMySQL}, packet(0, mysqlHello), `connection closed before an answer to the login`},
		{Target{Type: TypePostgres}, pgError("57P03", "the database system is starting up"), `the database system is starting up \(57P03\)`},
		{Target{Type: TypePostgres}, pgError("53300", "sorry, too many clients already"), `sorry, too many clients already \(53300\)`},
		{Target{Type: TypePostgres}, pgError("28000", `role "quorate" does not exist`), `ok: role "quorate" does not exist \(28000\) in .*`},
		{Target{Type: TypePostgres}, "Ecould not fork new process for connection: no memory\n\x00", `could not fork new process for connection: no memory`},
		{Target{Type: TypePostgres}, "N", `connection closed before an answer to the login`},
		{Target{Type: TypeSMTP}, "554 no service here\r\n", `554 no service here; want 220 as a greeting`},
		{Target{Type: TypeSMTP}, "220 a\r\n502 what\r\n250 a\r\n221 bye\r\n", `ok: 220 a in .*`},
		{Target{Type: TypeSMTP}, "220 a\r\n421 busy\r\n", `421 busy; want 250 as an answer to EHLO`},
		{Target{Type: TypeSMTP}, "220 a\r\n250 a\r\n", `connection closed before an answer to QUIT`},
		{starttls, "220 a\r\n250-a\r\n250 SIZE 1\r\n", `it does not offer STARTTLS`},
		{starttls, "220 a\r\n250-a\r\n250 STARTTLS\r\n454 no\r\n", `454 no; want 220 as an answer to STARTTLS`},
		{starttls, "220 a\r\n250-a\r\n250 STARTTLS\r\n220 go\r\n250 injected\r\n", `it goes on in clear text where TLS begins`},
	} {
		c.target.Addr = listen(t, func(conn net.Conn) {
			_, _ = io.WriteString(conn, c.says)
			_ = conn.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, conn)
		})
		detail, err := ask(t, c.target)
		wantText(t, detail, err, c.want)
	}
}

func TestWeightOfAgents(t *testing.T) {
	for line, want := range map[string]Weight{
		"up":            {},
		"up 75%":        {Asked: true, Percent: true, Value: 75},
		"0%":            {Asked: true, Percent: true},
		"25600%":        {Asked: true, Percent: true, Value: 25600},
		"99999999999%":  {Asked: true, Percent: true, Value: 25600},
		"20%,30%":       {Asked: true, Percent: true, Value: 30},
		"drain":         {Asked: true, Percent: true},
		"drain 75%":     {Asked: true, Percent: true},
		"maint ready":   {},
		"down UP 10%":   {Asked: true, Percent: true, Value: 10},
		"ready 100% up": {Asked: true, Percent: true, Value: 100},
	} {
		said, err := parseAgent(line)
		if err != nil {
			t.Errorf("%q: %v", line, err)
			continue
		}
		if a, err := said.answer(time.Now()); err != nil || a.Weight != want {
			t.Errorf("%q: %+v %v, want %+v", line, a.Weight, err, want)
		}
	}
}

// TestAgentIsSent has an agent that answers what it is sent.
func TestAgentIsSent(t *testing.T) {
	at := listen(t, func(c net.Conn) {
		b := make([]byte, 6)
		if _, err := io.ReadFull(c, b); err == nil && string(b) == "state\n" {
			_, _ = io.WriteString(c, "up\n")
		}
	})
	detail, err := ask(t, Target{Type: TypeAgent, Addr: at, Protocols: Protocols{Agent: AgentQuery{Send: "state\n"}}})
	wantText(t, detail, err, "ok: agent says up in .*")
	detail, err = ask(t, Target{Type: TypeAgent, Addr: at, Timeout: 50 * time.Millisecond})
	wantText(t, detail, err, "connected, but the agent's line did not come within 50ms")
}

// TestProbesOfAClosedPort is what every type says when nobody listens.
func TestProbesOfAClosedPort(t *testing.T) {
	at := closedPort(t)
	for _, typ := range []Type{TypeGRPC, TypeSMTP, TypeAgent, TypeMySQL, TypePostgres, TypeRedis} {
		detail, err := ask(t, Target{Type: typ, Addr: at})
		wantText(t, detail, err, "connect: connection refused")
	}
	detail, err := ask(t, Target{Type: TypeUDP, Addr: at})
	wantText(t, detail, err, "port unreachable: nobody listens")
	detail, err = ask(t, Target{Type: TypeDNS, Addr: at})
	wantText(t, detail, err, "connection refused: nobody listens")
	detail, err = ask(t, Target{Type: TypeDNS, Addr: at, Protocols: Protocols{DNS: DNSQuery{Transport: "tcp"}}})
	wantText(t, detail, err, "connect: connection refused")
}
