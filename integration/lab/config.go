package lab

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Config is a configuration file of a cluster in the making: the text that a user would write.
type Config struct {
	CheckInterval time.Duration // of the services' checks, whose timeout is three quarters of it; 0 means 200 ms
	Through       bool          // the checks of DirectWeb go through the forwarding path

	text strings.Builder
}

// VIP adds a VIP; more are further lines of its block, e.g. `prefer = ["n1"]`.
func (c *Config) VIP(name string, p netip.Prefix, more ...string) *Config {
	c.block("vip", name, append([]string{fmt.Sprintf("address = %q", p)}, more...))
	return c
}

// Group adds a group, whose VIPs (`group = "name"`) are always on one node.
func (c *Config) Group(name string) *Config {
	c.block("group", name, nil)
	return c
}

// Web adds a service on port 80 of a VIP whose connections the owner translates, with an HTTP check of /healthz: two failures take a server out, two successes put it in.
func (c *Config) Web(name, vip string, servers ...netip.AddrPort) *Config {
	return c.web(name, vip, []string{`forward = "nat"`, `masquerade = true`}, servers)
}

// RoutedWeb is Web without the translation of the source, for servers whose way to the client leads through the owner.
func (c *Config) RoutedWeb(name, vip string, servers ...netip.AddrPort) *Config {
	return c.web(name, vip, []string{`forward = "nat"`}, servers)
}

// Echo adds a UDP service on port 7 of a VIP, without checks, whose datagrams the owner translates.
func (c *Config) Echo(name, vip string, servers ...netip.AddrPort) *Config {
	lines := []string{fmt.Sprintf("vip = %q", vip), `port = 7`, `protocol = "udp"`, `scheduler = "wrr"`, `forward = "nat"`, `masquerade = true`}
	return c.service(name, lines, servers)
}

// DirectWeb is Web by direct routing: the owner passes frames on, and servers that have the VIP themselves (see
// [Host.AnswerFor]) on port 80 answer the client.
func (c *Config) DirectWeb(name, vip string, servers ...netip.AddrPort) *Config {
	return c.web(name, vip, []string{direct}, servers)
}

const direct = `forward = "dr"`

func (c *Config) web(name, vip string, forward []string, servers []netip.AddrPort) *Config {
	lines := append([]string{fmt.Sprintf("vip = %q", vip), `port = 80`, `protocol = "tcp"`, `scheduler = "wrr"`}, forward...)
	interval := cmp.Or(c.CheckInterval, 200*time.Millisecond)
	lines = append(lines, `check "http" {`, `  path = "/healthz"`,
		fmt.Sprintf("  interval = %q", interval), fmt.Sprintf("  timeout = %q", interval*3/4), `  rise = 2`, `  fall = 2`)
	if c.Through && slices.Contains(forward, direct) {
		lines = append(lines, `  through = "forwarding"`)
	}
	lines = append(lines, `}`)
	return c.service(name, lines, servers)
}

func (c *Config) service(name string, lines []string, servers []netip.AddrPort) *Config {
	for _, s := range servers {
		lines = append(lines, fmt.Sprintf("server %q {}", s))
	}
	c.block("service", name, lines)
	return c
}

// Settings adds the block of cluster-wide settings, e.g. `profile = "fast"`.
func (c *Config) Settings(lines ...string) *Config {
	fmt.Fprintf(&c.text, "cluster {\n  %s\n}\n", strings.Join(lines, "\n  "))
	return c
}

func (c *Config) block(kind, name string, lines []string) {
	fmt.Fprintf(&c.text, "%s %q {\n", kind, name)
	for _, l := range lines {
		fmt.Fprintf(&c.text, "  %s\n", l)
	}
	c.text.WriteString("}\n")
}

// String is the file's text.
func (c *Config) String() string { return c.text.String() }
