package keepalived

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"quorate/fsm"
)

// adverts is what an instance sends and expects on the wire, with what is said for all instances of its director.
type adverts struct {
	vrid     uint8 // 0 = it says none
	version  uint8
	interval time.Duration
	auth     string // "", PASS or AH
	password string
	keys     []string // KEYID:HEX, the active one first
	keyMode  fsm.HMACMode
	unicast  bool
	group    netip.Addr // invalid: that of VRRP
	source   netip.Addr // that its own adverts come from; invalid: not known
	peers    []netip.Addr
	checksum fsm.ChecksumForm
	vmac     bool

	// from says where each of them was said, by the names of our keys.
	from map[string]*directive
	// wrong says why no virtual router can be made of it; "" = it can.
	wrong string
}

const noVRID = "it has no virtual_router_id, and keepalived leaves such an instance out"

// The groups of VRRP.
var (
	group4 = netip.MustParseAddr("224.0.0.18")
	group6 = netip.MustParseAddr("ff02::12")
)

// family4 reports whether the instance is of IPv4: as its first address, or its first peer.
func (i *instance) family4() bool {
	if i.advertised != nil {
		return i.advertised.Is4()
	}
	if len(i.adverts.peers) > 0 {
		return i.adverts.peers[0].Is4()
	}
	return len(i.addresses) == 0 || i.addresses[0].prefix.Addr().Is4()
}

// readAdverts reads what is about adverts. What has become of it is said when the virtual router is made.
func (i *instance) readAdverts() {
	a := &i.adverts
	a.from = map[string]*directive{}
	i.readPeers()
	if x := i.d.one("virtual_router_id"); x != nil {
		a.vrid, a.from["vrid"] = uint8(x.number(0)), x
	} else {
		a.wrong = noVRID
	}
	i.readVersion()
	i.readInterval()
	i.readGroup()
	i.readChecksum()
	i.readVMAC()
	i.readTimer()
	i.readAuthentication()
	if x := i.d.one("lvs_sync_daemon_interface"); x != nil {
		x.settle(Changed, "connections are synchronised for the whole cluster, by the agents unless the block sync says otherwise", `set cluster { sync { transport = "multicast"  interface = "`+shown(x.arg(0), 20)+`" } } if the kernels are to do it`)
	}
}

// of is a setting of the instance, or that of the same meaning for all; nil when neither is there.
func (i *instance) of(word, global string) *directive {
	g := i.box.global.one(global)
	return cmp.Or(i.d.one(word), g)
}

// strict reports whether the rules of the RFCs are on, which leave out what is not in them.
func (i *instance) strict() bool {
	x := i.of("strict_mode", "vrrp_strict")
	return x.yes()
}

func (i *instance) readVersion() {
	a := &i.adverts
	a.version = 2
	x := i.d.one("version")
	global := i.box.global.one("vrrp_version")
	switch {
	case x != nil && x.arg(0) == "2" && !i.family4() && i.strict():
		a.version = 3
		x.settle(Mistake, "keepalived takes version 3 for IPv6 in strict mode", "correct it")
	case x != nil:
		a.version, a.from["version"] = uint8(x.number(0)), x
	case !i.family4():
		a.version = 3
	case global != nil:
		a.version, a.from["version"] = uint8(global.number(0)), global
	}
}

func (i *instance) readInterval() {
	a := &i.adverts
	a.interval = time.Second
	x := i.d.one("advert_int")
	if x == nil {
		return
	}
	a.from["interval"] = x
	said := x.duration(0)
	low, high, unit := time.Second, 255*time.Second, time.Second
	if a.version == 3 {
		low, high, unit = 10*time.Millisecond, 4095*10*time.Millisecond, 10*time.Millisecond
	}
	a.interval = min(max(said.Round(unit), low), high)
	if a.interval != said {
		x.settle(Mistake, fmt.Sprintf("version %d cannot say %s, and keepalived takes %s", a.version, said, a.interval), fmt.Sprintf("write advert_int %g", a.interval.Seconds()))
	}
}

