package fsm

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"time"
)

// Sync says how the directors keep each other's connections, so that these go on when their VIP moves. Since schema 5; what is 0 or empty
// stands for the default, so that a cluster that sets nothing writes what an older schema writes.
type Sync struct {
	Transport string `json:"transport,omitempty"` // relay, multicast, off; "" = relay
	Interface string `json:"interface,omitempty"` // that carries multicast
	Group     string `json:"group,omitempty"`     // multicast group of the kernels' daemons, IPv4
	Port      int    `json:"port,omitempty"`      // of the kernels' daemons
	SyncID    int    `json:"sync_id,omitempty"`
	MaxLen    int    `json:"max_len,omitempty"` // of a message, bytes
	TTL       int    `json:"ttl,omitempty"`

	// What follows is set in the kernels where [Settings.SetSysctls] allows it.
	Threshold    string        `json:"threshold,omitempty"` // "PACKET PERIOD"
	Refresh      time.Duration `json:"refresh,omitempty"`
	Ports        int           `json:"ports,omitempty"`
	Queue        int           `json:"queue,omitempty"`         // messages
	SockSize     int           `json:"sock_size,omitempty"`     // bytes
	TemplateOnly bool          `json:"template_only,omitempty"` // of persistent services
}

// The transports of connection sync.
const (
	SyncRelay     = "relay"
	SyncMulticast = "multicast"
	SyncOff       = "off"
)

// By is the transport or its default.
func (s Sync) By() string { return cmp.Or(s.Transport, SyncRelay) }

// Limits of the settings of connection sync.
const (
	MaxSyncPort = 65535 - 2*64 // room for the ports of all threads of both daemons
	MinSyncLen  = 128
	MaxSyncLen  = 1400
)

// HasSync reports whether the cluster's schema knows connection sync. Before that none runs: an older member would not answer.
func (s *State) HasSync() bool { return s.Schema >= schemaLVS }

func (s Sync) validate(ps *Problems) {
	const object = "cluster.sync"
	oneOf(ps, object, "transport", s.Transport, "", SyncRelay, SyncMulticast, SyncOff)
	switch multicast := s.Transport == SyncMulticast; {
	case multicast && s.Interface == "":
		ps.add(object, "interface", "", "multicast needs the interface that carries it, which has the same name on all directors", `add interface = "NAME", or use transport = "relay"`)
	case !multicast && s.Interface != "":
		ps.add(object, "interface", s.Interface, fmt.Sprintf("transport = %q uses none", s.By()), "leave it out")
	case s.Interface != "" && !interfaceName(s.Interface):
		ps.add(object, "interface", s.Interface, "this is no name of a network interface", "use a name that `ip link` shows")
	}
	if s.Group != "" {
		if a, err := netip.ParseAddr(s.Group); err != nil || !a.Is4() || !a.IsMulticast() {
			ps.add(object, "group", s.Group, "this is no IPv4 multicast address", "use one such as 224.0.0.81, or leave it out")
		}
	}
	for _, x := range []struct {
		key           string
		v, least, max int
	}{
		{"port", s.Port, 1, MaxSyncPort}, {"sync_id", s.SyncID, 1, 255}, {"max_len", s.MaxLen, MinSyncLen, MaxSyncLen}, {"ttl", s.TTL, 1, 255},
		{"queue", s.Queue, 1, 1 << 24}, {"sock_size", s.SockSize, 1, 1 << 30},
	} {
		if x.v != 0 {
			inRange(ps, object, x.key, x.v, x.least, x.max)
		}
	}
	if p := s.Ports; p < 0 || p > 64 || p&(p-1) != 0 {
		ps.add(object, "ports", strconv.Itoa(p), "the kernel takes a power of two up to 64", "use 1, 2, 4, 8, 16, 32 or 64")
	}
	if s.Refresh != 0 {
		inRange(ps, object, "refresh", s.Refresh, time.Second, time.Hour)
	}
	if s.Refresh%time.Second != 0 {
		ps.add(object, "refresh", s.Refresh.String(), "the kernel counts whole seconds", `use one like "10s"`)
	}
	if t := s.Threshold; t != "" {
		var packet, period int
		if _, err := fmt.Sscanf(t, "%d %d", &packet, &period); err != nil || fmt.Sprintf("%d %d", packet, period) != t || packet < 0 || period < 0 ||
			period != 0 && packet >= period {
			ps.add(object, "threshold", t, "this is not PACKET PERIOD with the packet below the period", `use one like "3 50", or "0 0"`)
		}
	}
}

// fields flattens the settings, for a diff.
func (s Sync) fields(object func(string) fields) {
	if s == (Sync{}) {
		return
	}
	f := object("cluster.sync")
	f.set("transport", s.Transport)
	f.set("interface", s.Interface)
	f.set("group", s.Group)
	f.set("threshold", s.Threshold)
	f.flag("template_only", s.TemplateOnly)
	f.span("refresh", s.Refresh)
	f.count("port", s.Port)
	f.count("sync_id", s.SyncID)
	f.count("max_len", s.MaxLen)
	f.count("ttl", s.TTL)
	f.count("ports", s.Ports)
	f.count("queue", s.Queue)
	f.count("sock_size", s.SockSize)
}
