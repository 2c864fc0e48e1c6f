// Package speak is a node's voice and ear among VRRP routers: one [vrrp.Speaker] for each link and family that carries virtual routers.
//
//	whole wanted set ─► Speakers.Want ─► line (link, family): Conn + Speaker ─► adverts
//	actuator ─► Speak, Silence, LastWord ─► voice ─┘            │
//	actuator ◄─ View, News ◄────────────────────────────────────┘ who else is heard
//
// It decides nothing about owners. The actuator says under which epoch a router may speak, and asks what is heard before it opens an address; neither waits for a
// socket. A line follows its link: it opens its sockets anew when the link was made anew, and starts its routers anew when the link's address has changed. What
// was told of a router stands meanwhile.
//
// Each advert is sent only after the lease was asked, by the clock of that moment, whether the address may still be claimed: an agent that stood still
// says nothing when it goes on. What is left is the time between that question and the system call.
//
// [New] starts nothing; [Speakers.Run] owns every goroutine.
package speak
