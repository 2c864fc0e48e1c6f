package config

import (
	"fmt"
	"net/netip"
	"testing"

	"quorate/fsm"
)

// BenchmarkParse reads a large configuration: 500 services with 20 servers each.
func BenchmarkParse(b *testing.B) {
	c := webConfig()
	for i := range 500 {
		s := c.Services["web-http"]
		s.Name, s.Port, s.Servers = fmt.Sprint("s", i), uint16(1000+i), nil
		for j := range 20 {
			s.Servers = append(s.Servers, fsm.Server{Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(j), byte(i)}), 80), Weight: 1})
		}
		c.Services[s.Name] = s
	}
	text := Format(c)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := Parse("x.hcl", text); err != nil {
			b.Fatal(err)
		}
	}
}
