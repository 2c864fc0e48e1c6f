package vrrp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
)

// Envelope is what the bytes of an advert depend on besides the advert.
type Envelope struct {
	Source, Destination netip.Addr
	// Form of the checksum, for version 3 over IPv4; [Learn] is [PseudoHeader] here.
	Form Form
	// Keys sign the advert with Sequence, if there are any. The copies of one advert for several peers carry the same.
	Keys     *Keyring
	Sequence Sequence
}

// Append appends the message to b. It refuses what the wire cannot say; a's Signed and Trailer are not read, but follow from e.
func (a *Advert) Append(b []byte, e Envelope) ([]byte, error) {
	family := FamilyOf(e.Source)
	if err := a.writable(family); err != nil {
		return b, err
	}
	if FamilyOf(e.Destination) != family {
		return b, fmt.Errorf("an advert from %s cannot go to %s: they are of different families", e.Source, e.Destination)
	}
	start := len(b)
	b = append(b, byte(a.Version)<<4|typeAdvertisement, byte(a.VRID), byte(a.Priority), byte(len(a.Addresses)))
	if a.Version == V2 {
		b = append(b, byte(a.Auth), byte(a.Interval/time.Second))
	} else {
		b = binary.BigEndian.AppendUint16(b, uint16(a.Interval/centisecond))
	}
	b = append(b, 0, 0)
	for _, addr := range a.Addresses {
		if family == IPv6 {
			x := addr.As16()
			b = append(b, x[:]...)
		} else {
			x := addr.As4()
			b = append(b, x[:]...)
		}
	}
	if a.Version == V2 && family == IPv4 {
		b = append(b, a.Password[:]...)
	}
	end := len(b)
	if e.Keys != nil {
		b = e.Keys.sign(b, start, e.Source, e.Sequence)
	}
	if family == IPv6 {
		end = len(b)
	}
	binary.BigEndian.PutUint16(b[start+6:], checksumOf(a.Version, e.Form, b[start:end], e.Source, e.Destination))
	return b, nil
}

// writable says what the wire has no room for.
func (a *Advert) writable(family Family) error {
	if a.VRID == 0 {
		return fmt.Errorf("VRID 0 does not exist: use 1 to 255")
	}
	if n := len(a.Addresses); n == 0 || n > MaxAddresses(a.Version, family) {
		return fmt.Errorf("%d addresses in an advert: it has room for 1 to %d", n, MaxAddresses(a.Version, family))
	}
	for _, addr := range a.Addresses {
		if FamilyOf(addr) != family {
			return fmt.Errorf("address %s in an advert over %s: a virtual router has one family", addr, family)
		}
	}
	if a.Version == V3 && a.Auth != AuthNone {
		return fmt.Errorf("version 3 has no authentication of its own: sign the adverts, or use version 2")
	}
	if a.Auth != AuthNone && a.Auth != AuthPassword {
		return fmt.Errorf("authentication %s is not spoken: use none or password", a.Auth)
	}
	if a.Auth == AuthPassword && family == IPv6 {
		return fmt.Errorf("version 2 over IPv6 carries no password: sign the adverts, or use none")
	}
	if a.Auth == AuthNone && a.Password != (Password{}) {
		return fmt.Errorf("a password without authentication: set it to password, or leave the password out")
	}
	return a.Version.interval(a.Interval)
}

// interval says whether the version can advertise it.
func (v Version) interval(d time.Duration) error {
	switch {
	case v == V2 && (d%time.Second != 0 || d < time.Second || d > MaxIntervalV2):
		return fmt.Errorf("version 2 cannot advertise an interval of %s: use whole seconds, 1s to %s", d, MaxIntervalV2)
	case v == V3 && (d%centisecond != 0 || d < centisecond || d > MaxIntervalV3):
		return fmt.Errorf("version 3 cannot advertise an interval of %s: use steps of 10ms, 10ms to %s", d, MaxIntervalV3)
	case v != V2 && v != V3:
		return fmt.Errorf("VRRP version %d does not exist: use 2 or 3", v)
	}
	return nil
}

// maxPacket is the least MTU of a link that VRRP is spoken on, in bytes: adverts are never fragmented.
const maxPacket = 1500

// MaxAddresses is how many addresses an advert has room for, on a link with the usual MTU of 1500 bytes and with a trailer.
func MaxAddresses(v Version, f Family) int {
	room := maxPacket - headerLen - trailerLen - ipv6Header
	if f == IPv4 {
		room = maxPacket - headerLen - trailerLen - ipv4Header
		if v == V2 {
			room -= passwordLen
		}
	}
	return min(255, room/f.width())
}
