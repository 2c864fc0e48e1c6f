package checks

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"quorate/health"
	"quorate/health/certtest"
)

// patient is a target with time enough for a machine that is busy; hasty is one for peers that do not answer.
const (
	patient = 10 * time.Second
	hasty   = time.Second
)

func web(typ health.Type, port uint16, url health.URL, change ...func(*health.Target)) health.Target {
	target := health.Target{Type: typ, Addr: local(port), Interval: patient, Timeout: patient, HTTP: health.HTTP{URLs: []health.URL{url}}}
	for _, c := range change {
		c(&target)
	}
	return target
}

func within(d time.Duration) func(*health.Target) {
	return func(t *health.Target) { t.Interval, t.Timeout = d, d }
}

func version2(t *health.Target) { t.HTTP.Version = "2" }

func secured(x health.TLS) func(*health.Target) {
	return func(t *health.Target) { t.TLS = x }
}

// bundle is a file with a certificate and its key, as HAProxy wants it.
func bundle(t *testing.T, c tls.Certificate) string {
	t.Helper()
	cert, key := certtest.Files(t, c)
	var text []byte
	for _, path := range []string{cert, key} {
		part, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, part...)
	}
	return write(t, "bundle.pem", string(text))
}

func TestNginx(t *testing.T) {
	program := needs(t, "nginx", "nginx")
	ca := certtest.New(t, "Test CA")
	cert, key := certtest.Files(t, ca.Issue([]string{"www.example.org"}))
	root := t.TempDir()
	large := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	for name, text := range map[string]string{"index.html": "all is fine\n", "large": large} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	ports := free(t, 3)
	config := write(t, "nginx.conf", fmt.Sprintf(`
daemon off; master_process off; pid %[1]s/pid; error_log stderr;
events {}
http {
  access_log off; sendfile off;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
  server {
    listen 127.0.0.1:%[2]d;
    listen 127.0.0.1:%[3]d http2;
    listen 127.0.0.1:%[4]d ssl http2;
    ssl_certificate %[5]s; ssl_certificate_key %[6]s;
    root %[1]s;
    location = /503 { return 503; }
    location = /moved { return 302 /; }
    location = /away { return 302 https://login.example.org/; }
    location = /trickle { alias %[1]s/large; limit_rate 20k; }
  }
}
`, root, ports[0], ports[1], ports[2], cert, key))
	p := start(t, ports, program, "-c", config)
	sum := sha256.Sum256([]byte(large))
	digest := health.Body{SHA256: hex.EncodeToString(sum[:])}
	for _, x := range []struct {
		name   string
		typ    health.Type
		port   uint16
		change []func(*health.Target)
	}{
		{"nginx", health.TypeHTTP, ports[0], nil},
		{"nginx, HTTP/2", health.TypeHTTP, ports[1], []func(*health.Target){version2}},
		{"nginx", health.TypeHTTPS, ports[2], []func(*health.Target){secured(health.TLS{CA: ca.File(), ServerName: "www.example.org"})}},
		{"nginx, HTTP/2", health.TypeHTTPS, ports[2], []func(*health.Target){version2, secured(health.TLS{CA: ca.File(), ServerName: "www.example.org"})}},
	} {
		ask := func(u health.URL, more ...func(*health.Target)) health.Target {
			return web(x.typ, x.port, u, append(x.change, more...)...)
		}
		hold(t, x.name, "well", ask(health.URL{Path: "/"}), true)
		hold(t, x.name, "page contains the text", ask(health.URL{Path: "/", Body: health.Body{Contains: "fine"}}), true)
		hold(t, x.name, "page does not contain the text", ask(health.URL{Path: "/", Body: health.Body{Contains: "good"}}), false)
		hold(t, x.name, "page matches not_regex", ask(health.URL{Path: "/", Body: health.Body{NotRegex: "f.ne"}}), false)
		hold(t, x.name, "1 MiB, right digest", ask(health.URL{Path: "/large", Body: digest}), true)
		hold(t, x.name, "another digest", ask(health.URL{Path: "/", Body: digest}), false)
		hold(t, x.name, "failing: 503", ask(health.URL{Path: "/503"}), false)
		hold(t, x.name, "redirect", ask(health.URL{Path: "/moved"}), false)
		hold(t, x.name, "redirect, redirects = 1", ask(health.URL{Path: "/moved"}, func(t *health.Target) { t.HTTP.Redirects = 1 }), true)
		hold(t, x.name, "redirect to another server, redirects = 1", ask(health.URL{Path: "/away"}, func(t *health.Target) { t.HTTP.Redirects = 1 }), false)
		hold(t, x.name, "slow: a page of 1 MiB at 20 kB/s", ask(health.URL{Path: "/trickle", Body: digest}, within(hasty)), false)
		p.stopped(func() {
			hold(t, x.name, "half-open: stopped (SIGSTOP)", ask(health.URL{Path: "/"}, within(hasty)), false)
		})
		p.midway(x.name, "stopped in the middle of the answer", ask(health.URL{Path: "/trickle", Body: digest}, within(2*hasty)), 10_000, func() { p.signal(syscall.SIGSTOP) })
		p.signal(syscall.SIGCONT)
	}
	hold(t, "nginx", "HTTP asked where it speaks TLS", web(health.TypeHTTP, ports[2], health.URL{}), false)
	hold(t, "nginx", "TLS asked where it speaks HTTP", web(health.TypeHTTPS, ports[0], health.URL{}), false)
	hold(t, "nginx", "HTTP/2 asked where it speaks 1.1", web(health.TypeHTTP, ports[0], health.URL{}, version2), false)

	hold(t, "nginx", "well", health.Target{Type: health.TypeTCP, Addr: local(ports[0])}, true)
	head := `send = "HEAD / HTTP/1.0\r\n\r\n"; `
	verified := fmt.Sprintf(`tls = true; ca = %q; server_name = "www.example.org"; `, ca.File())
	ask(t, "tcp", head+`expect = " 200 "`, local(ports[0]), "nginx", "says what is expected", true)
	ask(t, "tcp", `timeout = "1s"; `+head+`expect_regex = "^HTTP/1.1 5"`, local(ports[0]), "nginx", "says something else", false)
	ask(t, "tcp", verified+head+`expect = " 200 "`, local(ports[2]), "nginx", "says what is expected, with TLS", true)
	ask(t, "tcp", `tls = true; server_name = "www.example.org"`, local(ports[2]), "nginx", "its certificate is by an authority that nobody knows", false)
	ask(t, "tcp", `half_open = true`, local(ports[0]), "nginx", "well, half_open", true)
	ask(t, "tcp", `tls = true`, local(ports[0]), "nginx", "TLS asked where it speaks HTTP", false)
	p.stopped(func() {
		ask(t, "tcp", `timeout = "1s"; `+head+`expect = " 200 "`, local(ports[0]), "nginx", "stopped (SIGSTOP), something is expected", false)
		ask(t, "tcp", `timeout = "1s"; `+verified, local(ports[2]), "nginx", "stopped (SIGSTOP), with TLS", false)
		hold(t, "nginx", "stopped (SIGSTOP): the kernel connects", health.Target{Type: health.TypeTCP, Addr: local(ports[0])}, true)
		ask(t, "tcp", `half_open = true`, local(ports[0]), "nginx", "stopped (SIGSTOP): the kernel answers, half_open", true)
	})
	p.midway("nginx", "killed in the middle of the answer", web(health.TypeHTTPS, ports[2], health.URL{Path: "/trickle", Body: digest},
		secured(health.TLS{CA: ca.File(), ServerName: "www.example.org"})), 10_000, p.kill)
	hold(t, "nginx", "killed", health.Target{Type: health.TypeTCP, Addr: local(ports[0])}, false)
	ask(t, "tcp", `half_open = true`, local(ports[0]), "nginx", "killed, half_open", false)
	hold(t, "nginx", "killed", web(health.TypeHTTP, ports[0], health.URL{}), false)
	hold(t, "nginx", "killed", web(health.TypeHTTPS, ports[2], health.URL{}), false)

	// By HTTP/1.1 and 2 as well, which end in other ways.
	for name, change := range map[string]func(*health.Target){"nginx": func(*health.Target) {}, "nginx, HTTP/2": version2} {
		p := start(t, ports, program, "-c", config)
		port := ports[0]
		if name != "nginx" {
			port = ports[1]
		}
		p.midway(name, "killed in the middle of the answer", web(health.TypeHTTP, port, health.URL{Path: "/trickle", Body: digest}, change), 10_000, p.kill)
	}
}

