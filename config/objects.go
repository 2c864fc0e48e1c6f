package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"quorate/fsm"
)

// file decodes one file into c.
func (d *decoder) file(n node, name string, c *fsm.Config) {
	d.keys(clusterFile, n, rangeOf(name), "", "", nil)
	for _, x := range d.children(clusterFile, n, "") {
		switch x.schema {
		case clusterBlock:
			d.cluster(x, c)
		case groupBlock:
			named(d, x, "group", fsm.Group{Name: x.label()}, &c.Groups)
		case routerBlock:
			named(d, x, "virtual_router", fsm.VirtualRouter{}, &c.Routers)
		case vipBlock:
			d.vip(x, c)
		case nodeCheckBlock:
			d.nodeCheck(x, c)
		case serviceBlock:
			d.service(x, c)
		case notifyBlock:
			d.notify(x, c)
		}
	}
}

func (d *decoder) cluster(x known, c *fsm.Config) {
	var s fsm.Settings
	d, first := d.claim(x.child, "cluster", "the cluster block", "remove one of them")
	n := d.leafKeys(x, "cluster", &s)
	for _, y := range d.children(clusterBlock, n, "cluster") {
		switch y.schema {
		case syncBlock:
			only(d, y, "cluster.sync", &s.Sync)
		case timeoutsBlock:
			only(d, y, "cluster.ipvs_timeouts", &s.Timeouts)
		}
	}
	if first {
		c.Settings = s
	}
}

// only reads a block that there is once, without label and blocks in it.
func only[T any](d *decoder, x known, object string, into *T) {
	var v T
	d, first := d.claim(x.child, object, "the "+x.schema.name+" block", "remove one of them")
	if d.leaf(x, object, &v); first {
		*into = v
	}
}

// named reads a block whose label is its name and that has no blocks in it; v has that name.
func named[T any](d *decoder, x known, kind string, v T, into *map[string]T) {
	object := kind + "." + x.label()
	d, first := d.claim(x.child, object, fmt.Sprintf("%s %q", kind, x.label()), renameOrRemove)
	d.leaf(x, object, &v)
	if first {
		put(into, x.label(), v)
	}
}

func (d *decoder) vip(x known, c *fsm.Config) {
	v := fsm.VIP{Name: x.label()}
	object := "vip." + v.Name
	d, first := d.claim(x.child, object, fmt.Sprintf("vip %q", v.Name), renameOrRemove)
	n := d.leafKeys(x, object, &v)
	for _, y := range d.children(vipBlock, n, object) {
		var r fsm.VirtualRouter
		inner, once := d.claim(y.child, object+".vrrp", "the vrrp block of this VIP", "remove one of them")
		if inner.leaf(y, object+".vrrp", &r); once {
			v.VRRP = &r
		}
	}
	if first {
		put(&c.VIPs, v.Name, v)
	}
}

func (d *decoder) service(x known, c *fsm.Config) {
	s := fsm.Service{Name: x.label()}
	object := "service." + s.Name
	d, first := d.claim(x.child, object, fmt.Sprintf("service %q", s.Name), renameOrRemove)
	n := d.leafKeys(x, object, &s)
	for _, y := range d.children(serviceBlock, n, object) {
		switch y.schema {
		case healthBlock:
			only(d, y, object+".health", &s.Health)
		case checkBlock:
			d.check(y, object, &s.Checks)
		case serverBlock:
			if x, ok := d.server(y, object, "server"); ok {
				s.Servers = append(s.Servers, x)
			}
		case sorryBlock:
			x, ok := d.server(y, object, "sorry_server")
			if _, first := d.claim(y.child, object+".sorry_server", "the sorry server of this service", "remove one of them"); ok && first {
				s.Sorry = &x
			}
		}
	}
	if s.Protocol == "" && s.Mark == 0 && !d.failed[object]["protocol"] {
		s.Protocol = fsm.TCP
	}
	if first {
		put(&c.Services, s.Name, s)
	}
}

func (d *decoder) nodeCheck(x known, c *fsm.Config) {
	n := fsm.NodeCheck{Name: x.label()}
	object := "node_check." + n.Name
	d, first := d.claim(x.child, object, fmt.Sprintf("node_check %q", n.Name), renameOrRemove)
	inner := d.leafKeys(x, object, &n)
	for _, y := range d.children(nodeCheckBlock, inner, object) {
		d.check(y, object, &n.Checks)
	}
	if first {
		put(&c.NodeChecks, n.Name, n)
	}
}

// check reads one check of a service or of nodes.
func (d *decoder) check(x known, owner string, into *[]fsm.Check) {
	c := fsm.NewCheck(fsm.CheckType(x.label()))
	object := owner + ".check." + strconv.Itoa(len(*into))
	d.note(object, "", place{at: x.at})
	for _, y := range d.children(x.schema, d.leafKeys(x, object, &c), object) {
		if c.HTTP == nil {
			d.report(y.at, object, "", "", faultf(`use check "http" or "https", or leave the block out`, `only check "http" or "https" has url blocks`))
			continue
		}
		url := fsm.HTTPRequest{Path: y.label()}
		inner := object + ".url." + strconv.Itoa(len(c.HTTP.URLs))
		d.note(inner, "", place{at: y.at})
		d.leaf(y, inner, &url)
		c.HTTP.URLs = append(c.HTTP.URLs, url)
	}
	if c.HTTP != nil && len(c.HTTP.URLs) > 0 {
		d.clearDefaults(object, c.HTTP)
	}
	*into = append(*into, c.Spared())
}

