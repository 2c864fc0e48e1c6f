package speak

import (
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"slices"

	"quorate/vip"
	"quorate/vip/vrrp"
)

// ID is a virtual router where it is: VRIDs are counted for each link and family.
type ID struct {
	Link   string
	Family vrrp.Family
	VRID   vrrp.VRID
}

// String is the form used in logs, e.g. "vrid 51 IPv4 on eth0".
func (id ID) String() string { return fmt.Sprintf("vrid %d %s on %s", id.VRID, id.Family, id.Link) }

// lineID is a link and family.
type lineID struct {
	link   string
	family vrrp.Family
}

func (id ID) line() lineID { return lineID{id.Link, id.Family} }

// Router is a virtual router that this node hears, and speaks for when it is told. It is never changed in place.
type Router struct {
	ID   ID
	Name string // as the configuration calls it
	// Config is complete but for Source, which is the link's unless SharedSource is set, and for Keys, which the router gets for itself.
	Config vrrp.Config
	// Keys sign; the first is the active one.
	Keys []vrrp.Key
	// MAC is the virtual one, from which the adverts leave while the addresses are here; nil: they leave from the link's own.
	MAC net.HardwareAddr
	// Elects says that the nodes elect who speaks when there is no quorum.
	Elects bool
}

func (r *Router) equal(o *Router) bool { return reflect.DeepEqual(r, o) }

// source is from where the router sends at a place: IPv6 unicast to addresses beyond the link comes from one of those.
func (r *Router) source(at place) netip.Addr {
	far := func(a netip.Addr) bool { return a.Is6() && !a.IsLinkLocalUnicast() }
	switch {
	case r.Config.SharedSource:
		return r.Config.Source
	case slices.ContainsFunc(r.Config.Peers, far) && at.global.IsValid():
		return at.global
	}
	return at.source
}

// config is the router's at a place.
func (r *Router) config(at place) (vrrp.Config, error) {
	c := r.Config.From(r.source(at))
	if len(r.Keys) > 0 {
		k, err := vrrp.NewKeyring(r.Keys[0].ID, r.Keys...)
		if err != nil {
			return c, fmt.Errorf("virtual router %q: %w", r.Name, err)
		}
		c.Keys = k
	}
	if err := c.Validate(); err != nil {
		return c, fmt.Errorf("virtual router %q: %w", r.Name, err)
	}
	return c, nil
}

// place is where a line is at present. The zero value is nowhere: the link is not there, or has no address to send from.
type place struct {
	index  int
	source netip.Addr // the primary IPv4 address, or the link-local one of IPv6
	global netip.Addr // the first address of IPv6 that is no link-local one, if there is one
	why    string     // it is nowhere
}

// placeOf finds a line among the links.
func placeOf(id lineID, links []vip.Link) place {
	i := slices.IndexFunc(links, func(l vip.Link) bool { return l.Name == id.link })
	if i < 0 {
		return place{why: fmt.Sprintf("there is no link %s", id.link)}
	}
	l := links[i]
	p := place{index: l.Index, source: l.Primary}
	what := "IPv4 address"
	if id.family == vrrp.IPv6 {
		p.source, what = l.LinkLocal, "IPv6 link-local address"
		if i := slices.IndexFunc(l.Own, func(a netip.Addr) bool { return a.Is6() && !a.IsLinkLocalUnicast() }); i >= 0 {
			p.global = l.Own[i]
		}
	}
	if !p.source.IsValid() {
		return place{why: fmt.Sprintf("%s has no %s to send from: give it one", l.Name, what)}
	}
	return p
}
