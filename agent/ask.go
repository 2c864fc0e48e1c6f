package agent

import (
	"context"
	"net/netip"
	"time"

	"quorate/vip/probe"
)

// prober asks by package probe.
type prober struct{ *probe.Prober }

// Ask implements asker.
func (p prober) Ask(ctx context.Context, link string, addrs []netip.Addr, wait time.Duration, heard func(netip.Addr, string)) error {
	_, err := p.Prober.Ask(ctx, probe.Question{Link: link, Addresses: addrs, Wait: wait, Enough: func(a probe.Answer) bool {
		heard(a.Addr, a.MAC.String())
		return false
	}})
	return err
}
