// Package connsync keeps the connections of one director at the others, so that established ones go on when their virtual address moves.
//
//	kernel's master ─► lo ─► Relay ─► sealed datagrams, one for each peer ─► Relay ─► lo ─► kernel's backup
//	kernel's table  ─► pieces, acknowledged ─────────────────────────────► Relay ─► lo ─► kernel's backup      (for a director that joins)
//	tracked connections (nftables): events ─► the same messages ─► Relay ─► entries with their translation
//
// What is decided here: what goes to whom ([Relay]: a protocol without sockets and clock), in which order it is replayed, how long
// something that is missing is waited for, and whether this host has what the others have ([Sync.Synced]). [Sync] is the shell: sockets, the
// kernel's sync daemons, the sysctls that the operator lets it set, and a mark by which the next process knows what was ours.
//
// What is never done here: no choice of an owner, no service, no address. Another program's sync daemon is never stopped; it is named, with the
// command that stops it.
//
//	s := connsync.New(connsync.Options{Self: "n1", Listen: addr, Seal: sealer, Mark: "/var/lib/quorate/connsync.json"})
//	s.Configure(connsync.Config{Plane: "ipvs", Peers: peers, Services: services})
//	err := s.Run(ctx)
//
// See DESIGN.md for why it is so, and what was measured.
package connsync
