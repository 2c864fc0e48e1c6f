package lvstest

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// Port is where the servers listen, TCP and UDP, on both families.
const Port = 8080

// udpPorts is the first of as many ports that [Host.Open] takes one after the other: none that a service or a server has, or that the kernel gives.
const udpPorts = 15000

// patience bounds every single exchange with a server; on a loaded machine, inside an emulated one, still far too long.
const patience = 10 * time.Second

// Server is a real server of the bed. To each TCP connection, and to each UDP packet, it says its name and whom it sees:
// "s1 192.0.2.100\n". On TCP it goes on to echo lines.
type Server struct {
	*Host
	mu       sync.Mutex
	conns    map[net.Conn]bool
	listener net.Listener
	packet   net.PacketConn
}

// Addr of the server in the family of vip.
func (s *Server) Addr(vip netip.Addr) netip.AddrPort {
	n := s.Name[1] - '0'
	if vip.Is6() {
		return netip.MustParseAddrPort(fmt.Sprintf("[fd00:9::1%d]:%d", n, Port))
	}
	return netip.MustParseAddrPort(fmt.Sprintf("10.9.0.1%d:%d", n, Port))
}

func newServer(t testing.TB, h *Host) *Server {
	t.Helper()
	s := &Server{Host: h, conns: make(map[net.Conn]bool)}
	err := h.Do(func() (err error) {
		if s.listener, err = net.Listen("tcp", fmt.Sprintf("[::]:%d", Port)); err != nil {
			return err
		}
		s.packet, err = net.ListenPacket("udp", fmt.Sprintf("[::]:%d", Port))
		return err
	})
	if err != nil {
		t.Fatalf("server %s: %v", h.Name, err)
	}
	var running sync.WaitGroup
	running.Go(func() { s.accept(&running) })
	running.Go(func() { s.answer(s.packet) })
	t.Cleanup(func() {
		s.listener.Close()
		s.packet.Close()
		s.mu.Lock()
		for c := range s.conns {
			c.Close()
		}
		s.mu.Unlock()
		running.Wait()
	})
	return s
}

func (s *Server) accept(running *sync.WaitGroup) {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[c] = true
		s.mu.Unlock()
		running.Go(func() {
			defer func() {
				c.Close()
				s.mu.Lock()
				delete(s.conns, c)
				s.mu.Unlock()
			}()
			s.greet(c, c.RemoteAddr())
			lines := bufio.NewReader(c)
			for {
				line, err := lines.ReadString('\n')
				if err != nil {
					return
				}
				if _, err := c.Write([]byte(line)); err != nil {
					return
				}
			}
		})
	}
}

// open counts the TCP connections that the server has.
func (s *Server) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

func (s *Server) answer(p net.PacketConn) {
	buf := make([]byte, 64)
	for {
		_, from, err := p.ReadFrom(buf)
		if err != nil {
			return
		}
		p.WriteTo([]byte(s.greeting(from)), from)
	}
}

func (s *Server) greet(c net.Conn, from net.Addr) { c.Write([]byte(s.greeting(from))) }

func (s *Server) greeting(from net.Addr) string {
	a := netip.MustParseAddrPort(from.String())
	return fmt.Sprintf("%s %s\n", s.Name, a.Addr().Unmap())
}

// Conn is a client's connection through a service.
type Conn struct {
	net.Conn
	lines  *bufio.Reader
	Server string     // that answered: "s1"
	Source netip.Addr // that the server saw
}

// Open connects from this host to a service, over tcp or udp, and reads who answered. from may be the zero Addr. Over udp each call has a port of
// its own: the kernel takes one by chance, also one that was just closed, and the director would take what comes from there for the earlier connection.
func (h *Host) Open(network string, service netip.AddrPort, from netip.Addr) (*Conn, error) {
	c := &Conn{}
	err := h.Do(func() (err error) {
		d := net.Dialer{Timeout: patience}
		switch {
		case network == "udp":
			d.LocalAddr = &net.UDPAddr{IP: from.AsSlice(), Port: udpPorts + int(h.asked.Add(1)%udpPorts)}
		case from.IsValid():
			d.LocalAddr = &net.TCPAddr{IP: from.AsSlice()}
		}
		c.Conn, err = d.Dial(network, service.String())
		return err
	})
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(patience))
	c.lines = bufio.NewReader(c.Conn)
	if network == "udp" {
		if _, err := c.Write([]byte("?")); err != nil {
			c.Close()
			return nil, err
		}
	}
	line, err := c.lines.ReadString('\n')
	if err != nil {
		c.Close()
		return nil, err
	}
	name, source, _ := strings.Cut(strings.TrimSpace(line), " ")
	c.Server = name
	if c.Source, err = netip.ParseAddr(source); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Alive sends a line over a TCP connection and waits for its echo.
func (c *Conn) Alive() error {
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte("alive?\n")); err != nil {
		return err
	}
	line, err := c.lines.ReadString('\n')
	if err == nil && line != "alive?\n" {
		err = fmt.Errorf("echo: got %q", line)
	}
	return err
}
