package checks

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMySQL(t *testing.T) {
	t.Parallel()
	path := program(t, "mariadb-server-core", "/usr/sbin/mariadbd")
	dir := directory(t)
	as := "--user=" + userName(t)
	if err := os.Mkdir(dir+"/data", 0o777); err != nil {
		t.Fatal(err)
	}
	setup := exec.Command(path, "--no-defaults", "--bootstrap", "--datadir="+dir+"/data", as)
	setup.Stdin = strings.NewReader("create database mysql;\nuse mysql;\n" + sql(t, "mysql_system_tables.sql") + sql(t, "mysql_performance_tables.sql"))
	if out, err := setup.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out[max(0, len(out)-2000):])
	}
	at := freePort(t)
	s := serve(t, at, nil, path, "--no-defaults", "--datadir="+dir+"/data", as, "--socket="+dir+"/socket", "--port="+strconv.Itoa(int(at.Port())),
		"--bind-address=127.0.0.1", "--max-connections=10", "--max-connect-errors=1", "--innodb-buffer-pool-size=8M")
	ask(t, "mysql", "", at, "MariaDB", "well", true)
	for range 5 {
		if _, err := probe(t, "mysql", "", at); err != nil {
			t.Errorf("a probe counts against this host: %v", err)
		}
	}
	var held []net.Conn
	for range 11 { // one more than the rest is let in, for the administrator
		c, err := net.Dial("tcp", at.String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 128)); err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	ask(t, "mysql", "", at, "MariaDB", "no room for another client", false)
	for _, c := range held {
		c.Close()
	}
	ills(t, "mysql", "", "MariaDB", s, at, 20)
}

// sql is a file of those that make MariaDB's own tables.
func sql(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("/usr/share/mysql/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func userName(t *testing.T) string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	bin := filepath.Dir(program(t, "postgresql-15", "/usr/lib/postgresql/*/bin/postgres"))
	dir := directory(t)
	var as *syscall.Credential // the server does not run as root
	if os.Geteuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Skip("there is no user postgres")
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	data := dir + "/data"
	setup := exec.Command(bin+"/initdb", "-D", data, "-U", "postgres", "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync", "--no-instructions")
	setup.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	setup.Dir = dir
	if out, err := setup.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	hba := func(rule string) {
		if err := os.WriteFile(data+"/pg_hba.conf", []byte("local all all trust\n"+rule+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	at := freePort(t)
	run := func(more ...string) *server {
		argv := append([]string{bin + "/postgres", "-D", data, "-p", strconv.Itoa(int(at.Port())), "-k", dir, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
			"-c", "shared_buffers=1MB", "-c", "max_connections=10"}, more...)
		return serve(t, at, as, argv...)
	}
	ask := func(keys, condition string, well bool) { ask(t, "postgres", keys, at, "PostgreSQL", condition, well) }

	hba("host all all 127.0.0.1/32 scram-sha-256")
	s := run()
	waitFor(t, func() bool {
		_, err := probe(t, "postgres", "", at)
		return err == nil
	})
	ask("", "well, and wants a password", true)
	hba("")
	s.signal(t, syscall.SIGHUP)
	waitFor(t, func() bool {
		a, err := probe(t, "postgres", "", at)
		return err == nil && strings.Contains(a.Detail, "pg_hba")
	})
	ask("", "well, but does not let this host in", true)
	hba("host all all 127.0.0.1/32 trust")
	s.signal(t, syscall.SIGHUP)
	waitFor(t, func() bool {
		a, err := probe(t, "postgres", "", at)
		return err == nil && strings.Contains(a.Detail, "role")
	})
	ask("", "well, but does not know the role", true)
	ask(`user = "postgres"; database = "nothing"`, "well, but does not know the database", true)
	ask(`user = "postgres"`, "well, and lets the role in", true)

	// A server that is asked to end waits for this session.
	session := exec.Command(bin+"/psql", "-h", dir, "-p", strconv.Itoa(int(at.Port())), "-U", "postgres", "-At", "-c", "select 1", "-c", "select pg_sleep(60)")
	out, err := session.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscanln(out, new(int)); err != nil {
		t.Logf("psql: %v", err)
	}
	if err := syscall.Kill(s.cmd.Process.Pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool {
		_, err := probe(t, "postgres", "", at)
		return err != nil
	})
	ask("", "shutting down", false)
	s.signal(t, syscall.SIGINT) // now it ends its sessions
	_ = session.Wait()
	<-s.done

	place(t, data, "standby.signal", "")
	s = run("-c", "hot_standby=off", "-c", "restore_command=false")
	waitFor(t, func() bool {
		_, err := probe(t, "postgres", "", at)
		return err != nil && strings.Contains(err.Error(), "not accepting")
	})
	ask("", "a standby that answers no queries", false)
	ills(t, "postgres", "", "PostgreSQL", s, at, 3)
}

// waitFor waits for a server to have taken a change.
func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come")
		}
	}
}
