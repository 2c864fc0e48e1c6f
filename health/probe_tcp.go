package health

import (
	"context"
	"time"
)

// tcpProber connects and closes again, in the ordinary way (FIN), so that the server's log shows a client that changed
// its mind rather than a reset.
type tcpProber struct{ dial DialFunc }

func (p tcpProber) Probe(ctx context.Context, t Target) (Answer, error) {
	start := time.Now()
	c, err := connect(ctx, p.dial, "tcp", t)
	if err != nil {
		return Answer{}, err
	}
	// The handshake was the question; what closing says of the server is none of its health.
	_ = c.Close()
	return connected(time.Since(start)), nil
}

// connected is the answer of a target that took a connection.
func connected(took time.Duration) Answer {
	return Answer{Detail: "connected in " + rounded(took).String()}
}
