package connsync

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Transport is how messages get from one director to the others.
type Transport string

// The transports.
const (
	ByRelay     Transport = "relay"     // by unicast, sealed, by this program
	ByMulticast Transport = "multicast" // by multicast, in the clear, by the kernels
	Off         Transport = "off"
)

// Settings are the same on all directors. The zero value of a field stands for the default.
type Settings struct {
	Transport Transport
	// Interface that carries the kernels' multicast; only with ByMulticast, and there necessary.
	Interface string
	// Group is the multicast group of the kernels' daemons, IPv4. With the relay it is used on the interface lo alone.
	Group netip.Addr
	// Port of the kernels' daemons, and the first of several: see MaxPort.
	Port   uint16
	SyncID uint8
	MaxLen uint16 // of a message, in bytes
	TTL    uint8  // of the kernels' multicast

	Kernel Kernel
}

// Kernel are the settings of the kernel that decide what is synced, and when (Documentation/networking/ipvs-sysctl.rst). They are set where
// the operator allows it.
type Kernel struct {
	Set       bool          // the operator allows it
	Threshold string        // sync_threshold: "PACKET PERIOD"
	Refresh   time.Duration // sync_refresh_period, whole seconds
	Ports     int           // sync_ports: threads, and ports, of each daemon
	Queue     int           // sync_qlen_max: messages; 0 = as it is
	SockSize  int           // sync_sock_size: bytes; 0 = as it is
	Templates bool          // sync_persist_mode: with persistence only the client's template is synced
}

// Defaults. A connection is told of as soon as it is established, and again while it has packets, every ten seconds: "0 0" means that no
// count of packets decides.
const (
	DefaultPort      = 8848
	DefaultSyncID    = 81
	DefaultMaxLen    = 1280
	DefaultThreshold = "0 0"
	DefaultRefresh   = 10 * time.Second
	minMaxLen        = 128
	maxMaxLen        = 1400
	// MaxPort leaves room for the ports of all threads of both daemons.
	MaxPort = 65535 - 2*maxThreads
)

// DefaultGroup is the kernel's own (IP_VS_SYNC_GROUP).
var DefaultGroup = netip.AddrFrom4([4]byte{224, 0, 0, 81})

// WithDefaults returns the settings with nothing left out.
func (s Settings) WithDefaults() Settings {
	or := func(to *uint8, d uint8) {
		if *to == 0 {
			*to = d
		}
	}
	or(&s.SyncID, DefaultSyncID)
	or(&s.TTL, 1)
	if s.Transport == "" {
		s.Transport = ByRelay
	}
	if !s.Group.IsValid() {
		s.Group = DefaultGroup
	}
	if s.Port == 0 {
		s.Port = DefaultPort
	}
	if s.MaxLen == 0 {
		s.MaxLen = DefaultMaxLen
	}
	if s.Kernel.Threshold == "" {
		s.Kernel.Threshold = DefaultThreshold
	}
	if s.Kernel.Refresh == 0 {
		s.Kernel.Refresh = DefaultRefresh
	}
	s.Kernel.Ports = max(1, s.Kernel.Ports)
	return s
}

// Validate says what of the settings cannot be, each with its value and what to write instead.
func (s Settings) Validate() error {
	s = s.WithDefaults()
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if !slices.Contains([]Transport{ByRelay, ByMulticast, Off}, s.Transport) {
		bad("transport %q: use relay, multicast or off", s.Transport)
	}
	if (s.Transport == ByMulticast) != (s.Interface != "") {
		bad("interface %q with transport %q: multicast needs the interface that carries it, the others use none", s.Interface, s.Transport)
	}
	if !s.Group.Is4() || !s.Group.IsMulticast() {
		bad("group %v: use an IPv4 multicast address, such as %v", s.Group, DefaultGroup)
	}
	if s.Port > MaxPort {
		bad("port %d: use 1 to %d", s.Port, MaxPort)
	}
	if s.MaxLen < minMaxLen || s.MaxLen > maxMaxLen {
		bad("max_len %d: use %d to %d bytes", s.MaxLen, minMaxLen, maxMaxLen)
	}
	var packet, period int
	if n, err := fmt.Sscanf(s.Kernel.Threshold, "%d %d", &packet, &period); n != 2 || err != nil ||
		fmt.Sprintf("%d %d", packet, period) != s.Kernel.Threshold || packet < 0 || period < 0 || period != 0 && packet >= period {
		bad("threshold %q: use PACKET PERIOD with a packet below the period, such as \"3 50\", or \"0 0\"", s.Kernel.Threshold)
	}
	if r := s.Kernel.Refresh; r < 0 || r%time.Second != 0 || r > time.Hour {
		bad("refresh %v: use whole seconds, up to 1h", r)
	}
	if p := s.Kernel.Ports; p > maxThreads || p&(p-1) != 0 {
		bad("ports %d: use 1, 2, 4, 8, 16, 32 or 64", p)
	}
	if s.Kernel.Queue < 0 || s.Kernel.SockSize < 0 {
		bad("queue %d and sock_size %d: use numbers of at least 0", s.Kernel.Queue, s.Kernel.SockSize)
	}
	return errors.Join(errs...)
}

// sysctls are what the settings ask of the kernel, by name.
func (k Kernel) sysctls() [][2]string {
	out := [][2]string{
		{"net.ipv4.vs.sync_version", "1"},
		{"net.ipv4.vs.sync_threshold", k.Threshold},
		{"net.ipv4.vs.sync_refresh_period", fmt.Sprint(int(k.Refresh / time.Second))},
		{"net.ipv4.vs.sync_ports", fmt.Sprint(k.Ports)},
	}
	if k.Queue > 0 {
		out = append(out, [2]string{"net.ipv4.vs.sync_qlen_max", fmt.Sprint(k.Queue)})
	}
	if k.SockSize > 0 {
		out = append(out, [2]string{"net.ipv4.vs.sync_sock_size", fmt.Sprint(k.SockSize)})
	}
	if k.Templates {
		out = append(out, [2]string{"net.ipv4.vs.sync_persist_mode", "1"})
	}
	return out
}
