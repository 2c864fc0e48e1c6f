package nft

import (
	"fmt"
	"iter"
	"time"

	"golang.org/x/sys/unix"

	"quorate/lvs"
	"quorate/lvs/conntrack"
)

// The names of the protocols, and of the states by number (linux/netfilter/nf_conntrack_tcp.h, nf_conntrack_sctp.h).
var (
	transports = map[byte]string{unix.IPPROTO_TCP: lvs.TCP, unix.IPPROTO_UDP: lvs.UDP, unix.IPPROTO_SCTP: lvs.SCTP}
	stateNames = map[byte][]string{
		unix.IPPROTO_TCP: {"NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE", "SYN_SENT2"},
		unix.IPPROTO_SCTP: {"NONE", "CLOSED", "COOKIE_WAIT", "COOKIE_ECHOED", "ESTABLISHED", "SHUTDOWN_SENT", "SHUTDOWN_RECEIVED", "SHUTDOWN_ACK_SENT",
			"HEARTBEAT_SENT", "HEARTBEAT_ACKED"},
	}
)

// Connections lists the tracked connections whose destination somebody has rewritten, in the network namespace of the calling thread; which of them are of a
// service, [lvs.ConnectionsOf] tells. It reads as it goes, a datagram at a time, so that its memory does not grow with the table. It ends at the first error.
func Connections() iter.Seq2[lvs.Connection, error] {
	return func(yield func(lvs.Connection, error) bool) {
		d, err := newDump()
		if err != nil {
			yield(lvs.Connection{}, err)
			return
		}
		defer d.close()
		var some []lvs.Connection
		for done := false; !done; {
			some = some[:0]
			done, err = d.next(func(t tracked) {
				if c, ok := t.connection(); ok {
					some = append(some, c)
				}
			})
			for _, c := range some {
				if !yield(c, nil) {
					return
				}
			}
			if err != nil {
				yield(lvs.Connection{}, err)
				return
			}
		}
	}
}

// connection is t as a connection that is balanced; false when it is none.
func (t tracked) connection() (lvs.Connection, bool) {
	name := transports[t.Orig.Protocol]
	if !t.translated() || name == "" || !t.Orig.Src.IsValid() || !t.Orig.Dst.IsValid() || !t.Reply.Src.IsValid() {
		return lvs.Connection{}, false
	}
	return lvs.Connection{Protocol: name, Client: t.Orig.Src, Virtual: t.Orig.Dst, Server: t.Reply.Src, State: t.stateName(),
		Expires: time.Duration(t.Timeout) * time.Second}, true
}

// stateName is what conntrack(8) calls the state; a protocol without states is as far as its packets tell.
func (t tracked) stateName() string {
	names, has := stateNames[t.Orig.Protocol]
	switch {
	case has && int(t.State) < len(names):
		return names[t.State]
	case has:
		return fmt.Sprintf("STATE-%d", t.State)
	case t.Status&conntrack.Assured != 0:
		return "ASSURED"
	case t.Status&conntrack.SeenReply != 0:
		return "REPLIED"
	default:
		return "UNREPLIED"
	}
}
