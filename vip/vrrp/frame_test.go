package vrrp

import (
	"encoding/hex"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestFrame: an advert with a virtual MAC is the very bytes that a router with one sends: keepalived's, but for the source MAC, and those of RFC 9568.
func TestFrame(t *testing.T) {
	for _, x := range []struct {
		name string
		c    Config
		mac  string
		want []string // Ethernet, IP, message
	}{
		{"version 2", Config{VRID: 51, Version: V2, Priority: 100, Interval: time.Second, Addresses: addrs("192.168.1.100"), Source: addr("192.168.1.10")}, "00:00:5e:00:01:33",
			[]string{"01005e000012 00005e000133 0800", "45c0002800010000ff7018e0 c0a8010a e0000012", "213364010001b8bdc0a801640000000000000000"}},
		{"version 3", Config{VRID: 51, Version: V3, Priority: 100, Interval: time.Second, Addresses: addrs("192.168.1.100"), Source: addr("192.168.1.10")}, "00:00:5e:00:01:33",
			[]string{"01005e000012 00005e000133 0800", "45c0002000010000ff7018e8 c0a8010a e0000012", "3133640100640619c0a80164"}},
		{"version 3 over IPv6", Config{VRID: 51, Version: V3, Priority: 100, Interval: time.Second, Addresses: addrs("fe80::100", "2001:db8::100"), Source: addr("fe80::10")}, "00:00:5e:00:02:33",
			[]string{"333300000012 00005e000233 86dd", "6c000000002870ff fe800000000000000000000000000010 ff020000000000000000000000000012",
				"3133640200643deefe80000000000000000000000000010020010db8000000000000000000000100"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			r, err := NewRouter(x.c)
			must(t, err)
			mac, err := net.ParseMAC(x.mac)
			must(t, err)
			got := ""
			must(t, r.Compose(100, time.Now(), func(packet []byte, to netip.Addr) error {
				got = hex.EncodeToString(appendFrame(nil, mac, to, packet))
				return nil
			}))
			if want := strings.ReplaceAll(strings.Join(x.want, ""), " ", ""); got != want {
				t.Errorf("sent\n%s, want\n%s", got, want)
			}
		})
	}
}

// TestGroupMAC: of an IPv4 group the low 23 bits count, of an IPv6 one the low 32.
func TestGroupMAC(t *testing.T) {
	for group, want := range map[string]string{"224.0.0.18": "01:00:5e:00:00:12", "239.129.2.3": "01:00:5e:01:02:03", "239.1.2.3": "01:00:5e:01:02:03", "ff02::12": "33:33:00:00:00:12", "ff05::1:2:3": "33:33:00:02:00:03"} {
		if got := groupMAC(addr(group)); net.HardwareAddr(got[:]).String() != want {
			t.Errorf("%s is at %s, want %s", group, net.HardwareAddr(got[:]), want)
		}
	}
}
