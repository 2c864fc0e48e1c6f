package config

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"quorate/fsm"
)

// TestReferencePage holds the page in the repository against the table.
func TestReferencePage(t *testing.T) { golden(t, "../docs/reference/config.md", Reference()) }

// TestReferenceExamples parses the two examples of the page, which must mean the same.
func TestReferenceExamples(t *testing.T) {
	page := string(Reference())
	example := func(lang string) fsm.Config {
		_, rest, _ := strings.Cut(page, "```"+lang+"\n")
		text, _, ok := strings.Cut(rest, "```")
		if !ok {
			t.Fatalf("no example in %s", lang)
		}
		doc, err := Parse("example."+lang, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return doc.Config
	}
	equal(t, example("json"), example("hcl"))
}

// TestTable walks over the table: everything has a meaning, and defaults are values that their keys can have.
func TestTable(t *testing.T) {
	var walk func(b *block)
	walk = func(b *block) {
		if b.doc == "" || b.doc[len(b.doc)-1] != '.' {
			t.Errorf("block %s: doc %q", b.name, b.doc)
		}
		names := map[string]bool{}
		for i, k := range b.keys {
			twice := slices.ContainsFunc(b.keys[:i], func(o key) bool { // blocks with another label may have another key of the name
				return o.name == k.name && (o.only == nil || k.only == nil || slices.ContainsFunc(k.only, o.in))
			})
			if k.doc == "" || k.kind == "" || k.read == nil || k.write == nil || twice {
				t.Errorf("%s: key %s is not complete, or there twice", b.name, k.name)
			}
			names[k.name] = true
			if k.values != nil && k.fallback != cty.NilVal && !slices.Contains(k.values, k.fallback.AsString()) {
				t.Errorf("%s: default of %s is none of its values", b.name, k.name)
			}
			if k.required && k.fallback != cty.NilVal {
				t.Errorf("%s: %s is required and has a default", b.name, k.name)
			}
		}
		for _, inner := range b.blocks {
			if names[inner.name] {
				t.Errorf("%s: %s is a key and a block", b.name, inner.name)
			}
			walk(inner)
		}
	}
	walk(clusterFile)
	walk(agentFile)
}

// TestTableKnowsWhatValidateKnows holds the values that the table documents against the rules of package fsm, which are
// what counts: each of them is accepted, and anything else is not.
func TestTableKnowsWhatValidateKnows(t *testing.T) {
	for _, b := range []*block{clusterBlock, serviceBlock} {
		for _, k := range b.keys {
			for _, value := range append(slices.Clone(k.values), "nonsense") {
				if k.values == nil {
					continue
				}
				c := webConfig()
				s := c.Services["web-http"]
				s.Servers = nil // their ports depend on the forwarding method
				switch {        // what some keys need beside them
				case strings.HasPrefix(k.name, "tunnel"):
					s.Forward, s.Encap = fsm.Tunnel, fsm.Encap{Type: "gue", Port: 6080}
				case k.name == "persistence_engine":
					s.Protocol, s.Persistence.Timeout = fsm.UDP, time.Minute
				}
				var dst any = &s
				if b == clusterBlock {
					dst = &c.Settings
				}
				if err := k.read(dst, cty.StringVal(value)); err != nil {
					t.Fatal(err)
				}
				if k.name == "tunnel" && value != "gue" {
					s.Encap.Port = 0
				}
				c.Services["web-http"] = s
				if ps := c.Validate(); (len(ps) == 0) != (value != "nonsense") {
					t.Errorf("%s = %q: %v", k.name, value, ps)
				}
			}
		}
	}
}

// TestNamesOfNodes holds the rule for an agent's name against the one that the cluster applies to names of nodes.
func TestNamesOfNodes(t *testing.T) {
	candidates := []string{"", "lb1", "LB1", "a.b-c_d", "a b", "größe", "a/b", "a\n", strings.Repeat("x", 63), strings.Repeat("x", 64)}
	for r := range rune(0x180) {
		candidates = append(candidates, "a"+string(r))
	}
	for _, s := range candidates {
		c := fsm.Config{Settings: fsm.DefaultSettings(), Groups: map[string]fsm.Group{"g": {Name: "g", Prefer: []fsm.NodeID{fsm.NodeID(s)}}}}
		_, err := nodeName(s)
		if ps := c.Validate(); (err == nil) != (len(ps) == 0) {
			t.Errorf("%q: the agent says %v, the cluster %v", s, err, ps)
		}
		c = fsm.Config{Settings: fsm.DefaultSettings(), Groups: map[string]fsm.Group{s: {Name: s}}}
		if ps := c.Validate(); plain(s) != (len(ps) == 0) {
			t.Errorf("%q: plain says %v, the cluster %v", s, plain(s), ps)
		}
	}
}

// TestEveryKeyIsLocated holds the names of keys in problems against those of the table, so that none is without a place.
func TestEveryKeyIsLocated(t *testing.T) {
	known := map[string]bool{"": true}
	for _, b := range []*block{clusterBlock, syncBlock, timeoutsBlock, groupBlock, vipBlock, nodeCheckBlock, serviceBlock, healthBlock, checkBlock, serverBlock} {
		known[b.labelKey] = true
		for _, k := range b.keys {
			known[k.name] = true
		}
	}
	// Everything that can be wrong at once is.
	c := fsm.Config{
		Settings: fsm.Settings{Profile: "x", DataPlane: "x", Observers: -1, Timeouts: fsm.Timeouts{TCP: -1, TCPFin: -1, UDP: -1}, Sync: fsm.Sync{
			Transport: "x", Interface: "/", Group: "x", Port: -1, SyncID: -1, MaxLen: -1, TTL: -1, Threshold: "x", Refresh: -1, Ports: -1, Queue: -1, SockSize: -1,
		}},
		Groups: map[string]fsm.Group{"a b": {Name: "a b", Prefer: []fsm.NodeID{"X"}}},
		VIPs:   map[string]fsm.VIP{"a b": {Name: "c", Network: "/", Interface: "/", Group: "none", Prefer: []fsm.NodeID{"X"}, Preempt: true}},
		NodeChecks: map[string]fsm.NodeCheck{"a b": {Name: "c", Required: true, Weight: 1, VIPs: []string{"none"}, Groups: []string{"none"}, Nodes: []fsm.NodeID{"X"}, Checks: []fsm.Check{
			{Type: fsm.CheckTCP, Through: "x"}, {Type: fsm.CheckScript, Script: &fsm.ScriptCheck{User: ":", DynamicWeight: true}}, {Type: fsm.CheckFile, File: &fsm.FileCheck{Missing: "x", Multiplier: -1}},
			{Type: fsm.CheckProcess, Process: &fsm.ProcessCheck{Arguments: []string{"\x00"}, Least: -1, Most: -1, Delay: -1}}, {Type: fsm.CheckInterface, Link: &fsm.LinkCheck{}},
		}}},
		Services: map[string]fsm.Service{"s": {
			Name: "s", VIP: "none", Masquerade: true, Inhibit: true,
			Health: fsm.Health{Checks: "9", Observers: "x", Panic: "x", OnDown: fsm.ShutdownConns, DampingAfter: -1, DampingHold: -1, DampingMax: -2, DampingQuiet: -1},
			Checks: []fsm.Check{
				{}, {Type: fsm.CheckHTTP, HTTP: &fsm.HTTPCheck{HTTPRequest: fsm.HTTPRequest{Host: "/", Status: []fsm.StatusRange{{}}}}}, {Type: fsm.CheckTCP, HTTP: &fsm.HTTPCheck{}},
				{Type: fsm.CheckTCP, TCP: &fsm.TCPCheck{Send: "\xff", SendHex: "x", Expect: "\xff", ExpectRegex: "("}, TLS: &fsm.TLSCheck{CA: "/x"}},
				{Type: fsm.CheckHTTPS, TLS: &fsm.TLSCheck{On: true, ServerName: "/", CA: "x", Certificate: "x"}}, {Type: fsm.CheckHTTPS, TLS: &fsm.TLSCheck{Key: "x"}},
				{Type: fsm.CheckHTTP, HTTP: &fsm.HTTPCheck{Version: "x", Headers: []string{"x"}, Redirects: -1, HTTPRequest: fsm.HTTPRequest{Method: "x", Contains: "\xff", Regex: "(", NotRegex: "(", MD5: "x", SHA256: "x"}}},
				{Type: fsm.CheckHTTP, HTTP: &fsm.HTTPCheck{HTTPRequest: fsm.HTTPRequest{Path: "/", Regex: "x"}, URLs: []fsm.HTTPRequest{{Path: "x"}}}},
				{Type: fsm.CheckGRPC, GRPC: &fsm.GRPCCheck{Service: "\n"}}, {Type: fsm.CheckSMTP, SMTP: &fsm.SMTPCheck{Helo: " ", StartTLS: true}, TLS: &fsm.TLSCheck{On: true}}, {Type: fsm.CheckPing, Port: 1},
				{Type: fsm.CheckDNS, DNS: &fsm.DNSCheck{Name: "..", Record: "x", Rcode: "x", Answer: "\n", Transport: "x"}},
				{Type: fsm.CheckUDP, UDP: &fsm.UDPCheck{Payload: "x", Text: "x", Reply: "y", MinReply: -1, MaxReply: -1}},
				{Type: fsm.CheckAgent, Agent: &fsm.AgentCheck{Send: strings.Repeat("x", 300)}},
				{Type: fsm.CheckPostgres, Postgres: &fsm.PostgresCheck{User: "\n", Database: "\n"}}, {Type: fsm.CheckRedis, Redis: &fsm.RedisCheck{Role: "x"}},
			},
			Servers: []fsm.Server{{Weight: -1}, {Weight: -1}},
		}},
	}
	keys := map[string]bool{}
	for _, p := range c.Validate() {
		keys[p.Key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !known[key] {
			t.Errorf("problems speak of a key %q that files do not have", key)
		}
	}
	if len(keys) < 40 {
		t.Errorf("only %d keys had problems: %v", len(keys), keys)
	}
}
