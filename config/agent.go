package config

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"quorate/fsm"
)

// DefaultPort is the port of bind when none is written.
const DefaultPort = 7300

// Fences are the values of an agent's fence.
var Fences = []string{"auto", "bpf", "nft", "address-lifetime"}

// AgentConfig is what one machine's agent has to know before it is part of a cluster.
type AgentConfig struct {
	Name      fsm.NodeID
	Bind      string // ADDRESS:PORT
	Advertise string // ADDRESS:PORT; "" = Bind
	DataDir   string
	Socket    string
	HTTP      string // ADDRESS:PORT; "" = none
	Role      fsm.Role
	Zone      string
	Weight    int
	Fence     string
}

// DefaultAgent is what an empty file means.
func DefaultAgent() AgentConfig {
	var a AgentConfig
	newDecoder().keys(agentFile, node{}, rangeOf(""), "", agentObject, &a)
	return a
}

// agentObject is how problems call an agent's settings.
const agentObject = "agent"

// ParseAgent reads an agent's own settings, HCL or JSON. What is not in the file has its default, and Bind has its port.
// The error is Diagnostics. What depends on settings that a flag may still give or replace is left to Complete: whether
// anything is missing, and the port of Advertise.
func ParseAgent(name string, src []byte) (AgentConfig, error) {
	d := newDecoder()
	doc := &Document{files: d.files, places: d.places, first: name}
	a := AgentConfig{}
	if len(src) > MaxBytes {
		d.report(rangeOf(name), "", "", "", &fault{what: errTooLong.Error()})
		return AgentConfig{}, d.found.orNil()
	}
	d.parse(Source{name, src}, func(body hcl.Body) {
		n := d.open(agentFile, body)
		d.keys(agentFile, n, rangeOf(name), "", agentObject, &a)
		d.children(agentFile, n, agentObject)
		for _, p := range a.complete() {
			if !d.failed[agentObject][p.Key] {
				*d.found = append(*d.found, doc.diagnose(p))
			}
		}
	})
	d.found.sort(nil)
	if err := d.found.orNil(); err != nil {
		return AgentConfig{}, err
	}
	return a, nil
}

// Complete fills in defaults and completes addresses after flags have been added to what ParseAgent read, and checks that
// everything is there. The error is fsm.Problems, with the object "agent" and the keys of the file. A Weight of 0 stays.
func (a *AgentConfig) Complete() error {
	d := DefaultAgent()
	for _, k := range agentFile.keys {
		if k.fallback == cty.NilVal || k.name == "weight" || !isEmpty(k.write(a)) {
			continue
		}
		if err := k.read(a, k.write(&d)); err != nil {
			return err
		}
	}
	problems := a.complete()
	if len(problems) == 0 {
		problems = a.relate()
	}
	if a.Name == "" {
		problems = append(problems, fsm.Problem{Object: agentObject, Key: "name", What: "it is missing", Cure: "give the node a name, unique in the cluster"})
	}
	if a.Bind == "" {
		problems = append(problems, fsm.Problem{Object: agentObject, Key: "bind", What: "it is missing",
			Cure: "give the address on which the other nodes reach this one, ADDRESS or ADDRESS:PORT"})
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// relate checks Bind and Advertise, each of them sound, against each other and completes Advertise.
func (a *AgentConfig) relate() fsm.Problems {
	bind, err := netip.ParseAddrPort(a.Bind)
	if err != nil {
		return nil // it is missing
	}
	if a.Advertise != "" {
		advertise, _ := addressPort(a.Advertise, bind.Port())
		a.Advertise = advertise.String()
		return nil
	}
	if bind.Addr().IsUnspecified() {
		return fsm.Problems{{Object: agentObject, Key: "bind", Value: a.Bind,
			What: fmt.Sprintf("the other nodes cannot be told to reach this one at %s", bind.Addr()), Cure: "name the address, or set advertise"}}
	}
	return nil
}

// complete checks the settings that are there, one by one, and completes what does not depend on others.
func (a *AgentConfig) complete() (problems fsm.Problems) {
	check := func(key, value string, err error) {
		if err != nil {
			f := faultOf(err)
			problems = append(problems, fsm.Problem{Object: agentObject, Key: key, Value: value, What: f.what, Cure: f.cure})
		}
	}
	// Settings that are empty are missing, which is for Complete to say.
	given := func(key string, value *string, see func(string) (string, error)) {
		if *value == "" {
			return
		}
		better, err := see(*value)
		if check(key, *value, err); err == nil {
			*value = better
		}
	}
	name := string(a.Name)
	given("name", &name, nodeName)
	given("bind", &a.Bind, bindAddress)
	given("advertise", &a.Advertise, advertiseAddress)
	given("data_dir", &a.DataDir, absolute)
	given("socket", &a.Socket, socketPath)
	given("http", &a.HTTP, httpAddress)
	given("zone", &a.Zone, zoneName)
	if a.Role != fsm.Director && a.Role != fsm.Witness {
		check("role", string(a.Role), faultf("use director or witness", "this is not a known value"))
	}
	if !slices.Contains(Fences, a.Fence) {
		check("fence", a.Fence, faultf("use auto, bpf, nft or address-lifetime", "this is not a known value"))
	}
	if a.Weight < 0 || a.Weight > fsm.MaxWeight {
		check("weight", strconv.Itoa(a.Weight), faultf(fmt.Sprintf("use 0 to %d", fsm.MaxWeight), "it is out of range"))
	}
	return problems
}

func nodeName(s string) (string, error) {
	if !plain(s) || strings.ToLower(s) != s {
		return "", faultf(`choose another, like "lb1"`, "a node's name has 1 to %d characters of a-z, 0-9, dot, dash and underscore", fsm.MaxName)
	}
	return s, nil
}

func zoneName(s string) (string, error) {
	if !plain(s) {
		return "", faultf("choose another", "a zone has 1 to %d characters of A-Z, a-z, 0-9, dot, dash and underscore", fsm.MaxName)
	}
	return s, nil
}

// plain is the rule of names in package fsm; a test holds the two together.
func plain(s string) bool {
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_') {
			return false
		}
	}
	return s != "" && len(s) <= fsm.MaxName
}

