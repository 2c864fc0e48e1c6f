// Package probe finds out who answers for an address on a link, by asking as any host there does: an ARP probe
// (RFC 5227 section 2.1.1) for IPv4, a neighbour solicitation (RFC 4861 section 7.2.2) for IPv6. What is heard is what is true
// for clients, whatever the cluster has agreed.
//
//	Question ─► one frame for each address ─► link ─► answers: address, MAC, how long it took
//
// A question claims nothing. The ARP probe has no sender address, and so changes no cache; the solicitation is asked in the name of
// an address that this host has on the link. That is also why the gate (package quorate/vip/gate) passes both on a node
// that does not own the address, and the answers too: it closes the answering, not the asking.
//
// It asks from outside: a host gets no answer on the wire for an address of its own, as nobody hears their own question. So the owner is
// the one node that cannot ask whether it is heard.
//
// The owner can listen, though: [Prober.Watch] hears who else claims its addresses.
//
// # Bounds
//
// One round lasts as long as it is told, [MaxWait] at most. It hears [MaxAnswers] MACs for an address and no more: a host that
// answers with ever new ones fills no memory. Frames that come meanwhile and concern no address that was asked for are left
// to the kernel's filter, so that a busy link costs nothing.
//
// # Example
//
//	macs, err := probe.New().Who(ctx, "eth0", netip.MustParseAddr("192.0.2.10"), 200*time.Millisecond)
//	... len(macs) == 0: nobody answers; > 1: more than one host holds it
package probe
