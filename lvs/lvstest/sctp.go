package lvstest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The first half of SCTP's handshake (RFC 9260, §3.3.2 and §3.3.3), over raw sockets, because few kernels here have SCTP. A server puts its greeting into
// the cookie of its answer.
const (
	sctpHeader, chunkHeader, initFixed = 12, 4, 16
	chunkInit, chunkInitAck            = 1, 2
	parameterCookie                    = 7
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sctpPacket is an INIT, or an INIT ACK with a cookie.
func sctpPacket(from, to uint16, tag uint32, kind byte, cookie string) []byte {
	var parameter []byte
	if kind == chunkInitAck {
		for len(cookie)%4 != 0 {
			cookie += " "
		}
		parameter = binary.BigEndian.AppendUint16(parameter, parameterCookie)
		parameter = binary.BigEndian.AppendUint16(parameter, uint16(4+len(cookie)))
		parameter = append(parameter, cookie...)
	}
	b := binary.BigEndian.AppendUint16(nil, from)
	b = binary.BigEndian.AppendUint16(b, to)
	b = binary.BigEndian.AppendUint32(b, tag)
	b = append(b, 0, 0, 0, 0, kind, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(chunkHeader+initFixed+len(parameter)))
	b = binary.BigEndian.AppendUint32(b, 1+rand.Uint32N(1<<31)) // initiate tag
	b = binary.BigEndian.AppendUint32(b, 64<<10)
	b = append(b, 0, 1, 0, 1)
	b = binary.BigEndian.AppendUint32(b, 1)
	b = append(b, parameter...)
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b, castagnoli))
	return b
}

// parseSCTP is the inverse, for what sctpPacket makes; what is not of it, or has a wrong checksum, is none.
func parseSCTP(b []byte) (from, to uint16, tag uint32, kind byte, cookie string, ok bool) {
	if len(b) < sctpHeader+chunkHeader+initFixed {
		return
	}
	sum := binary.LittleEndian.Uint32(b[8:])
	binary.LittleEndian.PutUint32(b[8:], 0)
	if crc32.Checksum(b, castagnoli) != sum {
		return
	}
	if rest := b[sctpHeader+chunkHeader+initFixed:]; len(rest) >= 4 {
		cookie = string(rest[4:])
	}
	return binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[sctpHeader+chunkHeader:]), b[sctpHeader], cookie, true
}

func rawSCTP(a netip.Addr) (*net.IPConn, error) {
	network := "ip4:132"
	if a.Is6() {
		network = "ip6:132"
	}
	return net.ListenIP(network, &net.IPAddr{IP: a.AsSlice()})
}

// ServeSCTP answers, on every port of an address of the server, until the test ends.
func (s *Server) ServeSCTP(t testing.TB, a netip.Addr) {
	t.Helper()
	var c *net.IPConn
	if err := s.Do(func() (err error) { c, err = rawSCTP(a); return err }); err != nil {
		t.Fatalf("server %s: sctp: %v", s.Name, err)
	}
	var running sync.WaitGroup
	t.Cleanup(func() { c.Close(); running.Wait() })
	running.Go(func() {
		buf := make([]byte, 2000)
		for {
			n, client, err := c.ReadFromIP(buf)
			if err != nil {
				return
			}
			if from, to, tag, kind, _, ok := parseSCTP(buf[:n]); ok && kind == chunkInit {
				source, _ := netip.AddrFromSlice(client.IP)
				c.WriteToIP(sctpPacket(to, from, tag, chunkInitAck, fmt.Sprintf("%s %s", s.Name, source.Unmap())), client)
			}
		}
	})
}

// sctpClients counts those who asked: each has a port of its own, because IPVS takes two from one port for the same connection.
var sctpClients atomic.Uint32

// AskSCTP begins an association with a service and says who answered. from may be the zero Addr.
func (h *Host) AskSCTP(service netip.AddrPort, from netip.Addr) (server string, err error) {
	if !from.IsValid() {
		from = Clients(service.Addr())[0]
	}
	var c *net.IPConn
	if err := h.Do(func() (err error) { c, err = rawSCTP(from); return err }); err != nil {
		return "", err
	}
	defer c.Close()
	port := uint16(20000 + sctpClients.Add(1)%40000)
	to := &net.IPAddr{IP: service.Addr().AsSlice()}
	if _, err := c.WriteToIP(sctpPacket(port, service.Port(), 0, chunkInit, ""), to); err != nil {
		return "", err
	}
	c.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 2000)
	for {
		n, answered, err := c.ReadFromIP(buf)
		if err != nil {
			return "", err
		}
		source, dest, _, kind, cookie, ok := parseSCTP(buf[:n])
		if !ok || dest != port || kind != chunkInitAck {
			continue
		}
		if source != service.Port() || !answered.IP.Equal(to.IP) {
			return "", errors.New("the answer comes from another address than was asked")
		}
		name, _, _ := strings.Cut(cookie, " ")
		return name, nil
	}
}