func TestHAProxy(t *testing.T) {
	program := needs(t, "haproxy", "haproxy")
	ca, other := certtest.New(t, "Test CA"), certtest.New(t, "Other CA")
	ports := free(t, 4)
	config := write(t, "haproxy.cfg", fmt.Sprintf(`
global
  stats socket ipv4@127.0.0.1:%[4]d level user
defaults
  mode http
  timeout client 30s
  timeout connect 5s
  timeout server 30s
frontend secure
  bind 127.0.0.1:%[1]d ssl crt %[5]s alpn h2,http/1.1
  http-request return status 200 content-type text/plain string "all is fine" if { path / }
  timeout tarpit 30s
  http-request tarpit if { path /tarpit }
  default_backend none
frontend certified
  bind 127.0.0.1:%[2]d ssl crt %[5]s ca-file %[6]s verify required
  http-request return status 200
frontend plain
  bind 127.0.0.1:%[3]d
  http-request return status 200
backend none
  server gone 127.0.0.1:1
`, ports[0], ports[1], ports[2], ports[3], bundle(t, ca.Issue([]string{"www.example.org"})), ca.File()))
	p := start(t, ports, program, "-db", "-f", config)
	x := health.TLS{CA: ca.File(), ServerName: "www.example.org"}
	for name, change := range map[string]func(*health.Target){"HAProxy": func(*health.Target) {}, "HAProxy, HTTP/2": version2} {
		hold(t, name, "well", web(health.TypeHTTPS, ports[0], health.URL{Body: health.Body{Contains: "fine"}}, secured(x), change), true)
		hold(t, name, "failing: 503, for it has no server", web(health.TypeHTTPS, ports[0], health.URL{Path: "/x"}, secured(x), change), false)
		hold(t, name, "slow: a tarpit", web(health.TypeHTTPS, ports[0], health.URL{Path: "/tarpit"}, secured(x), change, within(hasty)), false)
		p.stopped(func() {
			hold(t, name, "half-open: stopped (SIGSTOP)", web(health.TypeHTTPS, ports[0], health.URL{}, secured(x), change, within(hasty)), false)
		})
	}
	hold(t, "HAProxy", "well", web(health.TypeHTTP, ports[2], health.URL{}), true)
	hold(t, "HAProxy, HTTP/2", "well", web(health.TypeHTTP, ports[2], health.URL{}, version2), true)
	hold(t, "HAProxy", "garbage: its command line", web(health.TypeHTTP, ports[3], health.URL{}), false)
	hold(t, "HAProxy, HTTP/2", "garbage: its command line", web(health.TypeHTTP, ports[3], health.URL{}, version2), false)
	hold(t, "HAProxy", "garbage: its command line", web(health.TypeHTTPS, ports[3], health.URL{}, within(hasty)), false)
	client := func(c tls.Certificate) func(*health.Target) {
		with := x
		with.Certificate, with.Key = certtest.Files(t, c)
		return secured(with)
	}
	hold(t, "HAProxy", "wants a client certificate, and gets it", web(health.TypeHTTPS, ports[1], health.URL{}, client(ca.Issue([]string{"probe"}))), true)
	hold(t, "HAProxy", "wants a client certificate", web(health.TypeHTTPS, ports[1], health.URL{}, secured(x)), false)
	hold(t, "HAProxy", "wants another client certificate", web(health.TypeHTTPS, ports[1], health.URL{}, client(other.Issue([]string{"probe"}))), false)
}

