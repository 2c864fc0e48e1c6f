package checks

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"quorate/agent/target"
	"quorate/config"
	"quorate/health"
	"quorate/health/certtest"
)

// ask has a check ask a server once, from the text of a configuration on, and adds what it says to the table. keys are what stands between the check's braces.
func ask(t *testing.T, kind, keys string, server netip.AddrPort, peer, condition string, well bool) health.Answer {
	t.Helper()
	asking := asked(t, kind, keys, server)
	a, err := health.Ask(t.Context(), asking)
	told(t, peer, condition, asking, a, err, well)
	return a
}

// probe asks once and tells nobody.
func probe(t *testing.T, kind, keys string, server netip.AddrPort) (health.Answer, error) {
	t.Helper()
	return health.Ask(t.Context(), asked(t, kind, keys, server))
}

func asked(t *testing.T, kind, keys string, server netip.AddrPort) health.Target {
	t.Helper()
	vip := "192.0.2.1/24"
	if server.Addr().Is6() {
		vip = "2001:db8::1/64"
	}
	if !strings.Contains(keys, "timeout") && kind != "bfd" { // the machine may be busy
		keys = `interval = "10s"; timeout = "10s"; ` + keys
	}
	text := fmt.Sprintf("vip \"x\" {\n address = %q\n}\nservice \"x\" {\n vip = \"x\"\n port = 1\n check %q {\n %s\n }\n server %q {}\n}\n",
		vip, kind, strings.ReplaceAll(keys, "; ", "\n "), server)
	doc, err := config.Parse("check.hcl", []byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return target.Of(doc.Config.Services["x"].Checks[0], server)
}

// certificate puts a certificate for 127.0.0.1 and its key into a directory that servers may read without their rights, and returns the file of its authority as well.
func certificate(t *testing.T, dir string) (ca, cert, key string) {
	t.Helper()
	authority := certtest.New(t, "checks")
	cert, key = certtest.Files(t, authority.Issue([]string{"127.0.0.1"}))
	copied := func(name, path string) string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return place(t, dir, name, string(b))
	}
	return authority.File(), copied("cert.pem", cert), copied("key.pem", key)
}
