package vip

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Attributes of links that golang.org/x/sys/unix lacks (linux/if_link.h, linux/ip.h).
const (
	iflaInetConf = 1 // IFLA_INET_CONF

	devconfForwarding         = 1
	devconfRPFilter           = 8
	devconfARPFilter          = 13
	devconfARPAnnounce        = 18
	devconfARPIgnore          = 19
	devconfPromoteSecondaries = 20
)

// setDevconf sets IPv4 settings of a link (net.ipv4.conf.LINK) by netlink rather than /proc/sys, which containers mount read-only.
func (k *Netlink) setDevconf(index uint32, set map[uint16]uint32) error {
	ae := netlink.NewAttributeEncoder()
	ae.Nested(unix.IFLA_AF_SPEC, func(spec *netlink.AttributeEncoder) error {
		spec.Nested(unix.AF_INET, func(inet *netlink.AttributeEncoder) error {
			inet.Nested(iflaInetConf, func(conf *netlink.AttributeEncoder) error {
				for _, id := range slices.Sorted(maps.Keys(set)) {
					conf.Uint32(id, set[id])
				}
				return nil
			})
			return nil
		})
		return nil
	})
	attrs, err := ae.Encode()
	if err != nil {
		return fmt.Errorf("encode settings of a link: %w", err)
	}
	return k.do(unix.RTM_SETLINK, 0, append(ifInfo(index), attrs...))
}

// devconf reads IPv4 settings of a link; the number of one, less one, is its place.
func (k *Netlink) devconf(index uint32) ([]uint32, error) {
	reply, err := k.execute(netlink.Message{Header: netlink.Header{Type: unix.RTM_GETLINK, Flags: netlink.Request}, Data: ifInfo(index)})
	if err != nil {
		return nil, err
	}
	for _, m := range reply {
		if m.Header.Type != unix.RTM_NEWLINK || len(m.Data) < unix.SizeofIfInfomsg {
			continue
		}
		ad, err := netlink.NewAttributeDecoder(m.Data[unix.SizeofIfInfomsg:])
		if err != nil {
			return nil, fmt.Errorf("link message: %w", err)
		}
		var conf []byte
		for ad.Next() {
			if ad.Type() == unix.IFLA_AF_SPEC {
				ad.Nested(inetConf(&conf))
			}
		}
		if err := ad.Err(); err != nil {
			return nil, fmt.Errorf("link message: %w", err)
		}
		out := make([]uint32, len(conf)/4)
		for i := range out {
			out[i] = binary.NativeEndian.Uint32(conf[4*i:])
		}
		return out, nil
	}
	return nil, fmt.Errorf("%w: index %d", ErrNoLink, index)
}

// inetConf finds IFLA_INET_CONF in IFLA_AF_SPEC.
func inetConf(conf *[]byte) func(*netlink.AttributeDecoder) error {
	return func(spec *netlink.AttributeDecoder) error {
		for spec.Next() {
			if spec.Type() != unix.AF_INET {
				continue
			}
			spec.Nested(func(inet *netlink.AttributeDecoder) error {
				for inet.Next() {
					if inet.Type() == iflaInetConf {
						*conf = inet.Bytes()
					}
				}
				return nil
			})
		}
		return nil
	}
}

// ifInfo is a struct ifinfomsg for a link, rtnetlink(7).
func ifInfo(index uint32) []byte {
	b := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(b[4:], index)
	return b
}
