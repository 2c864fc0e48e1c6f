package agent

import (
	"context"
	"time"
)

// watchLinks has the facts of this node told as soon as a link of it is lost or comes back, instead of when they are next looked at:
// a VIP on a link without carrier is heard by nobody.
func (a *Agent) watchLinks(ctx context.Context) error {
	for {
		err := a.kernel.WatchLinks(ctx, a.node.Refresh)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		a.log.Warn("changes of links are not seen at once; listening again", "reason", err)
		if !sleep(ctx, time.Second) {
			return ctx.Err()
		}
	}
}
