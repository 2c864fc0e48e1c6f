package fsm

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Warnings are what is accepted in a configuration and does not do what its words say, or not as safely as it could: the virtual routers, the checks, and then the services and the
// notifiers by name. A configuration that has problems may have any.
func (c Config) Warnings() Problems {
	var ps Problems
	c.warnRouters(&ps)
	c.eachCheck(func(object string, check Check) { check.warn(&ps, object) })
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		c.Services[name].warn(&ps, "service."+name)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Notifiers)) {
		c.Notifiers[name].warn(&ps, "notify."+name)
	}
	c.warnFallback(&ps)
	return ps
}

func (n Notifier) warn(ps *Problems, object string) {
	if w := n.Webhook; w != nil && strings.HasPrefix(w.URL, "http://") && !toItself(hostOf(w.URL)) {
		ps.add(object+".webhook", "url", w.URL, "what happens in the cluster is sent in the clear, and to whoever answers at that address", "use https")
	}
	if m := n.Email; m != nil && m.NoTLS && !toItself(m.Server) {
		ps.add(object+".email", "starttls", "false", "what happens in the cluster is sent in the clear, and to whoever answers at that address", "leave starttls out, so that TLS is demanded")
	}
}

// hostOf is what a URL has between its scheme and its path. By hand: what the standard library takes for a URL differs between its versions, and replicas
// have to agree.
func hostOf(url string) string {
	_, host, _ := strings.Cut(url, "://")
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host = host[:i]
	}
	return host
}

// toItself reports whether what is sent to HOST or HOST:PORT stays on the machine.
func toItself(at string) bool {
	host, _, _ := strings.Cut(at, ":")
	if strings.HasPrefix(at, "[") {
		host, _, _ = strings.Cut(at[1:], "]")
	}
	a, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && a.IsLoopback()
}

func (s Service) warn(ps *Problems, object string) {
	_, _, all := s.thresholds()
	switch quorum := max(1, s.Quorum); {
	case len(s.Servers) == 0:
	case s.Quorum > all:
		ps.add(object, "quorum", strconv.Itoa(s.Quorum), fmt.Sprintf("the weights of all servers add up to %d, and that is taken instead", all),
			fmt.Sprintf("use at most %d, or more servers", all))
	case s.Hysteresis > 0 && quorum+s.Hysteresis > all:
		ps.add(object, "hysteresis", strconv.Itoa(s.Hysteresis),
			fmt.Sprintf("the quorum would be met at %d, the weights of all servers add up to %d, and that is taken instead", quorum+s.Hysteresis, all),
			"use less, or more servers")
	}
	if s.SlowStart == 0 {
		return
	}
	for _, server := range s.Servers {
		if server.Weight > 0 && server.Weight < rampFirst {
			ps.add(object, "slow_start", s.SlowStart.String(), fmt.Sprintf("the weight of server %s is %d, which leaves few steps between a tenth and all of it", server.Address, server.Weight),
				"use weights of 10 and more, such as 100 for each server")
			return
		}
	}
}
