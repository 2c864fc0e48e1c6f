package checks

import (
	"bufio"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
)

func TestRedis(t *testing.T) {
	t.Parallel()
	path := program(t, "redis-server", "/usr/bin/redis-server")
	at := freePort(t)
	s := serve(t, at, nil, path, "--bind", "127.0.0.1", "--port", strconv.Itoa(int(at.Port())), "--save", "", "--appendonly", "no", "--dir", directory(t))
	ask := func(keys, condition string, well bool) { ask(t, "redis", keys, at, "Redis", condition, well) }
	ask("", "well", true)
	ask(`role = "master"`, "well, and a master is wanted", true)
	ask(`role = "replica"`, "well, and a replica is wanted", false)
	redis(t, at, "REPLICAOF 127.0.0.1 1")
	ask(`role = "replica"`, "a replica that has lost its master", true)
	redis(t, at, "REPLICAOF NO ONE")
	hold := redis(t, at, "CONFIG SET maxclients 1")
	ask("", "no room for another client", false)
	hold("CONFIG SET maxclients 100")
	redis(t, at, "CONFIG SET requirepass secret")
	ask("", "wants a password", true)
	ask(`role = "master"`, "wants a password, and a master is wanted", false)
	ills(t, "redis", "", "Redis", s, at, 3)
}

// redis has a server carry out a command, and may have it carry out more on the same connection.
func redis(t *testing.T, at netip.AddrPort, command string) (more func(command string)) {
	t.Helper()
	c, err := net.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	in := bufio.NewReader(c)
	more = func(command string) {
		if _, err := c.Write([]byte(command + "\r\n")); err != nil {
			t.Fatal(err)
		}
		if line, err := in.ReadString('\n'); !strings.HasPrefix(line, "+OK") {
			t.Fatalf("%s: %q %v", command, line, err)
		}
	}
	more(command)
	return more
}
