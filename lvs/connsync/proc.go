package connsync

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"golang.org/x/sys/unix"

	"quorate/lvs"
	"quorate/lvs/ipvs"
)

// connections gives what ipvs.ReadConnections reads of /proc/net/ip_vs_conn or ip_vs_conn_sync as sync messages have it. What the file does not tell,
// the forwarding method and the mark, complete adds; a connection that it does not know is left out.
func connections(r io.Reader, complete func(*Conn) bool) iter.Seq2[Conn, error] {
	return func(yield func(Conn, error) bool) {
		for x, err := range ipvs.ReadConnections(r) {
			if errors.Is(err, ipvs.ErrLine) {
				err = fmt.Errorf("%w: %w", errOne, err)
			}
			c := Conn{}
			if err == nil {
				c, err = connOf(x)
			}
			if err == nil {
				if !complete(&c) {
					continue
				}
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

var protocolNames = map[string]uint8{"ip": 0, "tcp": unix.IPPROTO_TCP, "udp": unix.IPPROTO_UDP, "sctp": unix.IPPROTO_SCTP, "ah": unix.IPPROTO_AH,
	"esp": unix.IPPROTO_ESP, "icmp": unix.IPPROTO_ICMP}

// States by name (ip_vs_proto_tcp.c, _udp.c, _sctp.c).
var (
	tcpStates = map[string]uint16{"NONE": stateNone, "ESTABLISHED": stateEstablished, "SYN_SENT": stateSynSent, "SYN_RECV": stateSynRecv,
		"FIN_WAIT": stateFinWait, "TIME_WAIT": stateTimeWait, "CLOSE": stateClose, "CLOSE_WAIT": stateCloseWait, "LAST_ACK": stateLastAck,
		"LISTEN": stateListen, "SYNACK": stateSynAck}
	sctpStates = map[string]uint16{"NONE": 0, "INIT1": 1, "INIT": 2, "COOKIE_SENT": 3, "COOKIE_REPLIED": 4, "COOKIE_WAIT": 5, "COOKIE": 6,
		"COOKIE_ECHOED": 7, "ESTABLISHED": 8, "SHUTDOWN_SENT": 9, "SHUTDOWN_RECEIVED": 10, "SHUTDOWN_ACK_SENT": 11, "REJECTED": 12, "CLOSED": 13}
)

const sctpEstablished = 8

// connOf is a connection as a sync message has it.
func connOf(x lvs.Connection) (c Conn, err error) {
	proto, ok := protocolNames[x.Protocol]
	if !ok {
		return c, fmt.Errorf("%w: protocol %q", errOne, x.Protocol)
	}
	c = Conn{Protocol: proto, Client: x.Client, Virtual: x.Virtual, Destination: x.Server, Mark: x.Mark}
	if c.Client.Addr().Is4() != c.Virtual.Addr().Is4() || c.Client.Addr().Is4() != c.Destination.Addr().Is4() {
		return c, fmt.Errorf("%w: %v to %v at %v mixes address families, which a message cannot", errOne, c.Client, c.Virtual, c.Destination)
	}
	if !c.state(x.State) {
		return c, fmt.Errorf("%w: state %q", errOne, x.State)
	}
	c.Timeout = max(1, uint32(x.Expires/time.Second)) // 0 would mean the state's own
	return c, c.engine(x.Engine, x.Data)
}

// state sets what the name of a state says; a template has the state NONE and no port of a client.
func (c *Conn) state(name string) bool {
	var ok bool
	active := false
	switch {
	case c.Client.Port() == 0 && (name == "NONE" || name == "ASSURED"):
		c.Flags |= flagTemplate
		if name == "ASSURED" { // IP_VS_CTPL_S_ASSURED
			c.State = 1
		}
		return true
	case c.Protocol == unix.IPPROTO_TCP:
		c.State, ok = tcpStates[name]
		active = c.State == stateEstablished
	case c.Protocol == unix.IPPROTO_SCTP:
		c.State, ok = sctpStates[name]
		active = c.State == sctpEstablished
	default:
		ok = true // one state
	}
	if !active {
		c.Flags |= flagInactive
	}
	return ok
}

// engine puts the name and data of a persistence engine, if there is one, into options.
func (c *Conn) engine(name, data string) error {
	if data == "" {
		return nil
	}
	if len(name) > maxEngineName || len(data) > maxEngineData {
		return fmt.Errorf("%w: persistence engine %q with %d bytes", errOne, name, len(data))
	}
	o := append([]byte{optionData, byte(len(data))}, data...)
	o = append(o, optionName, byte(len(name)))
	c.Options = append(o, name...)
	return nil
}
