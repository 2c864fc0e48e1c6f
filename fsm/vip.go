package fsm

import (
	"fmt"
	"net/netip"
	"strings"
)

// VIP is one configured virtual IP address.
type VIP struct {
	Name string `json:"name"`
	// Address with the prefix length that the address gets on the interface, e.g. 192.0.2.10/24.
	Address netip.Prefix `json:"address"`
	// Network names the layer-2 network when the same address exists on several; empty for the only one.
	Network string `json:"network,omitempty"`
	// Interface on which the address is put; empty = the one that has the subnet.
	Interface string `json:"interface,omitempty"`
	// Group names a VIP group; VIPs of one group always have the same owner.
	Group string `json:"group,omitempty"`
	// Prefer lists nodes in order of preference; nodes not listed come after them.
	Prefer []NodeID `json:"prefer,omitempty"`
	// Preempt moves the VIP back to a more preferred node when that one becomes able. Off: it stays where it is.
	Preempt bool `json:"preempt,omitempty"`
	// QuorumLost is what the owner does with it when it loses the quorum. Since schema 4.
	QuorumLost QuorumLost `json:"quorum_lost,omitempty"`
	// Router names the virtual router that it belongs to, VRRP is one of its own; at most one of them is set. Since schema 7.
	Router string         `json:"virtual_router,omitempty"`
	VRRP   *VirtualRouter `json:"vrrp,omitempty"`
	Mode   Mode           `json:"mode,omitempty"` // since schema 7; see Config.ModeOf
}

// Key is the identity under which the VIP is owned.
func (v VIP) Key() AddressKey { return AddressKey{Network: v.Network, Addr: v.Address.Addr()} }

// Group is a set of VIPs that move together. It may carry the placement settings for its members.
type Group struct {
	Name    string   `json:"name"`
	Prefer  []NodeID `json:"prefer,omitempty"`
	Preempt bool     `json:"preempt,omitempty"`
}

// AddressKey is what ownership is of: an address on a network, not a configured name (design §3 “Ownership is of
// (network, address)”). Its text form is "192.0.2.10" or "192.0.2.10@dmz".
type AddressKey struct {
	Network string
	Addr    netip.Addr
}

// String is the text form.
func (k AddressKey) String() string {
	if k.Network == "" {
		return k.Addr.String()
	}
	return k.Addr.String() + "@" + k.Network
}

// MarshalText implements encoding.TextMarshaler, so that the key can be a key of a JSON object. The zero key is empty.
func (k AddressKey) MarshalText() ([]byte, error) {
	if k == (AddressKey{}) {
		return nil, nil
	}
	return []byte(k.String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *AddressKey) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*k = AddressKey{}
		return nil
	}
	s, network, _ := strings.Cut(string(b), "@")
	a, err := netip.ParseAddr(s)
	if err != nil {
		return fmt.Errorf("address key %q: %w", b, err)
	}
	k.Addr, k.Network = a, network
	return nil
}

// Compare orders keys by network, then address.
func (k AddressKey) Compare(o AddressKey) int {
	if c := strings.Compare(k.Network, o.Network); c != 0 {
		return c
	}
	return k.Addr.Compare(o.Addr)
}
