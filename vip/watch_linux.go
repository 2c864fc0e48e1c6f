package vip

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// watchBuffer holds the kernel's messages while we list. A thousand addresses that are renewed make 150 kB of them.
const watchBuffer = 1 << 20

// Watch implements [Kernel].
//
// Our own puts and renewals do not wake: an address that carries the mark is as it should be. Whatever else happens to an
// address or a link does.
func (k *Netlink) Watch(ctx context.Context, wake func()) error {
	return k.watchGroups(ctx, unix.RTMGRP_LINK|unix.RTMGRP_IPV4_IFADDR|unix.RTMGRP_IPV6_IFADDR, wake)
}

// WatchLinks calls wake once when it listens and then whenever a link comes, goes, or changes its state or carrier, until ctx ends (then it
// returns nil) or it cannot go on. Addresses do not wake. wake must not block.
func (k *Netlink) WatchLinks(ctx context.Context, wake func()) error {
	return k.watchGroups(ctx, unix.RTMGRP_LINK, wake)
}

func (k *Netlink) watchGroups(ctx context.Context, groups uint32, wake func()) error {
	for {
		err := k.watch(ctx, groups, wake)
		if ctx.Err() != nil {
			return nil
		}
		if !errors.Is(err, unix.ENOBUFS) {
			return fmt.Errorf("watch links and addresses: %w", err)
		}
		// Messages were lost. A new subscription wakes, and what we missed is seen by listing.
	}
}

// gather is how long messages gather after the first one that follows a silence.
const gather = 2 * time.Millisecond

func (k *Netlink) watch(ctx context.Context, groups uint32, wake func()) error {
	var conn *netlink.Conn
	err := k.in(func() (err error) {
		conn, err = netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{
			Groups: groups,
		})
		return err
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	// A smaller buffer than asked for (net.core.rmem_max) means more ENOBUFS, not loss.
	_ = conn.SetReadBuffer(watchBuffer)
	wake()
	for {
		asked := time.Now()
		msgs, err := conn.Receive()
		if err != nil {
			return err
		}
		if time.Since(asked) > gather {
			// Renewing our own addresses tells of each of them: those that follow are read without waking up for each.
			time.Sleep(gather)
		}
		for _, m := range msgs {
			if k.matters(m) {
				wake()
				break
			}
		}
	}
}

// matters says whether a message may tell of something that is not as we left it.
func (k *Netlink) matters(m netlink.Message) bool {
	if m.Header.Type != unix.RTM_NEWADDR {
		return true
	}
	e, ok, err := parseAddr(m.Data)
	return err != nil || ok && e.proto != ourProto
}
