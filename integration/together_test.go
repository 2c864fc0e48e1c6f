package integration

import (
	"net/netip"
	"slices"
	"time"

	"quorate/integration/lab"
)

// together says what is wrong where two hosts answered for an address in the window at once; "" = nothing. Two nodes of a cluster never do, however the machine stands still
// meanwhile. A node and another router do not for longer than beside: 0 where the cluster waits until that one is silent, or where it has no business with the address; as long
// as the machine stood still where the other gives way first, which it does as soon as it gets a processor.
func together(c *lab.Capture, a netip.Addr, window lab.Span, nodes []string, beside time.Duration, others ...string) string {
	if both := c.Together(a, window, nodes...); both > 0 {
		return "two nodes answered for " + lab.Millis(both)
	}
	if both := c.Together(a, window, slices.Concat(nodes, others)...); both > beside {
		return "two hosts answered for " + lab.Millis(both) + ", want at most " + lab.Millis(beside)
	}
	return ""
}
