package connsync

import (
	"golang.org/x/sys/unix"

	"quorate/lvs/conntrack"
)

// TCP states by conntrack's number (nf_conntrack_tcp.h): NONE, SYN_SENT, SYN_RECV, ESTABLISHED, FIN_WAIT, CLOSE_WAIT, LAST_ACK, TIME_WAIT,
// CLOSE, LISTEN.
var ctStates = [...]uint16{stateNone, stateSynSent, stateSynRecv, stateEstablished, stateFinWait, stateCloseWait, stateLastAck, stateTimeWait,
	stateClose, stateListen}

// ctState is the state as conntrack has it.
func ctState(ipvs uint16) byte {
	for i, s := range ctStates {
		if s == ipvs {
			return byte(i)
		}
	}
	return 3 // IPVS has SYNACK besides
}

// connectionOf is the flow as a message has it; ok is false unless it is one whose destination was translated, and nothing else.
func connectionOf(f conntrack.Flow) (c Conn, ok bool) {
	if f.Status&conntrack.DstNAT == 0 || f.Status&conntrack.SrcNAT != 0 || f.Reply.Dst != f.Orig.Src {
		return c, false
	}
	c = Conn{Protocol: f.Orig.Protocol, Timeout: max(1, f.Timeout), Client: f.Orig.Src, Virtual: f.Orig.Dst, Destination: f.Reply.Src}
	if c.Protocol == unix.IPPROTO_TCP && int(f.State) < len(ctStates) {
		c.State = ctStates[f.State]
	}
	if c.Protocol != unix.IPPROTO_TCP || c.State != stateEstablished {
		c.Flags |= flagInactive
	}
	return c, c.Client.Addr().Is4() == c.Destination.Addr().Is4()
}

// flowOf is the connection as the kernel is to have it before its destination is translated.
func flowOf(c Conn) conntrack.Flow {
	status := uint32(conntrack.Confirmed | conntrack.SeenReply)
	if c.State == stateEstablished || c.Protocol != unix.IPPROTO_TCP {
		status |= conntrack.Assured
	}
	return conntrack.Flow{
		Orig: conntrack.Tuple{Protocol: c.Protocol, Src: c.Client, Dst: c.Virtual}, Reply: conntrack.Tuple{Protocol: c.Protocol, Src: c.Virtual, Dst: c.Client},
		Status: status, Timeout: c.Timeout, State: ctState(c.State),
	}
}
