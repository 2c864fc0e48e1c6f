package vip

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// localPatience is for how long a Put waits for the kernel to accept packets for an IPv6 address that it has taken. An idle
// one needs some tens of microseconds. One that needs longer is asked again by [Netlink.Accepts].
const localPatience = 20 * time.Millisecond

// unreadyFor is for how long after such a wait in vain no other is begun on the same link: many addresses must not hold up the pass
// that puts them for as many times.
const unreadyFor = time.Second

// routedKey is an address on a link, by the link's index.
type routedKey struct {
	index uint32
	addr  netip.Addr
}

// awaitLocal waits until packets for an IPv6 address are this host's own. The kernel acknowledges the address and answers for
// it at once, but makes its local route in a work queue (net/ipv6/addrconf.c, addrconf_dad_work, also with nodad). In
// between it treats what is sent to the address as somebody else's: it forwards the packet, or drops it. So nobody may be told
// of the address before. The wait is bounded: a link that is not ready has no such route. An address that was there before has
// its route.
func (k *Netlink) awaitLocal(index uint32, addr netip.Addr) error {
	which := routedKey{index, addr}
	if _, was := k.routed[which]; was {
		return nil
	}
	if time.Now().Before(k.unready[index]) {
		k.unrouted[which] = struct{}{}
		return nil
	}
	pause := 20 * time.Microsecond
	for end := time.Now().Add(localPatience); ; pause *= 2 {
		local, err := k.isLocal(index, addr)
		if err != nil || local {
			return err
		}
		if time.Now().After(end) {
			if k.unready == nil {
				k.unready = make(map[uint32]time.Time)
			}
			k.unready[index] = time.Now().Add(unreadyFor)
			k.unrouted[which] = struct{}{}
			return nil
		}
		time.Sleep(pause)
	}
}

// Accepts says whether the kernel takes packets for an address that was put. It asks only for one whose Put has waited for that in
// vain, and says so too where it cannot ask.
func (k *Netlink) Accepts(link string, addr netip.Addr) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.unrouted) == 0 {
		return true
	}
	index, err := k.index(link)
	if err != nil {
		return true
	}
	which := routedKey{index, addr}
	if _, waits := k.unrouted[which]; !waits {
		return true
	}
	if local, err := k.isLocal(index, addr); err == nil && !local {
		return false
	}
	delete(k.unrouted, which)
	return true
}

// isLocal asks the kernel where it would send a packet for addr: to itself?
func (k *Netlink) isLocal(index uint32, addr netip.Addr) (bool, error) {
	ae := netlink.NewAttributeEncoder()
	ae.Bytes(unix.RTA_DST, addr.AsSlice())
	ae.Uint32(unix.RTA_OIF, index) // which finds the table of a VRF
	attrs, err := ae.Encode()
	if err != nil {
		return false, fmt.Errorf("encode route to %s: %w", addr, err)
	}
	b := make([]byte, unix.SizeofRtMsg, unix.SizeofRtMsg+len(attrs)) // struct rtmsg, rtnetlink(7)
	b[0], b[1] = unix.AF_INET6, byte(addr.BitLen())
	reply, err := k.execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETROUTE, Flags: netlink.Request},
		Data:   append(b, attrs...),
	})
	if err != nil && !isErrno(err) {
		return false, fmt.Errorf("ask for the route to %s: %w", addr, err)
	}
	for _, m := range reply {
		if m.Header.Type == unix.RTM_NEWROUTE && len(m.Data) >= unix.SizeofRtMsg {
			return m.Data[7] == unix.RTN_LOCAL, nil // rtm_type
		}
	}
	return false, nil // no route at all, yet
}
