package connsync

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// udpLine is one as the kernel writes it on this host.
func udpLine(local, remote netip.AddrPort, drops int) string {
	word := func(a netip.AddrPort) string {
		b := a.Addr().As4()
		return fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(b[:]), a.Port())
	}
	return fmt.Sprintf("  642: %s %s 07 00000000:00000000 00:00000000 00000000     0        0 1 2 ffff888003d6b180 %d\n", word(local), word(remote), drops)
}

const udpHead = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"

func TestUDPSockets(t *testing.T) {
	a, b := netip.MustParseAddrPort("192.0.2.2:52372"), netip.MustParseAddrPort("224.0.0.81:8848")
	got := udpSockets([]byte(udpHead + udpLine(a, b, 0) + "nonsense\n" + udpLine(b, netip.MustParseAddrPort("0.0.0.0:0"), 17)))
	if len(got) != 2 || got[0] != (udpSocket{a, b, 0}) || got[1].local != b || got[1].drops != 17 {
		t.Errorf("%+v", got)
	}
}

// TestOverrun: what does not get through between the kernel's daemons and us is said, once, and the peers are asked again for what was not taken in.
func TestOverrun(t *testing.T) {
	asked := 0
	k := &kernel{set: Settings{}.WithDefaults(), loop: &loop{port: DefaultPort, threads: 2}, missed: func() { asked++ }}
	any := netip.MustParseAddrPort("0.0.0.0:0")
	at := func(port uint16) netip.AddrPort { return netip.AddrPortFrom(DefaultGroup, port) }
	look := func(ear, backup int) string {
		err := k.overrun(udpSockets([]byte(udpLine(at(DefaultPort+1), any, ear) + udpLine(at(DefaultPort+2), any, backup) + udpLine(at(53), any, 1000))))
		return fmt.Sprint(err)
	}
	if got := look(0, 0); got != "<nil>" {
		t.Error(got)
	}
	if got := look(5, 0); !strings.Contains(got, "5 messages of this host's") || asked != 0 {
		t.Errorf("%s, %d", got, asked)
	}
	if got := look(5, 7); !strings.Contains(got, "7 messages of the peers") || !strings.Contains(got, "sock_size") || asked != 1 {
		t.Errorf("%s, %d", got, asked)
	}
	if got := look(5, 7); got != "<nil>" || asked != 1 {
		t.Errorf("%s, %d", got, asked)
	}
	if got := look(5, 2); !strings.Contains(got, "2 messages of the peers") { // the backup was started anew
		t.Error(got)
	}
}

// FuzzUDPSockets: no text makes the reader panic, and each line is one socket at most.
func FuzzUDPSockets(f *testing.F) {
	f.Add(udpHead + udpLine(netip.MustParseAddrPort("192.0.2.2:1"), netip.MustParseAddrPort("224.0.0.81:8848"), 3))
	f.Fuzz(func(t *testing.T, text string) {
		if n := len(udpSockets([]byte(text))); n > strings.Count(text, "\n")+1 {
			t.Errorf("%d sockets in %q", n, text)
		}
	})
}