// readPeers reads whom adverts go to and where they come from.
func (i *instance) readPeers() {
	a := &i.adverts
	for _, block := range i.d.all("unicast_peer") {
		a.from["unicast"] = cmp.Or(a.from["unicast"], block)
		for _, e := range block.inside {
			if e.out != nil {
				continue
			}
			p, ok := addressOf(e.arg(0))
			if !ok {
				e.settle(Mistake, fmt.Sprintf("%q is no address", shown(e.arg(0), 60)), "write one address to a line")
				continue
			}
			if slices.Contains(a.peers, p.Addr()) {
				e.settle(Mistake, "the peer is there twice", "take one out")
				continue
			}
			a.peers = append(a.peers, p.Addr())
			a.from["peer "+p.Addr().String()] = e
			if len(e.args) > 1 {
				e.settle(Changed, "virtual_router: peers; adverts of IPv4 are heard with a TTL of 255 alone, those of IPv6 from 64 on", "look whether there are routers between that count it down")
			}
		}
	}
	if a.unicast = len(a.peers) > 0; len(a.peers) > fsm.MaxPeers {
		a.wrong = fmt.Sprintf("it has more than %d peers", fsm.MaxPeers)
	}
	for _, word := range []string{"mcast_src_ip", "unicast_src_ip"} {
		if x := i.d.one(word); x != nil {
			p, _ := addressOf(x.arg(0))
			a.source, a.from[word] = p.Addr(), x
		}
	}
	if x := i.d.one("unicast_ttl"); x != nil && x.number(0) == 255 {
		x.settle(Ignored, "adverts leave with 255", "")
	} else if x != nil {
		x.settle(Changed, "adverts leave with 255, and those of IPv4 are heard with 255 alone", "set unicast_ttl 255 on all directors before they are to hear each other")
	}
}

func (i *instance) readGroup() {
	own, global := group4, "vrrp_mcast_group4"
	if !i.family4() {
		own, global = group6, "vrrp_mcast_group6"
	}
	x := i.of("mcast_dst_ip", global)
	if x == nil {
		return
	}
	g, _ := netip.ParseAddr(x.arg(0))
	if g == own || i.adverts.unicast {
		x.settle(Ignored, "it is the default, or the adverts go to each peer", "")
		return
	}
	i.adverts.group, i.adverts.from["group"] = g, x
}

// settleGroups says of the groups for all what no instance said of them.
func (b *box) settleGroups() {
	for _, word := range []string{"vrrp_mcast_group4", "vrrp_mcast_group6", "vrrp_version", "v3_checksum_as_v2", "vrrp_down_timer_adverts"} {
		for _, x := range b.global.all(word) {
			if x.out == nil {
				x.settle(Ignored, "it is the default, or no instance makes use of it", "")
			}
		}
	}
}

func (i *instance) readChecksum() {
	a := &i.adverts
	if a.version == 3 && i.family4() {
		if x := i.of("v3_checksum_as_v2", "v3_checksum_as_v2"); x != nil && x.yes() {
			a.checksum, a.from["checksum"] = fsm.ChecksumMessage, x
		}
		if x := i.d.one("old_unicast_checksum"); x != nil && a.checksum == "" && a.unicast {
			a.checksum, a.from["checksum"] = fsm.ChecksumGroup, x
			if x.arg(0) == "never" {
				a.checksum = fsm.ChecksumPseudo
			}
		}
	}
	for _, word := range []string{"v3_checksum_as_v2", "old_unicast_checksum"} {
		if x := i.d.one(word); x != nil && a.from["checksum"] != x {
			x.settle(Ignored, "adverts of this version and family have but one form of the checksum, or it is the default", "")
		}
	}
}

func (i *instance) readVMAC() {
	x := i.d.one("use_vmac")
	if x == nil {
		return
	}
	a := &i.adverts
	a.vmac, a.from["vmac"] = true, x
	for j := 0; j < len(x.args); j++ {
		word := x.args[j]
		switch {
		case word == "name" || word == "group":
			j++
			fallthrough
		case word == "netlink_notify_msg":
			x.settle(Changed, "vmac = true: the interface of the virtual MAC has a name of the agent's own, and no group", "look for the name in firewalls and scripts")
		case macAddress(word):
			x.settle(Unsupported, "vmac = true: the MAC is 00:00:5e:00:01:VRID, of IPv6 00:00:5e:00:02:VRID, as the RFC has it, and no other", "take the MAC out on the directors first, so that it does not change when the cluster takes over")
		default:
			x.settle(Changed, "vmac = true: the interface of the virtual MAC has a name of the agent's own, and no group", "look for the name in firewalls and scripts")
		}
	}
}

// macAddress reports whether a word is a MAC of 5 or 6 octets.
func macAddress(s string) bool {
	n := 1
	for _, r := range s {
		switch {
		case r == ':':
			n++
		case r >= '0' && r <= '9', r >= 'a' && r <= 'f', r >= 'A' && r <= 'F':
		default:
			return false
		}
	}
	return n >= 5
}

// readTimer reads after how many adverts a router takes over.
func (i *instance) readTimer() {
	x := i.of("down_timer_adverts", "vrrp_down_timer_adverts")
	switch {
	case x == nil:
	case x.number(0) == 3:
		x.settle(Ignored, "it is the default", "")
	case x.number(0) > 3:
		x.settle(Changed, "the cluster reckons with 3 adverts, after which others may take over: with more it has more time", "")
	default:
		x.settle(Changed, fmt.Sprintf("the cluster reckons with 3 adverts, after which others may take over: keepalived takes over after %d, and perhaps while the cluster moves a VIP", x.number(0)),
			"set it to 3 on all directors before the cluster takes over")
	}
}
