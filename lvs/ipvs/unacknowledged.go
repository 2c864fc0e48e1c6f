package ipvs

import (
	"errors"

	"quorate/lvs"
	"quorate/lvs/suspect"
)

// synReceived is the state of a TCP connection whose client has said nothing after its first packet (ip_vs_proto_tcp.c, tcp_states).
const synReceived = "SYN_RECV"

// Unacknowledged looks at the TCP connections whose client has said nothing after its first packet, of those that count says yes to, in the network namespace of
// the calling thread. By direct routing and through tunnels that is all that this kernel knows of a server's answer. What other directors told of is left out: they look themselves.
// It reads the whole table of connections, which takes its time where there are many.
func Unacknowledged(count func(lvs.Connection) bool) (look suspect.Look, err error) {
	for c, err := range Connections() {
		switch {
		case errors.Is(err, ErrLine): // of the others enough is known
		case err != nil:
			return look, err
		case c.Protocol == lvs.TCP && c.State == synReceived && !c.Template && c.Origin != lvs.OriginSync && count(c):
			look.Add(suspect.Connection{Client: c.Client, Virtual: c.Virtual, Server: c.Server}, c.Expires)
		}
	}
	return look, nil
}