// clearDefaults takes from a check with URLs of its own what nobody wrote.
func (d *decoder) clearDefaults(object string, h *fsm.HTTPCheck) {
	if _, written := d.places[object].find("path"); !written {
		h.Path = ""
	}
	if _, written := d.places[object].find("status"); !written {
		h.Status = nil
	}
}

// server reads a block about a server of the service; false = it cannot be read, or is there twice.
func (d *decoder) server(x known, service, kind string) (fsm.Server, bool) {
	address, err := serverOf(x.label())
	if err != nil {
		object := service + "." + kind + "." + clip(x.label(), 40)
		d.report(x.names[0], object, "address", d.files.source(x.names[0]), err)
		d.leaf(x, object, &fsm.Server{})
		return fsm.Server{}, false
	}
	object := service + "." + kind + "." + address.String()
	d, first := d.claim(x.child, object, fmt.Sprintf("%s %q of this service", strings.ReplaceAll(kind, "_", " "), address), "remove one of them")
	server := fsm.Server{Address: address}
	d.leaf(x, object, &server)
	return server, first
}

const renameOrRemove = "rename or remove one of them"

// leaf reads a block that has no blocks in it.
func (d *decoder) leaf(x known, object string, dst any) {
	d.children(x.schema, d.leafKeys(x, object, dst), object)
}

// leafKeys reads the label and the keys of a block and returns its content, for the blocks in it.
func (d *decoder) leafKeys(x known, object string, dst any) node {
	if x.schema.labelKey != "" {
		d.note(object, x.schema.labelKey, place{at: x.names[0], text: d.files.source(x.names[0])})
	}
	n := d.open(x.schema, x.body)
	d.keys(x.schema, n, x.at, x.label(), object, dst)
	return n
}

// validate is what c.Validate finds, without what is only the consequence of a fault that is reported already.
func (d *decoder) validate(c fsm.Config) fsm.Problems {
	// Whether the cluster has what a file was not shown is for the cluster to say.
	found := slices.DeleteFunc(c.Validate(), func(p fsm.Problem) bool { return p.Value == fsm.NotShown })
	if len(d.failed) == 0 && !d.lost {
		return found
	}
	// A service whose port could not be read must not be compared with the others.
	readable := c
	readable.Services = maps.Clone(c.Services)
	maps.DeleteFunc(readable.Services, func(name string, _ fsm.Service) bool {
		failed := d.failed["service."+name]
		return failed["vip"] || failed["vips"] || failed["port"] || failed["ports"] || failed["addresses"] || failed["protocol"]
	})
	among := map[fsm.Problem]bool{}
	for _, p := range readable.Validate() {
		among[p] = true
	}
	return slices.DeleteFunc(found, func(p fsm.Problem) bool {
		_, service := c.Services[strings.TrimPrefix(p.Object, "service.")]
		clash := service && (p.Key == "port" || p.Key == "ports") && !among[p]
		return clash || d.follows(p)
	})
}

// follows reports whether a problem is only the consequence of a fault that is reported already.
func (d *decoder) follows(p fsm.Problem) bool {
	bad := func(object string, keys ...string) bool {
		for _, k := range keys {
			if d.failed[object][k] {
				return true
			}
		}
		return false
	}
	if bad(p.Object, p.Key) || bad(p.Object, dependsOn[p.Key]...) {
		return true
	}
	notifier := strings.HasPrefix(p.Object, "notify.")
	if d.lost && (p.Key == "vip" || p.Key == "vips" || p.Key == "group" || p.Key == "groups" || notifier && (p.Key == "services" || p.Key == "")) {
		return true // perhaps it was in the block that could not be read
	}
	if service, ok := serviceOf(p.Object); ok && p.Key == "address" {
		return bad(service, "vip", "vips", "port", "ports", "forward")
	}
	return false
}

// dependsOn lists the keys of the same object that a problem with a key may come from.
var dependsOn = map[string][]string{
	"timeout":       {"interval"},
	"interval":      {"version"},
	"checksum":      {"version"},
	"password":      {"version", "hmac_keys"},
	"hmac_mode":     {"hmac_keys"},
	"unicast":       {"peers"},
	"port":          {"vip", "vips", "ports", "addresses", "protocol"},
	"ports":         {"vip", "vips", "port", "addresses", "protocol"},
	"addresses":     {"vip", "vips"},
	"vip":           {"vips"},
	"vips":          {"vip"},
	"masquerade":    {"forward"},
	"prefer":        {"group"},
	"required":      {"weight"},
	"weight":        {"required"},
	"most":          {"least"},
	"least":         {"most"},
	"preempt":       {"group"},
	"preempt_delay": {"preempt"},
}

// serviceOf is the service that a server object belongs to.
func serviceOf(object string) (service string, ok bool) {
	for _, kind := range []string{".server.", ".sorry_server."} {
		if i := strings.LastIndex(object, kind); i >= 0 {
			return object[:i], true
		}
	}
	return "", false
}

func put[V any](m *map[string]V, name string, v V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[name] = v
}

func rangeOf(file string) hcl.Range { return hcl.Range{Filename: file} }
