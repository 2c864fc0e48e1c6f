package realserver

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
)

// Kind is what a step is about.
type Kind string

// The kinds.
const (
	KindSysctl   Kind = "sysctl"   // Name is its path below /proc/sys
	KindLink     Kind = "link"     // a tunnel device; Name is its name
	KindUp       Kind = "link-up"  // that it is up
	KindListener Kind = "listener" // a UDP port for gue; Name is "ipv4/6080"
	KindAddress  Kind = "address"  // Name is the prefix, Link the device
)

// Thing is one thing in the kernel that can be as it should be or not.
type Thing struct {
	Kind Kind   `json:"kind"`
	Name string `json:"name"`
	Link string `json:"link,omitempty"` // of an address
}

// String names the thing: "net.ipv4.conf.all.arp_ignore", "192.0.2.10/32 on lo".
func (t Thing) String() string {
	switch t.Kind {
	case KindSysctl:
		return sysctlName(t.Name)
	case KindUp:
		return t.Name + " up"
	case KindListener:
		family, port, _ := strings.Cut(t.Name, "/")
		return "gue on UDP port " + port + " (" + family + ")"
	case KindAddress:
		return t.Name + " on " + t.Link
	default:
		return t.Name
	}
}

// sysctlName is a path below /proc/sys as sysctl(8) takes it: with dots, unless the name of an interface has one.
func sysctlName(path string) string {
	if strings.Contains(path, ".") {
		return path
	}
	return strings.ReplaceAll(path, "/", ".")
}

// Step is one change of the kernel.
type Step struct {
	Thing
	From string // what it is: a value, or "" for a thing that is not there
	To   string // what it becomes: a value, a kind of device, "up", "present", or "" when it is taken away
	Why  string // what goes wrong without; empty when something is taken back
	Back bool   // takes back what an earlier setup made
	Done bool
}

// MarshalJSON gives the step with its command.
func (s Step) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Kind    Kind   `json:"kind"`
		Name    string `json:"name"`
		Link    string `json:"link,omitempty"`
		From    string `json:"from"`
		To      string `json:"to"`
		Why     string `json:"why,omitempty"`
		Command string `json:"command"`
		Back    bool   `json:"back,omitempty"`
		Done    bool   `json:"done"`
	}{s.Kind, s.display(), s.Link, s.From, s.To, s.Why, s.Command(), s.Back, s.Done})
}

func (s Step) display() string {
	if s.Kind == KindSysctl {
		return sysctlName(s.Name)
	}
	return s.Name
}

// Command is a command line that does the same.
func (s Step) Command() string {
	verb := "add"
	if s.To == "" {
		verb = "del"
	}
	switch s.Kind {
	case KindSysctl:
		return fmt.Sprintf("sysctl -w %s=%s", sysctlName(s.Name), s.To)
	case KindLink:
		if s.To == "" {
			return "ip link del " + s.Name
		}
		return fmt.Sprintf("ip link add %s type %s external", s.Name, s.To)
	case KindUp:
		return "ip link set " + s.Name + " up"
	case KindListener:
		family, port, _ := strings.Cut(s.Name, "/")
		line := "ip fou " + verb + " port " + port
		if verb == "add" {
			line += " gue"
		}
		if family == IPv6 {
			line += " -6"
		}
		return line
	default:
		line := "ip address " + verb + " " + s.Name + " dev " + s.Link
		switch p, err := netip.ParsePrefix(s.Name); {
		case verb == "del" || err != nil:
		case p.Addr().Is6():
			line += " nodad noprefixroute preferred_lft 0"
		default:
			line += " scope host"
			if l := label(s.Link); l != "" {
				line += " label " + l
			}
		}
		return line
	}
}

// label marks an IPv4 address as ours where a person looks, and on kernels before 5.18; empty where the device is ours itself and
// the label would be too long.
func label(link string) string {
	if l := link + ":quorate"; len(l) < 16 {
		return l
	}
	return ""
}
