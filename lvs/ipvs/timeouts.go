package ipvs

import (
	"fmt"
	"time"

	"quorate/lvs"
)

// Commands and attributes of the timeouts (include/uapi/linux/ip_vs.h): unsigned numbers of seconds, and an attribute that is left out leaves its
// timeout as it is (ip_vs_ctl.c, ip_vs_genl_set_config). The answer of the one command comes under the other's number.
const (
	cmdSetConfig = 12
	cmdGetConfig = 13

	attrTimeoutTCP    = 4
	attrTimeoutTCPFin = 5
	attrTimeoutUDP    = 6
)

// Timeouts are those of the kernel, all three.
func (p *Plane) Timeouts() (t lvs.Timeouts, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	err = p.conn.request(command{cmd: cmdGetConfig}, 0, func(answer []byte) (err error) {
		t, err = decodeTimeouts(answer)
		return err
	})
	if err != nil {
		return t, fmt.Errorf("reading the kernel's timeouts of connections: %w", permission(err))
	}
	return t, nil
}

// SetTimeouts sets those that are not 0. Connections that there are get them with their next packet.
func (p *Plane) SetTimeouts(t lvs.Timeouts) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.conn.request(command{cmdSetConfig, appendTimeouts(nil, t)}, 0, func([]byte) error { return nil })
	if err != nil {
		return fmt.Errorf("setting the kernel's timeouts of connections to %v (tcp), %v (tcp_fin), %v (udp): %w", t.TCP, t.TCPFin, t.UDP, permission(err))
	}
	return nil
}

func appendTimeouts(b []byte, t lvs.Timeouts) []byte {
	for _, x := range []struct {
		attr uint16
		d    time.Duration
	}{{attrTimeoutTCP, t.TCP}, {attrTimeoutTCPFin, t.TCPFin}, {attrTimeoutUDP, t.UDP}} {
		if x.d != 0 {
			b = append32(b, x.attr, uint32(x.d/time.Second))
		}
	}
	return b
}

// decodeTimeouts reads a payload of the family.
func decodeTimeouts(payload []byte) (t lvs.Timeouts, err error) {
	var tcp, fin, udp uint32
	err = numbers(payload, map[uint16]*uint32{attrTimeoutTCP: &tcp, attrTimeoutTCPFin: &fin, attrTimeoutUDP: &udp})
	seconds := func(n uint32) time.Duration { return time.Duration(n) * time.Second }
	return lvs.Timeouts{TCP: seconds(tcp), TCPFin: seconds(fin), UDP: seconds(udp)}, err
}
