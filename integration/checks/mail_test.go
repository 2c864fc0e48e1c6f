package checks

import (
	"fmt"
	"net/netip"
	"os"
	"testing"

	"quorate/health/certtest"
)

func TestSMTP(t *testing.T) {
	t.Parallel()
	path := program(t, "exim4-daemon-light", "/usr/sbin/exim4")
	if os.Geteuid() != 0 {
		t.Skip("exim takes root")
	}
	dir := directory(t)
	ca, cert, key := certificate(t, dir)
	other := certtest.New(t, "others").File()
	at, closed, wrapped := freePort(t), freePort(t), freePort(t)
	conf := place(t, dir, "exim.conf", fmt.Sprintf(`
exim_path = %s
spool_directory = %s/spool
log_file_path = %s/log-%%slog
pid_file_path = %s/pid
primary_hostname = mail.example.org
smtp_banner = mail.example.org at your service
local_interfaces = 127.0.0.1
daemon_smtp_ports = %d : %d : %d
tls_on_connect_ports = %d
tls_advertise_hosts = *
tls_certificate = %s
tls_privatekey = %s
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
acl_smtp_connect = connect
begin acl
connect:
  deny condition = ${if eq{$received_port}{%d}}
       message = closed for today
  accept
`, path, dir, dir, dir, at.Port(), closed.Port(), wrapped.Port(), wrapped.Port(), cert, key, closed.Port()))
	s := serve(t, at, nil, path, "-bdf", "-C", conf)
	ask := func(keys string, at netip.AddrPort, condition string, well bool) {
		ask(t, "smtp", keys, at, "Exim", condition, well)
	}
	ask("", at, "well", true)
	ask(`starttls = true; ca = "`+ca+`"`, at, "well, with STARTTLS", true)
	ask(`starttls = true; ca = "`+other+`"`, at, "with STARTTLS, but its certificate is signed by another", false)
	ask(`tls = true; ca = "`+ca+`"`, wrapped, "well, with TLS from the first byte on", true)
	ask(`tls = true; ca = "`+ca+`"`, at, "it does not begin with TLS", false)
	ask("", closed, "it takes no mail", false)
	ills(t, "smtp", "", "Exim", s, at, 9)
}
