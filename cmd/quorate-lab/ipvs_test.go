package main

import (
	"maps"
	"net/netip"
	"testing"
)

// What a kernel 6.1 says.
const ipvsText = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  C0000265:0050 wrr  
  -> C0000234:0050      Route   1      0          24        
  -> C0000233:0050      Route   0      1          25        
UDP  C0000265:0035 rr  
  -> C0000235:0035      Masq    1      0          0         
TCP  [2001:0db8:0000:0000:0000:0000:0000:0065]:0050 wrr 
  -> [2001:0db8:0000:0000:0000:0000:0000:0033]:0050      Tunnel  7      0          0         
FWM  00000001 rr 
  -> C0000236:0000      Masq    1      0          0         
`

func TestIPVSServers(t *testing.T) {
	for _, c := range []struct {
		service string
		want    map[string]string
	}{
		{"192.0.2.101:80", map[string]string{"192.0.2.52:80": "Route 1", "192.0.2.51:80": "Route 0"}},
		{"[2001:db8::65]:80", map[string]string{"[2001:db8::33]:80": "Tunnel 7"}},
		{"192.0.2.101:53", nil}, // UDP
		{"192.0.2.102:80", nil},
	} {
		want := map[string]string{}
		for a, text := range c.want {
			want[ipvsAddr(netip.MustParseAddrPort(a))] = text
		}
		if got := ipvsServers(ipvsText, netip.MustParseAddrPort(c.service)); !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", c.service, got, want)
		}
	}
}
