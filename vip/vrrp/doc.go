// Package vrrp speaks the Virtual Router Redundancy Protocol with neighbours that know nothing else: version 2 (RFC 3768), version 3 (RFC 5798, RFC 9568), and
// what keepalived made of both.
//
//	datagram ─► Decode ─► Checker ─► Router ──► Machine.Step ──► actions
//	            (form)    (reason)     │  (RFC 9568 section 6)     │
//	                                   ▼                           ▼
//	                              Neighbours                Compose ─► packets
//	          Conn ◄──────────── Speaker: one link, its timers ───────┘
//
// All above the last line is pure: bytes and times go in, values come out. [Speaker] and [Conn] are the shell.
//
// # Two uses
//
// [Appointed]: a whole cluster acts as one virtual router. The cluster decides who owns the addresses; this package is its voice and its ear. It speaks only between
// [Appoint] and [HandOver] or [Release]. A hand-over inside the cluster says nothing, as priority 0 would wake the neighbours; only a Release does. A listed
// neighbour with a better claim makes it fall silent and ask to [Yield]; when nobody is heard any more it says [Vacant]. Adverts carry no trust: those of strangers
// raise an alarm and move nothing.
//
// Without a quorum the cluster may let its routers [Elect] until it decides again.
//
// [Elected]: plain VRRP among the hosts themselves, for when there is no cluster to ask.
//
// # The state machine
//
//	            Startup                    Active_Down_Timer fires (Elected, Elect), Appoint
//	Initialize ─────────► Backup ─────────────────────────────────────────► Active
//	     ▲                  │ ▲                                               │ │
//	     └──── Shutdown ────┘ └── better claim, HandOver, Release, Abstain ─────┘ │
//	     └────────────────────────── Shutdown ──────────────────────────────────┘
//
// An owner of the addresses (priority 255, Elected) goes from Initialize to Active at once.
//
// # Bounds
//
// Datagrams of foreign VRIDs end in the kernel's filter. Judging one allocates nothing. A router remembers 64 neighbours, hears four of them in one batch of
// datagrams, answers others' adverts once in 10 ms, raises one alarm a second, and tells each difference of a neighbour once a minute.
//
// # What it never does
//
// It changes no address and no gate: it says what is to be done. It wraps nothing in the IP authentication header, which it recognises and names. It reads no
// configuration and opens no socket but [Open]'s.
//
// # Example
//
//	wire, err := vrrp.Open(vrrp.ConnOptions{Link: "eth0", Family: vrrp.IPv4, VRIDs: []vrrp.VRID{51}})
//	...
//	s := vrrp.NewSpeaker(vrrp.SpeakerOptions{Wire: wire, Act: act, Log: log})
//	err = s.Add(vrrp.Config{VRID: 51, Version: vrrp.V3, Priority: 254, Interval: time.Second, Mode: vrrp.Appointed,
//		Addresses: addresses, Source: own, Fellows: nodes, Listed: legacy})
//	go s.Run(ctx)
//	... the node owns the address: s.Tell(51, vrrp.Appoint, 0)
package vrrp
