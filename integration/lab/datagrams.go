package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// flows is how many sockets, and so connections for a balancer, the questions of a probe take turns on.
const flows = 50

// StartDatagramProbe sends a UDP datagram from the host to a service every interval, that a [WebServer] sends back.
func (h *Host) StartDatagramProbe(target netip.AddrPort, interval time.Duration) (*Probe, error) {
	d := new(datagrams)
	err := h.Do(func() error {
		for range flows {
			c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(target))
			if err != nil {
				return errors.Join(err, d.Close())
			}
			d.conns = append(d.conns, c)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("datagrams to %s from %s: %w", target, h.Name, err)
	}
	return h.startProbe(target.Addr(), interval, d), nil
}

// datagrams asks a UDP service that sends back what it gets.
type datagrams struct{ conns []*net.UDPConn }

func (d *datagrams) Close() error {
	var errs []error
	for _, c := range d.conns {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

func (d *datagrams) ask(seq uint16) error {
	_, err := d.conns[int(seq)%len(d.conns)].Write(binary.BigEndian.AppendUint16(nil, seq))
	return err
}

func (d *datagrams) hear(note func(seq uint16)) {
	var wg sync.WaitGroup
	for _, c := range d.conns {
		wg.Go(func() {
			var buf [3]byte
			for {
				switch n, err := c.Read(buf[:]); {
				case errors.Is(err, net.ErrClosed):
					return
				case err == nil && n == 2: // an error is about an earlier datagram that was refused
					note(binary.BigEndian.Uint16(buf[:]))
				}
			}
		})
	}
	wg.Wait()
}
