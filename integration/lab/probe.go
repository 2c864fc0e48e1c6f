package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// Probe pings an address at a fixed interval, answered or not, and remembers when answers came. It measures an outage
// to within its interval, which a TCP client, with its retransmissions, cannot.
type Probe struct {
	Target   netip.Addr
	Interval time.Duration

	conn net.PacketConn
	id   int
	stop chan struct{}
	once sync.Once
	wg   sync.WaitGroup

	mu   sync.Mutex
	sent []Instant // by sequence
	back []Instant // answers, in the order in which they came
	seen map[int]bool
}

// probeBuffer holds, in bytes, the answers of some seconds, so that none is lost while this process waits for a processor.
const probeBuffer = 4 << 20

// maxEchoes ends a probe: sequence numbers are 16 bits wide, and an answer must name one request only.
const maxEchoes = 1 << 16

// StartProbe pings target from the host every interval until Stop, the end of the lab, or 65,536 pings.
func (h *Host) StartProbe(target netip.Addr, interval time.Duration) (*Probe, error) {
	p := &Probe{Target: target, Interval: interval, id: h.lab.number(), stop: make(chan struct{}), seen: map[int]bool{}}
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
	h.lab.onClose(p)
	p.wg.Go(p.send)
	p.wg.Go(p.receive)
	return p, nil
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

// Close stops the probe. What it saw stays readable.
func (p *Probe) Close() error {
	var err error
	p.once.Do(func() {
		close(p.stop)
		err = p.conn.Close()
		p.wg.Wait()
	})
	return err
}

func (p *Probe) send() {
	var kind icmp.Type = ipv4.ICMPTypeEcho
	if p.Target.Is6() {
		kind = ipv6.ICMPTypeEchoRequest
	}
	to := &net.IPAddr{IP: p.Target.AsSlice()}
	start := Now()
	wait := time.NewTimer(0)
	defer wait.Stop()
	for seq := range maxEchoes {
		msg := icmp.Message{Type: kind, Body: &icmp.Echo{ID: p.id, Seq: seq}}
		b, err := msg.Marshal(nil) // the kernel adds the checksum of ICMPv6
		if err != nil {
			return
		}
		p.mu.Lock()
		p.sent = append(p.sent, Now())
		p.mu.Unlock()
		_, _ = p.conn.WriteTo(b, to) // a failure, such as no neighbour, is a ping without an answer
		// By the clock, not from ping to ping: what a busy machine holds up is made up for, so that the rate is kept.
		wait.Reset(start.Add(time.Duration(seq+1) * p.Interval).Sub(Now()))
		select {
		case <-wait.C:
		case <-p.stop:
			return
		}
	}
}

func (p *Probe) receive() {
	buf := make([]byte, 1500)
	for {
		n, from, err := p.conn.ReadFrom(buf)
		at := Now()
		if closed(p.stop) {
			return
		}
		if err != nil {
			continue
		}
		if a, ok := netip.AddrFromSlice(from.(*net.IPAddr).IP); !ok || a.Unmap() != p.Target {
			continue
		}
		proto := 1 // IANA: ICMP
		if p.Target.Is6() {
			proto = 58 // ICMPv6
		}
		msg, err := icmp.ParseMessage(proto, buf[:n])
		if err != nil || msg.Type != ipv4.ICMPTypeEchoReply && msg.Type != ipv6.ICMPTypeEchoReply {
			continue
		}
		if e, ok := msg.Body.(*icmp.Echo); ok && e.ID == p.id {
			p.mu.Lock()
			p.back = append(p.back, at)
			p.seen[e.Seq] = true
			p.mu.Unlock()
		}
	}
}

// Gap is the longest stretch of the window without an answer.
func (p *Probe) Gap(window Span) Span {
	p.mu.Lock()
	back := slices.Clone(p.back)
	p.mu.Unlock()
	slices.Sort(back)
	return longestGap(back, window)
}

// Lost counts the pings sent in the window that were not answered.
func (p *Probe) Lost(window Span) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	lost := 0
	for seq, at := range p.sent {
		if at >= window.From && at < window.To && !p.seen[seq] {
			lost++
		}
	}
	return lost
}

// Sent counts the pings sent in the window.
func (p *Probe) Sent(window Span) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	sent := 0
	for _, at := range p.sent {
		if at >= window.From && at < window.To {
			sent++
		}
	}
	return sent
}

// Answered reports whether an answer came at or after t.
func (p *Probe) Answered(t Instant) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.back) > 0 && p.back[len(p.back)-1] >= t
}

// closed reports whether stop is. A socket's own error is no sign of that: libraries differ in which one they return.
func closed(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}
