package probe

import (
	"fmt"
	"net"
)

// MAC is an Ethernet address; unlike net.HardwareAddr it can be compared.
type MAC [6]byte

// String is the usual form, e.g. "02:00:5e:10:20:30".
func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }

// MarshalText implements encoding.TextMarshaler.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *MAC) UnmarshalText(b []byte) error {
	hw, err := net.ParseMAC(string(b))
	if err != nil {
		return err
	}
	var ok bool
	if *m, ok = macOf(hw); !ok {
		return fmt.Errorf("%q is no Ethernet address", b)
	}
	return nil
}

// macOf converts; false for what is no Ethernet address.
func macOf(hw net.HardwareAddr) (MAC, bool) {
	if len(hw) != 6 {
		return MAC{}, false
	}
	return MAC(hw), true
}

// station reports whether m can be the address of one station: neither zero nor a group's.
func (m MAC) station() bool { return m != MAC{} && m[0]&1 == 0 }
