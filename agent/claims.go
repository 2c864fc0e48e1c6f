package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"quorate/fsm"
	"quorate/vip/probe"
)

// claimWatch hears whether another host claims what this node owns, and answers with an announcement, so that neighbours learn the right
// MAC again (design §3 “Planned moves”; RFC 5227 section 2.4 (c): this address is to be defended, by announcing it). It never
// gives an address up: who owns it is not for a frame to say.
type claimWatch struct {
	self  fsm.NodeID
	view  view
	live  func(fsm.Epoch) bool // the lease
	wire  claimWire
	again func([]netip.Addr) []netip.Addr // announces, once a second at most
	told  func(fsm.Event)                 // must not block
	count func()
	// waits reports whether this node has not opened an address yet, because others may hold it: a claim is what it waits to see the end of.
	waits func(fsm.AddressKey) bool
	log   *slog.Logger

	mu   sync.Mutex
	last map[probe.Claim]time.Time // when each was last told of
}

// claimWire is where claims are heard.
type claimWire interface {
	Watch(ctx context.Context, link string, addrs []netip.Addr, heard func(probe.Claim)) error
}

const (
	// claimQuiet is for how long a claim must not have been heard to be news again.
	claimQuiet = time.Minute
	// maxClaims bounds what is remembered.
	maxClaims = 1000
	// watchRetry is how long a link that cannot be watched is left alone.
	watchRetry = 5 * time.Second
)

// claimEar is one link that is being watched.
type claimEar struct {
	addrs []netip.Addr
	stop  context.CancelFunc
}

// run watches the links that carry what this node owns, until ctx ends.
func (w *claimWatch) run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ears := map[string]claimEar{}
	index := uint64(0)
	for {
		changed := w.view.Changed()
		if s := w.view.State(); s.Index != index {
			index = s.Index
			want := map[string][]netip.Addr{}
			for _, v := range fsm.LocalOf(s, w.self).VIPs {
				if v.Link != "" {
					want[v.Link] = append(want[v.Link], v.Key.Addr)
				}
			}
			for link, e := range ears {
				if !slices.Equal(e.addrs, want[link]) {
					e.stop()
					delete(ears, link)
				}
			}
			for link, addrs := range want {
				if _, there := ears[link]; there {
					continue
				}
				on, stop := context.WithCancel(ctx)
				ears[link] = claimEar{addrs, stop}
				wg.Go(func() { w.watch(on, link, addrs) })
			}
		}
		select {
		case <-ctx.Done():
			for _, e := range ears {
				e.stop()
			}
			return ctx.Err()
		case <-changed:
		}
	}
}

// watch hears one link until ctx ends.
func (w *claimWatch) watch(ctx context.Context, link string, addrs []netip.Addr) {
	for {
		err := w.wire.Watch(ctx, link, addrs, func(c probe.Claim) { w.heard(link, c) })
		if ctx.Err() != nil {
			return
		}
		w.log.Debug("claims of others are not heard", "link", link, "reason", err)
		if !sleep(ctx, watchRetry) {
			return
		}
	}
}

// heard defends an address, if it is this node's to defend at this moment.
func (w *claimWatch) heard(link string, c probe.Claim) {
	s := w.view.State()
	if !w.live(s.Nodes[w.self].Epoch) {
		return
	}
	local := fsm.LocalOf(s, w.self)
	i := slices.IndexFunc(local.VIPs, func(v fsm.LocalVIP) bool { return v.Key.Addr == c.Addr && v.Link == link })
	if i < 0 {
		return
	}
	if w.waits(local.VIPs[i].Key) {
		return
	}
	w.count()
	w.again([]netip.Addr{c.Addr})
	if !w.news(c) {
		return
	}
	vip := local.VIPs[i]
	text := fmt.Sprintf("%s: another host, %v, claims it on %s of %s, who owns it and announces it again: find that host by its MAC and take the address off it",
		vipText(s, vip.Key), c.MAC, link, w.self)
	w.log.Warn(text, "vip", vip.VIP.Name, "link", link, "reason", string(fsm.ReasonForeign))
	if _, known := toldBy(s.Events)[vip.VIP.Name]; !known {
		w.told(fsm.Event{Kind: fsm.EventReported, Node: w.self, VIP: vip.VIP.Name, Reason: fsm.ReasonForeign, Text: text})
	}
}

// news reports whether the claim was not heard lately, and notes that it was now.
func (w *claimWatch) news(c probe.Claim) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	at, known := w.last[c]
	if w.last == nil || !known && len(w.last) >= maxClaims {
		w.last = map[probe.Claim]time.Time{}
	}
	w.last[c] = now
	return !known || now.Sub(at) >= claimQuiet
}
