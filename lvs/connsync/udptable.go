package connsync

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strconv"
)

// udpSocket is one line of /proc/net/udp (net/ipv4/udp.c, udp4_format_sock), where the kernel's own sockets are, too.
type udpSocket struct {
	local, remote netip.AddrPort
	drops         uint64 // datagrams that its receive buffer had no room for
}

// udpDrops is the column that has them.
const udpDrops = 12

// udpSockets reads the file. A line that makes no sense is passed over, as the first, which names the columns.
func udpSockets(b []byte) (out []udpSocket) {
	for line := range bytes.Lines(b) {
		f := bytes.Fields(line)
		if len(f) <= udpDrops || !bytes.Contains(f[1], []byte{':'}) {
			continue
		}
		local, lerr := udpAddr(f[1])
		remote, rerr := udpAddr(f[2])
		drops, derr := strconv.ParseUint(string(f[udpDrops]), 10, 64)
		if errors.Join(lerr, rerr, derr) == nil {
			out = append(out, udpSocket{local, remote, drops})
		}
	}
	return out
}

// udpAddr reads 020200C0:CC94: an address as the host's word, a port as a number.
func udpAddr(b []byte) (netip.AddrPort, error) {
	addr, port, _ := bytes.Cut(b, []byte{':'})
	word, err := strconv.ParseUint(string(addr), 16, 32)
	p, perr := strconv.ParseUint(string(port), 16, 16)
	var a [4]byte
	binary.NativeEndian.PutUint32(a[:], uint32(word))
	return netip.AddrPortFrom(netip.AddrFrom4(a), uint16(p)), errors.Join(err, perr)
}
