package main

import (
	"github.com/spf13/cobra"

	"quorate/api/crossing"
)

func (a *app) vrrpGiveback() *cobra.Command {
	return a.crossing(crossing.Giveback, &cobra.Command{
		Use:   "giveback VIP",
		Short: "Give a VIP back to keepalived and the like, step by step",
		Long: `Give a VIP back to the routers outside the cluster, the way back of takeover: its mode becomes shadow, together with that
of all that goes with it. The owner takes the address off and then tells the other routers, by an advert of priority 0,
that they need not wait. Then it is made sure of: no node has the address any more, one of the virtual router's peers speaks
for it, and somebody answers for it.

It is refused where no peer is left that could have it, unless it is forced. Whether keepalived runs on a peer that answers
shows only when it has to take over: what is not so within --wait is undone, unless --rollback=false. Until then nobody has
the VIP. Without --wait, the time is 15s and the skew of the slowest router: 16s where they advertise each second.`,
		Example: `  quorate vrrp giveback web
  quorate vrrp giveback web --check`,
	})
}