// bindAddress accepts ADDRESS and ADDRESS:PORT.
func bindAddress(s string) (string, error) {
	ap, err := addressPort(s, DefaultPort)
	switch {
	case err != nil:
		return "", err
	case ap.Addr().IsMulticast():
		return "", faultf("use an address of this machine", "a multicast address cannot be listened on")
	case ap.Port() == 0 || ap.Port() > 65533:
		return "", faultf("use 1 to 65533", "the port is out of range, for the two after it are used too")
	}
	return ap.String(), nil
}

// advertiseAddress accepts ADDRESS and ADDRESS:PORT, and leaves it as it is: without a port it has the one of bind.
func advertiseAddress(s string) (string, error) {
	ap, err := addressPort(s, DefaultPort)
	switch {
	case err != nil:
		return "", err
	case ap.Addr().IsUnspecified() || ap.Addr().IsMulticast():
		return "", faultf("use an address at which the other nodes reach this one", "this is not the address of a host")
	case ap.Port() == 0 || ap.Port() > 65533:
		return "", faultf("use 1 to 65533", "the port is out of range, for the two after it are used too")
	}
	return s, nil
}

// httpAddress accepts ADDRESS:PORT, and :PORT for loopback.
func httpAddress(s string) (string, error) {
	if strings.HasPrefix(s, ":") {
		s = "127.0.0.1" + s
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil || ap.Port() == 0 {
		return "", faultf(`write it like "127.0.0.1:7380", or ":7380" for loopback`, "this is no address with a port")
	}
	return ap.String(), nil
}

// addressPort parses an address that may have a port.
func addressPort(s string, port uint16) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err == nil {
		return netip.AddrPortFrom(a, port), nil
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		return netip.AddrPort{}, faultf(fmt.Sprintf(`write it like "192.0.2.1" or "192.0.2.1:%d"; names are not looked up`, DefaultPort), "this is no address")
	}
	return ap, nil
}

func absolute(s string) (string, error) {
	if !filepath.IsAbs(s) {
		return "", faultf("begin it with /", "the path is relative, so it would depend on where the agent is started")
	}
	return filepath.Clean(s), nil
}

// maxSocketPath is the room in sockaddr_un, less the zero byte at its end (unix(7)).
const maxSocketPath = 107

func socketPath(s string) (string, error) {
	if len(s) > maxSocketPath {
		return "", faultf("use a shorter one", "the path of a unix socket has at most %d bytes", maxSocketPath)
	}
	return absolute(s)
}
