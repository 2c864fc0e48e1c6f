// Package vip makes a node's addresses and announcements match a wanted set.
//
// It decides nothing about ownership. The caller says which addresses this host is to carry, on which link and for how
// long its word is good; an [Actuator] lists the kernel, compares, applies the difference, and reports what is really
// there. It works on levels, not on edges: the whole wanted set goes in each time, and doing it twice does nothing twice.
//
//	caller ── Reconcile(want) ──► list ─► diff (pure) ─► Put / Remove ─► announce ─► list ─► Status
//	caller ── Keep() ───────────► the word is good for another Lifetime: lifetimes in the kernel are renewed
//	kernel ── Watch ────────────► Run: the same pass again; what another program removed is put back, and an Event says so
//	timer  ─────────────────────► Run: announcements at 0, 50, 200, 1000, 5000 ms, then every minute; retries
//
// # What is ours
//
// An address is ours when it carries our mark (IFA_PROTO 0x51, shown by ip(8) as "proto 0x51"); see [Netlink] for kernels
// that have no such mark. Everything else is foreign. Ours and not wanted is removed. Foreign and not wanted is never
// touched; if it equals an address that the cluster manages (see [Actuator.Manage]), it is reported as a conflict, because
// this host then answers for an address that nobody gave it. Foreign and wanted is taken over: the kernel's entry
// gets our mark and lifetime, and goes when we give the address up.
//
// # Nothing outlives the caller's word
//
// Every address is put with a finite lifetime, so that the kernel drops it when this process is dead or frozen. The
// lifetime is never counted from the time of the renewal, but from the caller's last Reconcile or Keep: an address runs out
// at that instant plus Wanted.Lifetime, rounded up to the kernel's whole seconds. When the word has run out while the
// process lives, Run removes the address, stops announcing it, and puts nothing back until the next Reconcile.
//
// This is a second line behind the cluster's lease, too coarse to be the first: seconds, where the lease has
// milliseconds. The first is the gate (package quorate/vip/gate), which the kernel closes at the end of the lease, whatever
// becomes of this process. Where there is one, an address is put only on a link that carries it, and goes from a link that
// loses it; its entry is opened before the address is put and announced, and closed before it is removed.
//
// # What it never does
//
// It never remembers kernel state instead of reading it: memory serves announcements, the text of events and the rate limit.
// It never changes routes, foreign addresses, or the state of links but those that it makes for virtual MACs (see [Virtual]). It sets one switch on a link that gets an IPv4
// address: promote_secondaries, without which the kernel would remove foreign addresses together with one of ours
// (DESIGN.md). It starts no goroutine outside [Actuator.Run].
//
// # Example
//
//	kernel, err := vip.NewKernel()
//	...
//	a := vip.New(vip.Options{Kernel: kernel, Announcer: vip.NewAnnouncer(), Log: log})
//	go a.Run(ctx)
//	status := a.Reconcile([]vip.Wanted{{Prefix: netip.MustParsePrefix("192.0.2.10/24"), Link: "eth0", Lifetime: 3 * time.Second}})
//	... every half second while the lease is live: a.Keep()
//	... lease lost: a.Clear()
package vip
