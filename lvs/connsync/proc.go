package connsync

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// connections reads /proc/net/ip_vs_conn or ip_vs_conn_sync (net/netfilter/ipvs/ip_vs_conn.c, ip_vs_conn_seq_show), line by line:
//
//	Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       [Origin] Expires PEName PEData
//
// What the file does not tell, the forwarding method, flags says; a connection that it does not know is left out.
func connections(r io.Reader, flags func(Conn) (uint32, bool)) iter.Seq2[Conn, error] {
	return func(yield func(Conn, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 0, 4096), 1<<16)
		for head := true; lines.Scan(); head = false {
			if head {
				continue
			}
			c, err := parseConnection(lines.Bytes())
			if err != nil {
				if !yield(c, err) {
					return
				}
				continue
			}
			f, known := flags(c)
			if !known {
				continue
			}
			if c.Flags |= f; !yield(c, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Conn{}, err)
		}
	}
}

var errLine = errors.New("a line of ip_vs_conn")

var protocolNames = map[string]uint8{"IP": 0, "TCP": unix.IPPROTO_TCP, "UDP": unix.IPPROTO_UDP, "SCTP": unix.IPPROTO_SCTP, "AH": unix.IPPROTO_AH,
	"ESP": unix.IPPROTO_ESP, "ICMP": unix.IPPROTO_ICMP}

// States by name (ip_vs_proto_tcp.c, _udp.c, _sctp.c).
var (
	tcpStates = map[string]uint16{"NONE": stateNone, "ESTABLISHED": stateEstablished, "SYN_SENT": stateSynSent, "SYN_RECV": stateSynRecv,
		"FIN_WAIT": stateFinWait, "TIME_WAIT": stateTimeWait, "CLOSE": stateClose, "CLOSE_WAIT": stateCloseWait, "LAST_ACK": stateLastAck,
		"LISTEN": stateListen, "SYNACK": stateSynAck}
	sctpStates = map[string]uint16{"NONE": 0, "INIT1": 1, "INIT": 2, "COOKIE_SENT": 3, "COOKIE_REPLIED": 4, "COOKIE_WAIT": 5, "COOKIE": 6,
		"COOKIE_ECHOED": 7, "ESTABLISHED": 8, "SHUTDOWN_SENT": 9, "SHUTDOWN_RECEIVED": 10, "SHUTDOWN_ACK_SENT": 11, "REJECTED": 12, "CLOSED": 13}
)

const sctpEstablished = 8

func parseConnection(line []byte) (c Conn, err error) {
	f := bytes.Fields(line)
	if len(f) < 9 {
		return c, fmt.Errorf("%w: %q has %d fields", errLine, line, len(f))
	}
	proto, ok := protocolNames[string(f[0])]
	if !ok {
		return c, fmt.Errorf("%w: protocol %q", errLine, f[0])
	}
	c.Protocol = proto
	for i, to := range []*netip.AddrPort{&c.Client, &c.Virtual, &c.Destination} {
		a, err := procAddr(f[1+2*i])
		port, perr := strconv.ParseUint(string(f[2+2*i]), 16, 16)
		if err = errors.Join(err, perr); err != nil {
			return c, fmt.Errorf("%w: %q: %w", errLine, line, err)
		}
		*to = netip.AddrPortFrom(a, uint16(port))
	}
	if c.Client.Addr().Is4() != c.Virtual.Addr().Is4() || c.Client.Addr().Is4() != c.Destination.Addr().Is4() {
		return c, fmt.Errorf("%w: %q mixes address families, which a message cannot", errLine, line)
	}
	if !c.state(string(f[7])) {
		return c, fmt.Errorf("%w: %q: state %q", errLine, line, f[7])
	}
	rest := f[8:]
	if o := string(rest[0]); (o == "LOCAL" || o == "SYNC") && len(rest) > 1 {
		rest = rest[1:]
	}
	seconds, err := strconv.ParseUint(string(rest[0]), 10, 32)
	if err != nil {
		return c, fmt.Errorf("%w: %q: expiry: %w", errLine, line, err)
	}
	c.Timeout = max(1, uint32(seconds)) // 0 would mean the state's own
	return c, c.engine(rest[1:])
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

// engine reads the name and data of a persistence engine, if there is one, into options.
func (c *Conn) engine(f [][]byte) error {
	if len(f) < 2 {
		return nil
	}
	name, data := f[0], f[1]
	if len(name) > maxEngineName || len(data) > maxEngineData {
		return fmt.Errorf("%w: persistence engine %q with %d bytes", errLine, name, len(data))
	}
	o := append([]byte{optionData, byte(len(data))}, data...)
	o = append(o, optionName, byte(len(name)))
	c.Options = append(o, name...)
	return nil
}

// procAddr reads C0A80101, or an IPv6 address in its usual form, with or without zeros left out.
func procAddr(b []byte) (netip.Addr, error) {
	if len(b) == 8 && !bytes.Contains(b, []byte{':'}) {
		var a [4]byte
		if _, err := hex.Decode(a[:], b); err != nil {
			return netip.Addr{}, err
		}
		return netip.AddrFrom4(a), nil
	}
	return netip.ParseAddr(string(b))
}
