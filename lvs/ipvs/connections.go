package ipvs

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"quorate/lvs"
)

// connectionFile is that of the network namespace of the calling thread. Beside ip_vs_conn it says of each connection whether another director told of it.
const connectionFile = "/proc/thread-self/net/ip_vs_conn_sync"

// maxConnectionLine bounds a line; the data of a persistence engine has at most 255 bytes (IP_VS_PEDATA_MAXLEN).
const maxConnectionLine = 4096

// Connections lists what the kernel's connection table holds, of all programs, in the network namespace of the calling thread. It reads as it goes: the table
// may be large and changes meanwhile, so that a connection may be missed or come twice. It ends at the first error; the error is ErrNotLoaded, wrapped,
// when the kernel has no IPVS.
func Connections() iter.Seq2[lvs.Connection, error] {
	return func(yield func(lvs.Connection, error) bool) {
		f, err := os.Open(connectionFile)
		if errors.Is(err, fs.ErrNotExist) {
			err = ErrNotLoaded
		}
		if err != nil {
			yield(lvs.Connection{}, fmt.Errorf("listing the kernel's connections: %w", err))
			return
		}
		defer f.Close()
		for c, err := range ReadConnections(f) {
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// ReadConnections reads the text of /proc/net/ip_vs_conn or ip_vs_conn_sync (net/netfilter/ipvs/ip_vs_conn.c, ip_vs_conn_seq_show and ip_vs_conn_sync_seq_show)
// line by line, in bounded memory:
//
//	Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData
//	Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Origin Expires
//
// A line that makes no sense gives an error in its place; it goes on with the next one if the caller does.
func ReadConnections(r io.Reader) iter.Seq2[lvs.Connection, error] {
	return func(yield func(lvs.Connection, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 0, maxConnectionLine), maxConnectionLine)
		for head := true; lines.Scan(); head = false {
			if head {
				continue
			}
			if !yield(ParseConnection(lines.Bytes())) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(lvs.Connection{}, fmt.Errorf("the kernel's connections: %w", err))
		}
	}
}

// connectionWords spares a copy of each of the words that every line has.
var connectionWords = func() map[string]string {
	out := make(map[string]string)
	for _, w := range []string{"TCP", "UDP", "SCTP", "AH", "ESP", "ICMP", "IP"} {
		out[w] = strings.ToLower(w)
	}
	for _, w := range []string{"NONE", "ASSURED", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT", "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "SYNACK",
		"UDP", "INIT1", "INIT", "COOKIE_SENT", "COOKIE_REPLIED", "COOKIE_WAIT", "COOKIE", "COOKIE_ECHOED", "SHUTDOWN_SENT", "SHUTDOWN_RECEIVED",
		"SHUTDOWN_ACK_SENT", "REJECTED", "CLOSED"} {
		if _, both := out[w]; !both {
			out[w] = w
		}
	}
	return out
}()

// ErrLine is wrapped by the error of a line that makes no sense.
var ErrLine = errors.New("a line of the kernel's connections")

// ParseConnection reads one line of /proc/net/ip_vs_conn or ip_vs_conn_sync, but not the first, which names the columns.
func ParseConnection(line []byte) (c lvs.Connection, err error) {
	bad := func(why error) (lvs.Connection, error) {
		return lvs.Connection{}, fmt.Errorf("%w: %q: %w", ErrLine, line, why)
	}
	var fields [12][]byte
	f := fields[:0]
	for word := range bytes.FieldsSeq(line) {
		if len(f) == cap(f) {
			return bad(errors.New("too many fields"))
		}
		f = append(f, word)
	}
	if len(f) < 9 {
		return bad(fmt.Errorf("%d fields, want 9 or more", len(f)))
	}
	if c.Protocol = connectionWords[string(f[0])]; c.Protocol == "" {
		c.Protocol = strings.ToLower(string(f[0]))
	}
	if c.State = connectionWords[string(f[7])]; c.State != string(f[7]) {
		c.State = string(f[7])
	}
	for i, to := range []*netip.AddrPort{&c.Client, &c.Virtual, &c.Server} {
		if *to, err = hexAddrPort(f[1+2*i], f[2+2*i]); err != nil {
			return bad(err)
		}
	}
	rest := f[8:]
	switch origin := string(rest[0]); origin {
	case "LOCAL":
		c.Origin, rest = lvs.OriginLocal, rest[1:]
	case "SYNC":
		c.Origin, rest = lvs.OriginSync, rest[1:]
	}
	if len(rest) == 0 {
		return bad(errors.New("it has no expiry"))
	}
	seconds, err := strconv.ParseUint(string(rest[0]), 10, 32)
	if err != nil {
		return bad(fmt.Errorf("expiry: %w", err))
	}
	c.Expires = time.Duration(seconds) * time.Second
	if len(rest) > 1 {
		c.Engine = string(rest[1])
	}
	if len(rest) > 2 {
		c.Data = string(rest[2])
	}
	setTemplate(&c)
	return c, nil
}

// setTemplate finds out whether c is what persistence remembers of a client. One by firewall mark is of no protocol and has the mark for an
// address (ip_vs_core.c, ip_vs_sched_persist).
func setTemplate(c *lvs.Connection) {
	if c.Client.Port() != 0 || c.State != "NONE" && c.State != "ASSURED" {
		return
	}
	if c.Template = true; c.Protocol != "ip" {
		return
	}
	if a := c.Virtual.Addr(); a.Is4() {
		b := a.As4()
		c.Mark = binary.BigEndian.Uint32(b[:])
	} else {
		b := a.As16()
		c.Mark = binary.BigEndian.Uint32(b[:])
	}
}

// hexAddrPort reads C0A80101, or an IPv6 address in its usual form, and a port in four hexadecimal digits.
func hexAddrPort(addr, port []byte) (netip.AddrPort, error) {
	var p [2]byte
	if len(port) != 4 {
		return netip.AddrPort{}, fmt.Errorf("port %q", port)
	}
	if _, err := hex.Decode(p[:], port); err != nil {
		return netip.AddrPort{}, fmt.Errorf("port %q: %w", port, err)
	}
	var a netip.Addr
	if len(addr) == 8 && bytes.IndexByte(addr, ':') < 0 {
		var b [4]byte
		if _, err := hex.Decode(b[:], addr); err != nil {
			return netip.AddrPort{}, fmt.Errorf("address %q: %w", addr, err)
		}
		a = netip.AddrFrom4(b)
	} else {
		var err error
		if a, err = netip.ParseAddr(string(addr)); err != nil {
			return netip.AddrPort{}, err
		}
		if !a.Is6() || a.Zone() != "" {
			return netip.AddrPort{}, fmt.Errorf("address %q", addr)
		}
	}
	return netip.AddrPortFrom(a, binary.BigEndian.Uint16(p[:])), nil
}
