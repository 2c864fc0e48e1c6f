package vip

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Virtual is a link with the virtual MAC of a virtual router. It lies over another link, its parent: a switch sees the same MAC
// for the router's addresses, whichever host has them.
type Virtual struct {
	Parent string // name of the link below
	VRID   uint8  // 1 to 255
	IPv6   bool   // a virtual router has one family
}

// MAC is the virtual MAC (RFC 9568 section 7.3): 00-00-5E-00-01-VRID for IPv4, 00-00-5E-00-02-VRID for IPv6.
func (v Virtual) MAC() net.HardwareAddr {
	family := byte(1)
	if v.IPv6 {
		family = 2
	}
	return net.HardwareAddr{0, 0, 0x5e, 0, family, v.VRID}
}

// Name is the name of the link, e.g. "qvr51-4-tqzkr": the VRID, the family, and what tells parents apart, since the name of one may be as
// long as the kernel allows. It is a mark as well: see [Virtual.made].
func (v Virtual) Name() string {
	family := 4
	if v.IPv6 {
		family = 6
	}
	return fmt.Sprintf("%s%d-%d-%s", virtualPrefix, v.VRID, family, parentTag(v.Parent))
}

// String is the form used in logs, e.g. "qvr51-4-tqzkr (00:00:5e:00:01:33 on eth0)".
func (v Virtual) String() string { return fmt.Sprintf("%s (%s on %s)", v.Name(), v.MAC(), v.Parent) }

// virtualPrefix begins the name of every link that we make.
const virtualPrefix = "qvr"

// tagLen is how many characters of a name tell parents apart: what "qvr255-4-" leaves of the 15.
const tagLen = 5

var tagText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func parentTag(parent string) string {
	sum := sha256.Sum256([]byte(parent))
	return tagText.EncodeToString(sum[:])[:tagLen]
}

// made says that a macvlan of this name and MAC is one that we made, now or before this process: nobody else names one after its MAC in
// this way. Name and MAC are there from its first moment, unlike a mark that is set afterwards, so that whatever kills us
// leaves none behind that nobody knows. It says nothing about the parent, which may have another name by now.
func made(name string, mac net.HardwareAddr) bool {
	v, ok := parseVirtual(name)
	return ok && v.MAC().String() == mac.String()
}

// parseVirtual reads the name of a link that we make. The parent is not in it.
func parseVirtual(name string) (v Virtual, ok bool) {
	rest, ours := strings.CutPrefix(name, virtualPrefix)
	parts := strings.Split(rest, "-")
	if !ours || len(parts) != 3 || len(parts[2]) != tagLen {
		return v, false
	}
	vrid, err := strconv.ParseUint(parts[0], 10, 8)
	if err != nil || vrid == 0 || parts[1] != "4" && parts[1] != "6" {
		return v, false
	}
	if _, err := tagText.DecodeString(parts[2] + "aaa"); err != nil { // 8 characters are 5 bytes
		return v, false
	}
	return Virtual{VRID: uint8(vrid), IPv6: parts[1] == "6"}, true
}

// virtual is the link that w is to be on, if that is one with a virtual MAC.
func (w Wanted) virtual() (Virtual, bool) {
	return Virtual{Parent: w.Link, VRID: w.VRID, IPv6: w.Prefix.Addr().Is6()}, w.VRID != 0
}

// on is w with the link that carries the address in place of the one that the caller names. With a virtual MAC nothing lingers: whoever
// has the MAC gets all packets, so that what an old owner still takes would be what a switch sends there by mistake.
func (w Wanted) on() (out Wanted, gone bool) {
	v, is := w.virtual()
	if !is || w.Link == "" || !w.Prefix.IsValid() {
		return w, false
	}
	w.parent, w.Link = w.Link, v.Name()
	return w, w.lingers()
}

// carried are the wanted addresses on the links that carry them.
func carried(want []Wanted) []Wanted {
	out := make([]Wanted, 0, len(want))
	for _, w := range want {
		if w, gone := w.on(); !gone {
			out = append(out, w)
		}
	}
	return out
}
