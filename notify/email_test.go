package notify

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/mail"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"quorate/fsm"
)

// mailServer is an exim of the test's own, which keeps what it takes in its spool.
type mailServer struct{ addr, ca, spool string }

// serveMail has one serve each connection, as inetd does: so its port is nobody else's, and at the end none is left that would still write into the spool. It offers AUTH
// after STARTTLS only, to the user quorate, and knows no user nobody.
func serveMail(t *testing.T) mailServer {
	t.Helper()
	const program = "/usr/sbin/exim4"
	if _, err := os.Stat(program); err != nil {
		t.Skip("needs exim4: apt-get install exim4-daemon-light")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root: exim takes another configuration from root alone")
	}
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secretKey, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secretKey}))
	write("exim.conf", []byte(strings.NewReplacer("DIR", dir).Replace(`
primary_hostname = mail.example.org
spool_directory = DIR/spool
log_file_path = DIR/spool/%slog
queue_only = true
tls_advertise_hosts = *
tls_certificate = DIR/cert.pem
tls_privatekey = DIR/key.pem
host_lookup =
rfc1413_hosts =
acl_smtp_rcpt = rcpt
begin acl
rcpt:
  deny !authenticated = *
       message = authentication required
  deny local_parts = nobody
       message = no such user
  defer local_parts = later
       message = try again later
  accept
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{quorate}}{eq{$auth3}{right password}}}}
  server_set_id = $auth2
  server_advertise_condition = ${if def:tls_in_cipher}
`)))
	spool := filepath.Join(dir, "spool")
	if err := os.Mkdir(spool, 0o755); err != nil {
		t.Fatal(err)
	}
	u, err := user.Lookup("Debian-exim")
	if err != nil {
		t.Skip("needs exim4: apt-get install exim4-daemon-light (", err, ")")
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(spool, uid, gid); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				socket, err := c.(*net.TCPConn).File()
				if err != nil {
					t.Error(err)
					return
				}
				defer socket.Close()
				cmd := exec.Command(program, "-C", filepath.Join(dir, "exim.conf"), "-bs")
				cmd.Stdin, cmd.Stdout = socket, socket
				if err := cmd.Start(); err != nil {
					t.Error(err)
					return
				}
				_, _ = socket.Close(), c.Close() // it has its own
				_ = cmd.Wait()                   // a conversation that is broken off is a failure to it
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return mailServer{l.Addr().String(), filepath.Join(dir, "cert.pem"), spool}
}

// taken are the files of the mails that the server has taken: headers (-H) or bodies (-D).
func (m mailServer) taken(t *testing.T, suffix string) (out []string) {
	t.Helper()
	files, err := filepath.Glob(m.spool + "/input/*" + suffix)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(b))
	}
	return out
}

