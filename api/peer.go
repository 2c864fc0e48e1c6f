package api

import (
	"context"
	"net"
	"net/netip"
	"strings"
)

// peer is who is at the other end of a connection.
type peer struct {
	local bool   // over the unix socket: an operator of this machine
	name  string // "cli:root", "api:127.0.0.1"
}

type peerKey struct{}

// withPeer notes who connected; it is the http.Server's ConnContext.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	p := peer{name: "api"}
	if c.LocalAddr().Network() == "unix" {
		p.local = true
		p.name = "cli"
		if u := socketUser(c); u != "" {
			p.name += ":" + u
		}
	} else if host, _, err := net.SplitHostPort(c.RemoteAddr().String()); err == nil {
		p.name += ":" + host
	}
	return context.WithValue(ctx, peerKey{}, p)
}

// peerOf is the zero peer, a stranger, for a request that did not come through Serve.
func peerOf(ctx context.Context) peer {
	p, _ := ctx.Value(peerKey{}).(peer)
	return p
}

// actor names the caller for the timeline.
func actor(ctx context.Context) string {
	if n := peerOf(ctx).name; n != "" {
		return n
	}
	return "api"
}

// localHost reports whether an HTTP Host header names this machine the way a person would: an address or "localhost".
// Another name means that a web page had its own name resolved to this machine (DNS rebinding).
func localHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if strings.EqualFold(name, "localhost") {
		return true
	}
	_, err := netip.ParseAddr(name)
	return err == nil
}
