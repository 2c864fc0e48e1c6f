package api

import (
	"context"
	"maps"
	"slices"

	"quorate/fsm"
)

// shown is the configuration as a caller may see it: with its secrets over the unix socket, which is for operators; over TCP any user of the machine may ask.
func shown(ctx context.Context, c fsm.Config) (out fsm.Config, hidden bool) {
	if peerOf(ctx).local {
		return c, false
	}
	return eachRouter(c, func(_ string, r fsm.VirtualRouter) fsm.VirtualRouter {
		if r.Password != "" {
			r.Password, hidden = fsm.NotShown, true
		}
		if len(r.HMACKeys) > 0 {
			r.HMACKeys, hidden = []string{fsm.NotShown}, true
		}
		return r
	}), hidden
}

// restored is a configuration with what the cluster has in the places that were not shown. Where it has none they stay, and it is refused.
func restored(c, now fsm.Config) fsm.Config {
	have := map[string]fsm.VirtualRouter{}
	for _, r := range now.VirtualRouters() {
		have[r.Name] = r.VirtualRouter
	}
	return eachRouter(c, func(name string, r fsm.VirtualRouter) fsm.VirtualRouter {
		was := have[name]
		if r.Password == fsm.NotShown && was.Password != "" {
			r.Password = was.Password
		}
		if i := slices.Index(r.HMACKeys, fsm.NotShown); i >= 0 && len(was.HMACKeys) > 0 {
			r.HMACKeys = slices.Concat(r.HMACKeys[:i], was.HMACKeys, r.HMACKeys[i+1:])
		}
		return r
	})
}

// eachRouter is c with another virtual router in place of each, whichever way it is written. c is left as it is.
func eachRouter(c fsm.Config, other func(name string, r fsm.VirtualRouter) fsm.VirtualRouter) fsm.Config {
	c.Routers, c.VIPs = maps.Clone(c.Routers), maps.Clone(c.VIPs)
	for name, r := range c.Routers {
		c.Routers[name] = other(name, r)
	}
	for name, v := range c.VIPs {
		if v.VRRP != nil {
			r := other(name, *v.VRRP)
			v.VRRP = &r
			c.VIPs[name] = v
		}
	}
	return c
}
