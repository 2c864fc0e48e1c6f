package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// probeBuffer holds, in bytes, the answers of some seconds, so that none is lost while this process waits for a processor.
const probeBuffer = 4 << 20

// StartProbe pings target from the host every interval.
func (h *Host) StartProbe(target netip.Addr, interval time.Duration) (*Probe, error) {
	p := &pings{target: target, id: h.lab.number()}
	network, listen := "ip4:icmp", "0.0.0.0"
	if target.Is6() {
		network, listen = "ip6:ipv6-icmp", "::"
	}
	socket := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var set error
		err := c.Control(func(fd uintptr) {
			set = errors.Join(filterSocket(int(fd), echoReplies(target, p.id)), unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, probeBuffer))
		})
		return errors.Join(err, set)
	}}
	err := h.Do(func() error {
		var err error
		p.conn, err = socket.ListenPacket(context.Background(), network, listen)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("probe %s from %s: %w", target, h.Name, err)
	}
	return h.startProbe(target, interval, p), nil
}

// pings asks by ICMP echo.
type pings struct {
	target netip.Addr
	id     int
	conn   net.PacketConn
}

func (p *pings) Close() error { return p.conn.Close() }

func (p *pings) ask(seq uint16) error {
	var kind icmp.Type = ipv4.ICMPTypeEcho
	if p.target.Is6() {
		kind = ipv6.ICMPTypeEchoRequest
	}
	msg := icmp.Message{Type: kind, Body: &icmp.Echo{ID: p.id, Seq: int(seq)}}
	b, err := msg.Marshal(nil) // the kernel adds the checksum of ICMPv6
	if err == nil {
		_, err = p.conn.WriteTo(b, &net.IPAddr{IP: p.target.AsSlice()})
	}
	return err
}

func (p *pings) hear(note func(seq uint16)) {
	buf := make([]byte, 1500)
	for {
		n, from, err := p.conn.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		if a, ok := netip.AddrFromSlice(from.(*net.IPAddr).IP); !ok || a.Unmap() != p.target {
			continue
		}
		proto := 1 // IANA: ICMP
		if p.target.Is6() {
			proto = 58 // ICMPv6
		}
		msg, err := icmp.ParseMessage(proto, buf[:n])
		if err != nil || msg.Type != ipv4.ICMPTypeEchoReply && msg.Type != ipv6.ICMPTypeEchoReply {
			continue
		}
		if e, ok := msg.Body.(*icmp.Echo); ok && e.ID == p.id {
			note(uint16(e.Seq))
		}
	}
}

// echoReplies lets the answers to one probe pass: each of a host's sockets would get those of all probes, and have to hold them. A packet
// begins with the IP header where that is IPv4 (raw(7)), with ICMP's where it is IPv6.
func echoReplies(target netip.Addr, id int) []bpf.Instruction {
	kind, begin := uint32(ipv4.ICMPTypeEchoReply), bpf.Instruction(bpf.LoadMemShift{Off: 0})
	if target.Is6() {
		kind, begin = uint32(ipv6.ICMPTypeEchoReply), bpf.LoadConstant{Dst: bpf.RegX, Val: 0}
	}
	return []bpf.Instruction{
		begin,
		bpf.LoadIndirect{Off: 0, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: kind, SkipTrue: 3},
		bpf.LoadIndirect{Off: 4, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(id), SkipTrue: 1},
		bpf.RetConstant{Val: 1 << 16},
		bpf.RetConstant{Val: 0},
	}
}
