package cluster

import (
	"net"
	"sync"
)

// connSet knows the open streams of one owner, so that closing the owner ends whoever waits on them. The zero value is
// ready.
type connSet struct {
	mu     sync.Mutex
	closed bool
	conns  map[*trackedConn]struct{}
}

// trackedConn forgets itself when it is closed.
type trackedConn struct {
	net.Conn
	set *connSet
}

// Close implements net.Conn.
func (c *trackedConn) Close() error {
	c.set.mu.Lock()
	delete(c.set.conns, c)
	c.set.mu.Unlock()
	return c.Conn.Close()
}

// add takes conn over; false = the set is closed, and so is conn.
func (s *connSet) add(conn net.Conn) (net.Conn, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = conn.Close()
		return nil, false
	}
	if s.conns == nil {
		s.conns = make(map[*trackedConn]struct{})
	}
	t := &trackedConn{Conn: conn, set: s}
	s.conns[t] = struct{}{}
	return t, true
}

// closeAll closes what is open now.
func (s *connSet) closeAll() {
	s.mu.Lock()
	all := make([]*trackedConn, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		_ = c.Close()
	}
}

// close closes what is open and whatever is added later.
func (s *connSet) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.closeAll()
}
