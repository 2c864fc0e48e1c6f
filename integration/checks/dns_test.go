package checks

import (
	"net/netip"
	"strconv"
	"testing"
)

// nameserver starts dnsmasq, which knows www.example.org, denies the rest of example.org and refuses everything else.
func nameserver(t *testing.T) (*server, netip.AddrPort) {
	t.Helper()
	path := program(t, "dnsmasq-base", "/usr/sbin/dnsmasq")
	at := freePort(t)
	return serve(t, at, nil, path, "--no-daemon", "--conf-file=/dev/null", "--pid-file=", "--no-resolv", "--no-hosts", "--user=", "--group=",
		"--port="+strconv.Itoa(int(at.Port())), "--listen-address=127.0.0.1", "--bind-interfaces",
		"--host-record=www.example.org,192.0.2.7,2001:db8::7", "--txt-record=status.example.org,fine today", "--local=/example.org/"), at
}

func TestDNS(t *testing.T) {
	t.Parallel()
	s, at := nameserver(t)
	ask := func(keys, condition string, well bool) { ask(t, "dns", keys, at, "dnsmasq", condition, well) }
	ask(`name = "www.example.org"; record = "A"`, "well", true)
	ask(`name = "www.example.org"; record = "A"; answer = "192.0.2.7"`, "well, and one address is wanted", true)
	ask(`name = "www.example.org"; record = "AAAA"; answer = "2001:db8:0::7"`, "well, and one IPv6 address is wanted", true)
	ask(`name = "www.example.org"; record = "A"; answer = "192.0.2.8"`, "well, and another address is wanted", false)
	ask(`name = "status.example.org"; record = "TXT"; answer = "fine"`, "well, and a text is wanted", true)
	ask(`name = "www.example.org"; record = "A"; transport = "tcp"`, "well, by TCP", true)
	ask(`name = "no.example.org"; record = "A"`, "the name does not exist", false)
	ask(`name = "no.example.org"; record = "A"; rcode = "NXDOMAIN"`, "the name does not exist, as is wanted", true)
	ask("", "it refuses what is not its own", false)
	ask(`rcode = "REFUSED"`, "it refuses what is not its own, as is wanted", true)
	s.stop(t)
	ask(`timeout = "300ms"`, "stopped", false)
	s.resume(t)
	ills(t, "dns", `name = "www.example.org"; record = "A"; transport = "tcp"`, "dnsmasq, by TCP", s, at, 9)
	ask("", "killed", false)
}

// aQuestion asks for the address of www.example.org, and anAnswer is how an answer with one record begins.
const (
	aQuestion = `payload = "1234 0100 0001 0000 0000 0000 03 777777 07 6578616d706c65 03 6f7267 00 0001 0001"`
	anAnswer  = `reply = "1234 8XXX 0001 0001"`
)

func TestUDP(t *testing.T) {
	t.Parallel()
	s, at := nameserver(t)
	ask := func(keys, condition string, well bool) { ask(t, "udp", keys, at, "dnsmasq", condition, well) }
	ask(aQuestion+"; "+anAnswer, "well, and the reply's beginning is wanted", true)
	ask(aQuestion+`; reply = "1234 8XX3"`, "well, and another reply is wanted", false)
	ask(aQuestion+`; min_reply = 500`, "well, and a longer reply is wanted", false)
	ask(`timeout = "300ms"; payload_text = "what?"`, "well, but it does not answer this; no reply is wanted", true)
	ask(`timeout = "300ms"; payload_text = "what?"; require_reply = true`, "well, but it does not answer this", false)
	s.stop(t)
	ask(`timeout = "300ms"; `+aQuestion+"; "+anAnswer, "stopped", false)
	s.resume(t)
	s.kill()
	ask("", "killed; no reply is wanted", false)
}

func TestPing(t *testing.T) {
	t.Parallel()
	if _, err := probe(t, "ping", "", netip.MustParseAddrPort("127.0.0.1:1")); err != nil {
		t.Skipf("no pings from here: %v", err)
	}
	ask(t, "ping", "", netip.MustParseAddrPort("127.0.0.1:1"), "Linux", "well", true)
	ask(t, "ping", "", netip.MustParseAddrPort("[::1]:1"), "Linux, by IPv6", "well", true)
}
