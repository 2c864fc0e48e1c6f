package ipvsadm

import (
	"net/netip"
	"testing"
	"time"

	"quorate/lvs"
)

// TestFormat: word by word what ipvsadm 1.31 on Linux 6.1 saved of such a table, and the thresholds.
func TestFormat(t *testing.T) {
	vip, vip6 := netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("2001:db8::10")
	server := func(a, forward string, e lvs.Encap) lvs.Destination {
		return lvs.Destination{Addr: netip.MustParseAddrPort(a), Weight: 1, Forward: forward, Encap: e}
	}
	limited := lvs.Destination{Addr: netip.MustParseAddrPort("10.0.0.2:8080"), Upper: 100, Lower: 50}
	text, left := Format([]lvs.Service{
		{Addr: vip, Port: 80, Protocol: lvs.TCP, Scheduler: "wlc", Forward: lvs.NAT, Masquerade: true, Destinations: []lvs.Destination{
			{Addr: netip.MustParseAddrPort("10.0.0.1:8080"), Weight: 3}, limited,
			server("10.0.0.3:80", lvs.DirectRouting, lvs.Encap{}), server("10.0.0.4:80", lvs.Tunnel, lvs.Encap{}),
			server("10.0.0.5:80", lvs.Tunnel, lvs.Encap{Type: lvs.GUE, Port: 6080}),
			server("10.0.0.6:80", lvs.Tunnel, lvs.Encap{Type: lvs.GUE, Port: 6080, Checksum: lvs.Checksum}),
			server("10.0.0.7:80", lvs.Tunnel, lvs.Encap{Type: lvs.GUE, Port: 6080, Checksum: lvs.RemoteChecksum}),
			server("10.0.0.8:80", lvs.Tunnel, lvs.Encap{Type: lvs.GRE, Checksum: lvs.Checksum}),
			server("10.0.0.9:80", lvs.Tunnel, lvs.Encap{Type: lvs.GRE}),
			server("[2001:db8::9]:80", lvs.Tunnel, lvs.Encap{}),
		}},
		{Addr: vip, Port: 5061, Protocol: lvs.UDP, Scheduler: "sh", Flags: []string{"sh-port"}, OnePacket: true, Forward: lvs.NAT,
			Persistence: lvs.Persistence{Timeout: 5 * time.Minute, Prefix: 24, Engine: lvs.SIP}},
		{Addr: vip, Protocol: lvs.TCP, Scheduler: "rr", Forward: lvs.NAT, Persistence: lvs.Persistence{Timeout: 6 * time.Minute}},
		{Addr: vip6, Protocol: lvs.TCP, Scheduler: "rr", Forward: lvs.NAT, Persistence: lvs.Persistence{Timeout: 6 * time.Minute, Prefix: 64}},
		{Addr: vip6, Port: 80, Protocol: lvs.TCP, Scheduler: "rr", Forward: lvs.NAT, Destinations: []lvs.Destination{{Addr: netip.MustParseAddrPort("[2001:db8::11]:80"), Weight: 1}}},
		{Addr: vip, Mark: 7, Scheduler: "rr", Forward: lvs.DirectRouting, Destinations: []lvs.Destination{{Addr: netip.MustParseAddrPort("10.0.0.1:0"), Weight: 1}}},
		{Addr: vip6, Mark: 8, Scheduler: "mh", Flags: []string{"mh-port", "mh-fallback"}, Forward: lvs.DirectRouting},
		{Addr: vip, Port: 99, Protocol: lvs.SCTP, Scheduler: "wrr", Forward: lvs.NAT},
		{Addr: vip, Mark: 9, Scheduler: "rr", Forward: lvs.NAT, Matches: []lvs.Match{{First: vip, Last: vip, Protocol: lvs.TCP, FromPort: 80, ToPort: 89}, {First: vip, Last: vip, Protocol: lvs.TCP, FromPort: 443, ToPort: 443}}},
	})
	const want = `-A -f 7 -s rr
-a -f 7 -r 10.0.0.1:0 -g -w 1
-A -f 9 -s rr
-A -t 192.0.2.10:0 -s rr -p 360
-A -t 192.0.2.10:80 -s wlc
-a -t 192.0.2.10:80 -r 10.0.0.1:8080 -m -w 3
-a -t 192.0.2.10:80 -r 10.0.0.2:8080 -m -w 0 -x 100 -y 50
-a -t 192.0.2.10:80 -r 10.0.0.3:80 -g -w 1
-a -t 192.0.2.10:80 -r 10.0.0.4:80 -i -w 1 --tun-type ipip
-a -t 192.0.2.10:80 -r 10.0.0.5:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum
-a -t 192.0.2.10:80 -r 10.0.0.6:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum
-a -t 192.0.2.10:80 -r 10.0.0.7:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum
-a -t 192.0.2.10:80 -r 10.0.0.8:80 -i -w 1 --tun-type gre --tun-csum
-a -t 192.0.2.10:80 -r 10.0.0.9:80 -i -w 1 --tun-type gre --tun-nocsum
-a -t 192.0.2.10:80 -r [2001:db8::9]:80 -i -w 1 --tun-type ipip
-A --sctp-service 192.0.2.10:99 -s wrr
-A -u 192.0.2.10:5061 -s sh -p 300 -M 255.255.255.0 --pe sip -o -b sh-port
-A -f 8 -6 -s mh -b mh-fallback,mh-port
-A -t [2001:db8::10]:0 -s rr -p 360 -M 64
-A -t [2001:db8::10]:80 -s rr
-a -t [2001:db8::10]:80 -r [2001:db8::11]:80 -m -w 1
`
	if text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	if len(left) != 2 || left[0] != "service fwmark 9: ipvsadm marks no packets: quorate gives this mark to tcp 192.0.2.10 ports 80-89 and 1 more" {
		t.Errorf("left out: %q", left)
	}
}
