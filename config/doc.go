// Package config reads and writes configuration files: HCL, or its JSON form, to [fsm.Config] and back.
//
// It decides what a file says. It is strict: every key and block is known, every value has the type its key wants, nothing
// is defined twice, and a file with one fault is refused whole. All faults of all files come in one go, each as
//
//	web.hcl:3:13: vip.web: address = "192.0.2.0/24": this is the address of the network itself; use an address of a host in it
//
// It never decides whether a configuration makes sense: ranges and relations are [fsm.Config.Validate]'s, which Apply
// obeys too, and what needs the nodes is CheckNodes'. Both name an object and a key; [Document.Locate] knows where in the
// files those are, so that such problems are reported at their line as well.
//
// One table (schema_*.go) says what keys there are, their types, defaults and meaning. The decoder,
// [Format] and the reference page docs/reference/config.md ([Reference]) all follow it and cannot drift apart.
//
//	source ─► limits ─► syntax (HCL or JSON) ─► node ─► decoder (table) ─► fsm.Config + index ─► Validate ─► Document
//
//	doc, err := config.Load("/etc/quorate/cluster.hcl")
//	if err != nil {
//		return err // config.Diagnostics, one line each
//	}
//	apply(doc.Config)
package config
