package keepalived

import (
	"fmt"
	"slices"
	"strings"

	"quorate/fsm"
)

// built is a service that was made of a virtual server of one director.
type built struct {
	service fsm.Service
	box     *box
	d       *directive
	servers []*directive // of each server
	sorry   *directive
	checks  []*directive
	parts   []string // of listeners, for the name
	on      []*box   // that have it
}

// services makes services of the virtual servers of all directors: those of the first that has one count.
func (im *importer) services() error {
	first := map[string]*built{}
	for _, b := range im.boxes {
		vsgs, groups := b.named("virtual_server_group")
		for _, d := range b.all("virtual_server") {
			for _, s := range im.virtualServer(b, d, groups) {
				key := s.key()
				have := first[key]
				switch {
				case have == nil:
					if len(first) >= fsm.MaxServices {
						return fmt.Errorf("%s: there are more than the limit of %d virtual services: make several clusters", im.boxes[0].reader.first, fsm.MaxServices)
					}
					first[key], s.on = s, []*box{b}
					im.put(s)
				case have.box == b:
					d.leave(Mistake, "there is a virtual_server for this already, in "+have.d.at.String(), "take one of them out")
				default:
					im.sameService(have, s)
				}
			}
		}
		for _, d := range append(vsgs, b.all("SSL")...) {
			if d.out == nil {
				d.leave(Ignored, "nothing uses it", "")
			}
		}
	}
	im.absentServices(first)
	return nil
}

// key tells services apart by what they take.
func (s *built) key() string {
	return fmt.Sprintf("%s %s %v %v %d %d", s.service.Protocol, s.service.VIP, s.service.VIPs, s.service.Addresses, s.service.Port, s.service.Mark)
}

// put gives the service a name and files it.
func (im *importer) put(s *built) {
	name := unique(strings.Join(s.parts, "-"), func(n string) bool { _, ok := im.config.Services[n]; return ok })
	s.service.Name = name
	im.config.Services[name] = s.service
	own := "service." + name
	im.made(own, s.d, func() { delete(im.config.Services, name) })
	for i, x := range s.service.Servers {
		address := x.Address
		im.made(own+".server."+address.String(), s.servers[i], func() {
			c, ok := im.config.Services[name]
			if !ok {
				return
			}
			c.Servers = slices.DeleteFunc(slices.Clone(c.Servers), func(x fsm.Server) bool { return x.Address == address })
			im.config.Services[name] = c
		})
	}
	if s.service.Sorry != nil {
		im.made(own+".sorry_server."+s.service.Sorry.Address.String(), s.sorry, func() {
			c, ok := im.config.Services[name]
			if !ok {
				return
			}
			c.Sorry = nil
			im.config.Services[name] = c
		})
	}
	if len(s.checks) > 0 {
		im.objects[own+".check"] = &object{each: s.checks, removeEach: func(i int) {
			c, ok := im.config.Services[name]
			if !ok {
				return
			}
			c.Checks = slices.Delete(slices.Clone(c.Checks), i, i+1)
			im.config.Services[name] = c
		}}
	}
	s.d.mapped(fmt.Sprintf("service %q", name))
}

// sameService compares a service with the one that another director has.
func (im *importer) sameService(have, s *built) {
	s.d.mapped(fmt.Sprintf("service %q, as on %s", have.service.Name, have.box.node))
	s.service.Name, have.on = have.service.Name, append(have.on, s.box)
	im.made("service."+have.service.Name, s.d, nil)
	var differ []string
	say := func(what string, same bool) {
		if !same {
			differ = append(differ, what)
		}
	}
	a, b := have.service, s.service
	say("its checks", equalJSON(a.Checks, b.Checks))
	say("its servers", equalJSON(a.Servers, b.Servers))
	say("its sorry_server", equalJSON(a.Sorry, b.Sorry))
	a.Checks, b.Checks, a.Servers, b.Servers, a.Sorry, b.Sorry = nil, nil, nil, nil, nil, nil
	say("its settings", equalJSON(a, b))
	if len(differ) > 0 {
		im.contradict(s.d, s.d.line, fmt.Sprintf("%s are not those that %s has (%s), which were taken", strings.Join(differ, ", "), have.box.node, have.d.at))
	}
}

// absentServices names services that not all directors have.
func (im *importer) absentServices(first map[string]*built) {
	for _, key := range sortedKeys(first) {
		s := first[key]
		for _, b := range im.boxes {
			if !slices.Contains(s.on, b) {
				im.add(Finding{Place: s.d.at, Node: string(s.box.node), Class: Changed, Directive: s.d.path(),
					What: fmt.Sprintf("%s has no such virtual_server; here every node that owns the address balances it", b.node), Do: "nothing, if that is what is wanted"})
			}
		}
	}
}

// virtualServer makes the services of a virtual_server: of a group, one for each port and mark.
func (im *importer) virtualServer(b *box, d *directive, groups map[string]*directive) []*built {
	listeners, wrong := im.listeners(b, d, groups)
	if wrong != "" {
		d.leave(Unsupported, wrong, "correct it, then import again")
		return nil
	}
	base := &built{box: b, d: d}
	s := &base.service
	s.Protocol, s.Scheduler, s.Forward = fsm.UDP, "wlc", fsm.NAT
	if p := d.one("protocol"); p != nil {
		s.Protocol = fsm.Protocol(strings.ToLower(p.arg(0)))
		p.mapped("protocol")
	} else if listeners[0].mark == 0 {
		im.add(Finding{Place: d.at, Node: string(b.node), Class: Mistake, Directive: d.path(), What: "it has no protocol, and keepalived takes UDP then; so it was done here", Do: "add protocol TCP, if that is meant, then import again"})
	}
	base.scheduling()
	base.availability()
	base.readServers(listeners[0])
	base.readChecks()
	base.settleRest()
	var out []*built
	for _, l := range listeners {
		x := *base
		x.forcePorts(l)
		if !im.listen(&x, l) {
			continue
		}
		out = append(out, &x)
	}
	if len(out) == 0 {
		d.revoke(Unsupported, "there is not exactly one VIP of its address family that could say which node balances a firewall mark", "add it by hand, with vip = \"NAME\"")
	}
	return out
}
