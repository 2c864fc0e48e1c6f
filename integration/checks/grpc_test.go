package checks

import (
	"net/netip"
	"testing"
)

func TestGRPC(t *testing.T) {
	t.Parallel()
	path := program(t, "etcd-server", "/usr/bin/etcd")
	dir := directory(t)
	ca, cert, key := certificate(t, dir)
	etcd := func(scheme string, more ...string) (*server, netip.AddrPort) {
		at, peer := freePort(t), freePort(t)
		url, peers := scheme+"://"+at.String(), "http://"+peer.String()
		argv := append([]string{path, "--data-dir", directory(t), "--listen-client-urls", url, "--advertise-client-urls", url, "--listen-peer-urls", peers,
			"--initial-advertise-peer-urls", peers, "--initial-cluster", "default=" + peers, "--unsafe-no-fsync"}, more...)
		return serve(t, at, nil, argv...), at
	}
	s, at := etcd("http")
	waitFor(t, func() bool {
		_, err := probe(t, "grpc", "", at)
		return err == nil
	})
	ask := func(keys string, at netip.AddrPort, condition string, well bool) {
		ask(t, "grpc", keys, at, "etcd", condition, well)
	}
	ask("", at, "well", true)
	ask(`service = "etcdserverpb.Nothing"`, at, "it does not know the service", false)
	_, sealed := etcd("https", "--cert-file", cert, "--key-file", key)
	waitFor(t, func() bool {
		_, err := probe(t, "grpc", `tls = true; ca = "`+ca+`"`, sealed)
		return err == nil
	})
	ask(`tls = true; ca = "`+ca+`"`, sealed, "well, with TLS", true)
	ask(`tls = true; verify = false`, sealed, "well, with TLS that nobody verifies", true)
	ask(`tls = true`, sealed, "its certificate is signed by nobody known", false)
	ask("", sealed, "it wants TLS", false)
	ills(t, "grpc", "", "etcd", s, at, 12)
}
