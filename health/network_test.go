package health

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// condition is what a modelled server does with a connection.
type condition int

const (
	refusing  condition = iota // nobody listens; also every address that was never set
	silent                     // packets vanish: a dial ends with its deadline
	open                       // accepts and reads
	failing                    // answers 503
	stalling                   // answers the header and half the body, then nothing
	exhausted                  // this machine has no file descriptor left
)

// network is a model of the servers and of the way to them, for use in virtual time.
type network struct {
	mu      sync.Mutex
	servers map[string]condition
	dialled map[string]int // per address, so far
	open    map[string]int // connections per address that the prober has not closed
	most    int            // connections at once, at most, whole network
	doubled []string       // addresses that were dialled while a connection to them was open
}

func newNetwork() *network {
	return &network{servers: map[string]condition{}, dialled: map[string]int{}, open: map[string]int{}}
}

func (n *network) set(addr string, c condition) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.servers[addr] = c
}

func (n *network) dials(addr string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dialled[addr]
}

func (n *network) begin(addr string) condition {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dialled[addr]++
	if n.open[addr] > 0 {
		n.doubled = append(n.doubled, addr)
	}
	n.open[addr]++
	sum := 0
	for _, k := range n.open {
		sum += k
	}
	n.most = max(n.most, sum)
	return n.servers[addr]
}

func (n *network) end(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.open[addr]--
}

func (n *network) dial(ctx context.Context, _ string, t Target) (net.Conn, error) {
	return n.dialAddr(ctx, t.Addr.String())
}

func (n *network) dialAddr(ctx context.Context, addr string) (net.Conn, error) {
	cond := n.begin(addr)
	fail := func(err error) (net.Conn, error) {
		n.end(addr)
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
	}
	switch cond {
	case silent:
		<-ctx.Done()
		return fail(ctx.Err())
	case exhausted:
		return fail(syscall.EMFILE)
	case open, failing, stalling:
		client, server := net.Pipe()
		go serve(server, cond)
		return &closing{Conn: client, done: sync.OnceFunc(func() { n.end(addr) })}, nil
	default:
		return fail(syscall.ECONNREFUSED)
	}
}

// serve answers one HTTP request, if one comes.
func serve(c net.Conn, cond condition) {
	defer c.Close()
	if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
		return
	}
	answer := map[condition]string{
		open:     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		failing:  "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
		stalling: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive.",
	}[cond]
	_, _ = io.WriteString(c, answer)
	if cond == stalling {
		_, _ = io.Copy(io.Discard, c)
	}
}

// closing tells the model when the prober closes.
type closing struct {
	net.Conn
	done func()
}

func (c *closing) Close() error {
	c.done()
	return c.Conn.Close()
}
