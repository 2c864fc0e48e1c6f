package fsm

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// Op is what a change does to an object.
type Op string

// The ops.
const (
	Added   Op = "added"
	Changed Op = "changed"
	Removed Op = "removed"
)

// Change is the difference of one object between two configurations.
type Change struct {
	Object string        `json:"object"` // named as in Problem
	Op     Op            `json:"op"`
	Fields []FieldChange `json:"fields,omitempty"` // sorted by key
}

// FieldChange is one setting of a changed, added (Old "") or removed (New "") object.
type FieldChange struct {
	Key string `json:"key"` // as in a configuration file
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
}

// Diff lists what differs from old to new, sorted by object.
func Diff(old, new Config) []Change {
	old, new = old.withDefaults(), new.withDefaults()
	old.Services, new.Services = unlike(old.Services, new.Services)
	was, is := old.fields(), new.fields()
	objects := maps.Clone(was)
	maps.Copy(objects, is)
	var out []Change
	for _, object := range slices.Sorted(maps.Keys(objects)) {
		c := Change{Object: object, Op: Changed}
		a, hadIt := was[object]
		b, hasIt := is[object]
		switch {
		case !hadIt:
			c.Op = Added
		case !hasIt:
			c.Op = Removed
		}
		keys := maps.Clone(a)
		if keys == nil {
			keys = fields{}
		}
		maps.Copy(keys, b)
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			if a[k] != b[k] {
				c.Fields = append(c.Fields, FieldChange{Key: k, Old: a[k], New: b[k]}.masked())
			}
		}
		if c.Op != Changed || len(c.Fields) > 0 {
			out = append(out, c)
		}
	}
	return out
}

// masked is the change without what is secret in it.
func (f FieldChange) masked() FieldChange {
	if f.Key != "password" && f.Key != "hmac_keys" {
		return f
	}
	if f.New != "" {
		f.New = "(hidden)"
		if f.Old != "" {
			f.New = "(hidden, another)"
		}
	}
	if f.Old != "" {
		f.Old = "(hidden)"
	}
	return f
}

// unlike leaves out what is the same in both: of a large table that is nearly everything, and to write it out as text costs a hundred times as much
// as to compare it.
func unlike(old, new map[string]Service) (was, is map[string]Service) {
	was, is = make(map[string]Service), maps.Clone(new)
	for name, o := range old {
		if n, stays := new[name]; stays && o.same(n) {
			delete(is, name)
		} else {
			was[name] = o
		}
	}
	return was, is
}

// same reports whether the services are equal values; false also of some that mean the same.
func (s Service) same(o Service) bool {
	if !slices.Equal(s.Servers, o.Servers) {
		return false
	}
	s.Servers, o.Servers = nil, nil
	return reflect.DeepEqual(s, o)
}

// fields are the settings of one object as text; what is not set is left out.
type fields map[string]string

func (f fields) set(key, value string) {
	if value != "" {
		f[key] = value
	}
}

func (f fields) flag(key string, on bool) {
	if on {
		f[key] = "true"
	}
}

func (f fields) span(key string, d time.Duration) {
	if d != 0 {
		f[key] = d.String()
	}
}

// count sets a number that is not 0.
func (f fields) count(key string, n int) {
	if n != 0 {
		f.set(key, strconv.Itoa(n))
	}
}

// fields flattens a configuration with its defaults: object → setting → value.
func (c Config) fields() map[string]fields {
	out := map[string]fields{}
	object := func(name string) fields {
		f := fields{}
		out[name] = f
		return f
	}
	cluster := object("cluster")
	cluster.set("profile", string(c.Settings.Profile))
	cluster.set("data_plane", c.Settings.DataPlane)
	cluster.set("observers", strconv.Itoa(c.Settings.Observers))
	cluster.set("mode", string(c.Settings.Mode))
	cluster.flag("rebalance", c.Settings.Rebalance)
	cluster.flag("set_sysctls", c.Settings.SetSysctls)
	cluster.count("max_moves_per_minute", c.Settings.MaxMoves)
	cluster.span("hold_down", c.Settings.HoldDown)
	cluster.count("fwmark_base", int(c.Settings.MarkBase))
	c.Settings.Sync.fields(object)
	c.Settings.Timeouts.fields(object)
	for name, v := range c.VIPs {
		f := object("vip." + name)
		f.set("address", v.Address.String())
		f.set("network", v.Network)
		f.set("interface", v.Interface)
		f.set("group", v.Group)
		f.set("prefer", join(v.Prefer, ", "))
		f.flag("preempt", v.Preempt)
		f.set("quorum_lost", string(v.QuorumLost))
		f.set("virtual_router", v.Router)
		f.set("mode", string(v.Mode))
		if v.VRRP != nil {
			v.VRRP.fields(object("vip." + name + ".vrrp"))
		}
	}
	for name, r := range c.Routers {
		r.fields(object("virtual_router." + name))
	}
	for name, g := range c.Groups {
		f := object("group." + name)
		f.set("prefer", join(g.Prefer, ", "))
		f.flag("preempt", g.Preempt)
	}
	for _, n := range c.Notifiers {
		n.fields(object)
	}
	for name, n := range c.NodeChecks {
		n.fields(object("node_check." + name))
		for i, check := range n.Checks {
			check.fields(object("node_check." + name + ".check." + strconv.Itoa(i)))
		}
	}
	for name, s := range c.Services {
		s.fields(object("service." + name))
		s.Health.fields("service."+name, object)
		for i, check := range s.Checks {
			check.fields(object("service." + name + ".check." + strconv.Itoa(i)))
		}
		for _, server := range s.Servers {
			server.fields(object(serverObject("service."+name, server)))
		}
		if s.Sorry != nil {
			s.Sorry.fields(object(sorryObject("service."+name, *s.Sorry)))
		}
	}
	return out
}