func TestMail(t *testing.T) {
	srv := serveMail(t)
	good := email{fsm.Email{Server: srv.addr, From: "quorate@example.org", To: []string{"ops@example.org", "b+c@example.org"}, CA: srv.ca, User: "quorate",
		PasswordFile: file(t, "right password\n", 0o600)}}
	send := func(x email) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		return x.Send(ctx, flap())
	}
	if said, err := send(good); err != nil || said != "taken by "+srv.addr {
		t.Fatalf("%q, %v", said, err)
	}
	heads, bodies := srv.taken(t, "-H"), srv.taken(t, "-D")
	if len(heads) != 1 || len(bodies) != 1 {
		t.Fatalf("the server has %d mails", len(heads))
	}
	for _, want := range []string{"-auth_id quorate", "-tls_cipher", "\nops@example.org\n", "b+c@example.org", "Message-ID: <c1-7.0.to.hook@quorate.invalid>", "Auto-Submitted: auto-generated",
		"[quorate_c1]_assign:_web"} {
		if !strings.Contains(heads[0], want) && !strings.Contains(heads[0], strings.ToLower(want)) {
			t.Errorf("no %q in\n%s", want, heads[0])
		}
	}
	for _, want := range []string{"2026-11-20 12:00:00.000Z  assign", "vip: web", "id: c1-7.0"} {
		if !strings.Contains(bodies[0], want) {
			t.Errorf("no %q in\n%s", want, bodies[0])
		}
	}
	for name, tt := range map[string]struct {
		change  func(*email)
		want    string
		refused bool
	}{
		"wrong password": {change: func(x *email) { x.PasswordFile = file(t, "wrong", 0o600) }, want: "535"},
		"no user":        {change: func(x *email) { x.User, x.PasswordFile = "", "" }, want: "authentication required", refused: true},
		"no recipient":   {change: func(x *email) { x.To = []string{"nobody@example.org"} }, want: "no such user", refused: true},
		"one of two":     {change: func(x *email) { x.To = []string{"ops@example.org", "nobody@example.org"} }, want: "no such user", refused: true},
		"later":          {change: func(x *email) { x.To = []string{"later@example.org"} }, want: "try again later"},
		"not trusted":    {change: func(x *email) { x.CA = "" }, want: "certificate"},
		"in the clear":   {change: func(x *email) { x.NoTLS, x.CA, x.User, x.PasswordFile = true, "", "", "" }, want: "authentication required", refused: true},
		"nobody there":   {change: func(x *email) { x.Server = "127.0.0.1:1" }, want: "connection refused"},
		"no password":    {change: func(x *email) { x.PasswordFile = "/nonexistent" }, want: "password_file /nonexistent: no such file"},
	} {
		x := good
		tt.change(&x)
		_, err := send(x)
		if err == nil || !strings.Contains(err.Error(), tt.want) || errors.As(err, new(Refused)) != tt.refused || strings.Contains(err.Error(), "right password") {
			t.Errorf("%s: %v, want %q, refused %t", name, err, tt.want, tt.refused)
		}
	}
	if n := len(srv.taken(t, "-H")); n != 1 {
		t.Errorf("the server has %d mails", n)
	}
}

// A mail server that does not play by the rules costs bounded time.
func TestHostileMailServer(t *testing.T) {
	for name, talk := range map[string]func(c net.Conn){
		"silent":  func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) },
		"garbage": func(c net.Conn) { _, _ = c.Write([]byte("\x00\xff\x00\r\n\r\n\r\n")) },
		"endless line": func(c net.Conn) {
			for {
				if _, err := c.Write(bytes.Repeat([]byte("2"), 1<<16)); err != nil {
					return
				}
			}
		},
		"endless greeting": func(c net.Conn) {
			for {
				if _, err := c.Write([]byte("220-more\r\n")); err != nil {
					return
				}
			}
		},
		"drip": func(c net.Conn) {
			for {
				if _, err := c.Write([]byte("2")); err != nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		},
		"no STARTTLS": func(c net.Conn) {
			_, _ = fmt.Fprint(c, "220 x\r\n")
			_, _ = c.Read(make([]byte, 100))
			_, _ = fmt.Fprint(c, "250 x\r\n")
			_, _ = c.Read(make([]byte, 100))
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				c, err := l.Accept()
				if err != nil {
					return
				}
				talk(c)
				_ = c.Close()
			}()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			began := time.Now()
			_, err = email{fsm.Email{Server: l.Addr().String(), From: "a@example.org", To: []string{"b@example.org"}}}.Send(ctx, flap())
			if err == nil || errors.As(err, new(Refused)) || time.Since(began) > 5*time.Second || len(err.Error()) > 400 {
				t.Errorf("%v after %v", err, time.Since(began))
			}
			_ = l.Close()
			<-done
		})
	}
}

func TestMessageID(t *testing.T) {
	m := flap()
	m.Events = append(m.Events, Notice{"c1-9.2", fsm.Event{Index: 9, N: 2}})
	m.Cluster = "ü b"
	for i := range m.Events {
		m.Events[i].ID = EventID(m.Cluster, m.Events[i].Place())
	}
	id := messageID(m)
	if _, err := mail.ParseAddress("<" + id + ">"); err != nil || strings.ContainsAny(id, " ü") || !strings.Contains(id, "9.2") {
		t.Errorf("%q: %v", id, err)
	}
}
