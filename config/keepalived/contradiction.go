package keepalived

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"quorate/fsm"
)

// compare names what the directors do not agree on.
func (r *router) compare(im *importer) {
	first := r.members[0]
	for _, m := range r.members[1:] {
		im.differing(first, m)
		for _, v := range m.addresses {
			if o := first.address(v.prefix.Addr()); o == nil {
				im.contradict(v.d, v.d.line, fmt.Sprintf("%s is not among the addresses of vrrp_instance %s of %s (%s): keepalived drops adverts with another list", v.prefix.Addr(), first.name, first.box.node, first.d.at))
			} else if o.prefix != v.prefix {
				im.contradict(v.d, v.d.line, fmt.Sprintf("%s has it as %s (%s); that one was taken", first.box.node, o.prefix, o.d.at))
			}
		}
		for _, v := range first.addresses {
			if m.address(v.prefix.Addr()) == nil {
				im.contradict(v.d, v.d.line, fmt.Sprintf("%s is not among the addresses of vrrp_instance %s of %s (%s): keepalived drops adverts with another list", v.prefix.Addr(), m.name, m.box.node, m.d.at))
			}
		}
	}
}

func (im *importer) contradict(d *directive, about, what string) {
	around := d.parent
	if d.rule != nil && d.rule.inside != nil && about != d.word && !strings.HasPrefix(about, d.word+" ") {
		around = d // it does not say it at all
	}
	im.add(Finding{Place: d.at, Node: im.nodeOf(d), Class: Mistake, Directive: (&directive{line: about, word: about, parent: around}).path(), What: what, Do: "make the directors agree, then import again"})
}

// nodeOf is the director whose directive it is.
func (im *importer) nodeOf(d *directive) string {
	top := d
	for top.parent != nil {
		top = top.parent
	}
	for _, b := range im.boxes {
		if slices.Contains(b.file.inside, top) {
			return string(b.node)
		}
	}
	return ""
}

// differing names what the adverts of two directors do not agree on: either drops those of the other, and both have the addresses.
func (im *importer) differing(x, y *instance) {
	a, b := x.adverts, y.adverts
	form := func(c fsm.ChecksumForm) string { return string(cmp.Or(c, fsm.ChecksumPseudo)) }
	cast := func(unicast bool) string { return map[bool]string{true: "unicast", false: "multicast"}[unicast] }
	same := func(equal bool) string { // of secrets nothing is shown
		return map[bool]string{true: "that", false: "another"}[equal]
	}
	const drops = "keepalived drops the adverts of the other, and both have the address"
	for _, t := range []struct{ key, word, one, two, why string }{
		{"vrid", "virtual_router_id", number0(a.vrid), number0(b.vrid), "each of them takes the address for its own, and both have it"},
		{"version", "version", number0(a.version), number0(b.version), drops},
		{"interval", "advert_int", fmt.Sprint(a.interval.Seconds()), fmt.Sprint(b.interval.Seconds()), "keepalived drops the adverts of the other, or takes it for dead too early"},
		{"auth", "auth_type", cmp.Or(a.auth, "none"), cmp.Or(b.auth, "none"), drops},
		{"password", "auth_pass", same(true), same(a.password == b.password), drops},
		{"hmac_keys", "auth_hmac", same(true), same(agreeOnKeys(a.keys, b.keys)), "one of them does not know the key that the other signs with"},
		{"hmac_mode", "mode", string(cmp.Or(a.keyMode, fsm.HMACEnforce)), string(cmp.Or(b.keyMode, fsm.HMACEnforce)), "one of them may drop what the other sends"},
		{"unicast", "unicast_peer", cast(a.unicast), cast(b.unicast), "neither hears the other"},
		{"group", "mcast_dst_ip", groupOf(a), groupOf(b), "neither hears the other"},
		{"checksum", "v3_checksum_as_v2", form(a.checksum), form(b.checksum), "the one without message-only drops the adverts of the other"},
		{"vmac", "use_vmac", fmt.Sprint(a.vmac), fmt.Sprint(b.vmac), "the MAC of the address changes when it moves, which use_vmac is to prevent"},
	} {
		if t.one == t.two || t.key == "hmac_mode" && (len(a.keys) == 0 || len(b.keys) == 0) {
			continue
		}
		p, q := a.from[t.key], b.from[t.key]
		at := cmp.Or(p, x.d).at
		if t.one == "that" {
			im.contradict(cmp.Or(q, y.d), t.word, fmt.Sprintf("%s is not that of %s (%s): %s; that one was taken", t.word, x.box.node, at, t.why))
			continue
		}
		im.contradict(cmp.Or(q, y.d), t.word, fmt.Sprintf("%s is %s, and %s on %s (%s): %s; that one was taken", t.word, t.two, t.one, x.box.node, at, t.why))
	}
	im.strangers(x, y)
	im.strangers(y, x)
}

func number0(n uint8) string {
	if n == 0 {
		return "none"
	}
	return fmt.Sprint(n)
}

func groupOf(a adverts) string {
	if a.unicast || !a.group.IsValid() {
		return "the usual group"
	}
	return a.group.String()
}

// agreeOnKeys reports whether each of two knows the key that the other signs with.
func agreeOnKeys(a, b []string) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	has := func(keys []string, key string) bool {
		return slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, key) })
	}
	return has(a, b[0]) && has(b, a[0])
}

// strangers names a director that does not send to another one, whose address is known.
func (im *importer) strangers(x, y *instance) {
	to := y.adverts.source
	if !x.adverts.unicast || !to.IsValid() || slices.Contains(x.adverts.peers, to) {
		return
	}
	im.contradict(x.adverts.from["unicast"], "unicast_peer", fmt.Sprintf("%s, from which %s sends (%s), is not among its peers, so that %s does not hear it and both have the address", to, y.box.node,
		cmp.Or(y.adverts.from["unicast_src_ip"], y.adverts.from["mcast_src_ip"], y.d).at, y.box.node))
}