// TestOpenSSL asks servers whose certificates are right, and wrong in each way.
func TestOpenSSL(t *testing.T) {
	program := needs(t, "openssl", "openssl")
	ca, other := certtest.New(t, "Test CA"), certtest.New(t, "Other CA")
	const name = "www.example.org"
	for _, c := range []struct {
		condition string
		cert      tls.Certificate
		tls       health.TLS
		well      bool
	}{
		{"right certificate", ca.Issue([]string{name}), health.TLS{CA: ca.File()}, true},
		{"certificate of the address", ca.Issue([]string{"127.0.0.1"}), health.TLS{CA: ca.File()}, false},
		{"certificate expires soon", ca.Issue([]string{name}, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(3*24*time.Hour+time.Hour)
		}), health.TLS{CA: ca.File()}, true},
		{"certificate has expired", ca.Issue([]string{name}, certtest.Expired(73*time.Hour)), health.TLS{CA: ca.File()}, false},
		{"certificate is not valid for this host", ca.Issue([]string{"mail.example.org"}), health.TLS{CA: ca.File()}, false},
		{"self-signed certificate", certtest.SelfSigned(t, name), health.TLS{}, false},
		{"self-signed certificate, verify = false", certtest.SelfSigned(t, name), health.TLS{Unverified: true}, true},
		{"certificate of an authority that is not in ca", other.Issue([]string{name}), health.TLS{CA: ca.File()}, false},
		{"certificate of an authority that is unknown, no ca", ca.Issue([]string{name}), health.TLS{}, false},
	} {
		cert, key := certtest.Files(t, c.cert)
		port := free(t, 1)
		start(t, port, program, "s_server", "-accept", fmt.Sprintf("127.0.0.1:%d", port[0]), "-cert", cert, "-key", key, "-www", "-quiet")
		hold(t, "OpenSSL's s_server", c.condition, web(health.TypeHTTPS, port[0], health.URL{Host: name}, secured(c.tls)), c.well)
	}
}
