package fsm

import "fmt"

// A router outside the cluster that has one virtual router has all VIPs of its unit: what moves together is not torn apart. While it does, they have no
// owner: whoever has one of them releases it, and nobody gets it. Afterwards they are placed as ever, and nothing is remembered.

// foreignUnits are the units that a router outside the cluster has, and by which virtual router, the first by name; nil when there are none.
func (s *State) foreignUnits() map[string]string {
	if len(s.Foreign) == 0 {
		return nil
	}
	out := map[string]string{}
	for _, v := range s.Config.VIPs {
		router := v.RouterName()
		if _, ok := s.Foreign[router]; !ok {
			continue
		}
		if other, has := out[v.unit()]; !has || router < other {
			out[v.unit()] = router
		}
	}
	return out
}

// unit names what moves together with the VIP.
func (v VIP) unit() string {
	if v.Group != "" {
		return "group/" + v.Group
	}
	return v.Key().String()
}

// ForeignOf is the router outside the cluster that keeps the VIP from having an owner, and the virtual router by which it does: its own, or another one of its
// group.
func (s *State) ForeignOf(v VIP) (router string, f ForeignOwner, ok bool) {
	if len(s.Foreign) == 0 {
		return "", ForeignOwner{}, false
	}
	if v.Group == "" {
		router = v.RouterName()
		f, ok = s.Foreign[router]
		return router, f, ok
	}
	for _, o := range s.Config.VIPs {
		name := o.RouterName()
		if x, has := s.Foreign[name]; has && o.Group == v.Group && (!ok || name < router) {
			router, f, ok = name, x, true
		}
	}
	return router, f, ok
}

// foreignText is half a sentence about who has the unit, or nothing.
func (p *planner) foreignText(id string) string {
	router, ok := p.foreign[id]
	if !ok {
		return ""
	}
	f := p.s.Foreign[router]
	return fmt.Sprintf("%v has virtual router %s%s", f, router, f.claim())
}

// foreignEnds says what ends it.
func (p *planner) foreignEnds(u *unit) string {
	router := p.foreign[u.id]
	f := p.s.Foreign[router]
	if f.Better {
		return fmt.Sprintf("%v gives virtual router %s up, is heard no more, or outranks the cluster no more", f, router)
	}
	return fmt.Sprintf("%v gives virtual router %s up, or is heard no more", f, router)
}

// barred says why nobody may get the VIP, or nothing.
func (e *entry) barred(v VIP) string {
	router, f, ok := e.next.ForeignOf(v)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%v has virtual router %s", f, router)
}

// foreignHas reports whether a router outside the cluster has the VIP at the address.
func (s *State) foreignHas(k AddressKey) bool {
	if len(s.Foreign) == 0 {
		return false
	}
	v, ok := s.VIPByKey(k)
	if ok {
		_, _, ok = s.ForeignOf(v)
	}
	return ok
}
