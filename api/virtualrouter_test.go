package api

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"quorate/fsm"
)

// TestVirtualRouters: what is configured and agreed of each, whichever way it is written, without its secrets; and what that means for the VIPs of its group.
func TestVirtualRouters(t *testing.T) {
	st := fsm.New()
	legacy := netip.MustParseAddr("192.0.2.5")
	secret := "1:" + strings.Repeat("5a", 32)
	vip := func(name, address, group, router string) fsm.VIP {
		return fsm.VIP{Name: name, Address: netip.MustParsePrefix(address), Group: group, Router: router}
	}
	db := vip("db", "192.0.2.30/24", "", "")
	db.Mode, db.VRRP = fsm.ShadowMode, &fsm.VirtualRouter{VRID: 52, Version: 2, Interval: 2 * time.Second, Password: "hunter2", NoPreempt: true, NoYield: true}
	st.Config = fsm.Config{
		Groups:  map[string]fsm.Group{"g": {Name: "g"}},
		Routers: map[string]fsm.VirtualRouter{"VI_1": {VRID: 51, Peers: []netip.Addr{legacy}, HMACKeys: []string{secret}}, "unused": {VRID: 9}},
		VIPs: map[string]fsm.VIP{"web": vip("web", "192.0.2.11/24", "g", "VI_1"), "app": vip("app", "192.0.2.12/24", "g", "VI_1"),
			"lone": vip("lone", "192.0.2.20/24", "g", ""), "db": db},
	}
	for name, owner := range map[string]fsm.NodeID{"web": "n1", "app": "n1", "lone": "n1", "db": "n2"} {
		k := st.Config.VIPs[name].Key()
		st.Assignments[k] = fsm.Assignment{Key: k, VIP: name, Owner: owner}
	}
	byName := func() map[string]RouterStatus {
		out := map[string]RouterStatus{}
		for _, r := range virtualRoutersOf(st) {
			out[r.Name] = r
		}
		return out
	}
	rs := byName()
	if r := rs["VI_1"]; r.Owner != "n1" || r.Authentication != "hmac" || r.HMACMode != fsm.HMACEnforce || r.Version != 3 || r.Priority != 254 || !r.Preempt || !r.Yield || r.Mode != "live" ||
		r.IntervalMS != 1000 || r.MasterDownMS != 3007 || strings.Join(r.VIPs, " ") != "app web" || r.Addresses[0] != netip.MustParseAddr("192.0.2.12") || r.Foreign != nil {
		t.Errorf("VI_1 is %+v", r)
	}
	if r := rs["db"]; r.Owner != "n2" || r.Authentication != "password" || r.Version != 2 || r.Preempt || r.Yield || r.Mode != "shadow" || r.MasterDownMS != 6007 {
		t.Errorf("db is %+v", r)
	}
	if r := rs["unused"]; r.Owner != "" || r.VIPs == nil || r.Addresses == nil || r.Authentication != "none" {
		t.Errorf("unused is %+v", r)
	}
	text, err := json.Marshal(rs)
	if err != nil || strings.Contains(string(text), "5a5a") || strings.Contains(string(text), "hunter2") {
		t.Errorf("%v: %s", err, text)
	}

	// A group that is torn apart has no single owner.
	k := st.Config.VIPs["web"].Key()
	st.Assignments[k] = fsm.Assignment{Key: k, VIP: "web", Owner: "n2"}
	if r := byName()["VI_1"]; r.Owner != "" {
		t.Errorf("VI_1 is %+v", r)
	}

	st.Foreign = map[string]fsm.ForeignOwner{"VI_1": {Source: legacy, Priority: 255, Better: true, Index: 9}}
	for _, name := range []string{"web", "app", "lone"} {
		k := st.Config.VIPs[name].Key()
		st.Assignments[k] = fsm.Assignment{Key: k, VIP: name, Reason: fsm.Reason{Code: fsm.ReasonForeignOwner}}
	}
	if f := byName()["VI_1"].Foreign; f == nil || f.Source != legacy {
		t.Errorf("VI_1 has the foreign owner %+v", f)
	}
	for _, v := range vipsOf(st, reports{"n2": {}}) {
		router := map[string]string{"web": "VI_1", "app": "VI_1", "db": "db"}[v.Name]
		if v.VirtualRouter != router || (v.Foreign != nil) != (v.Name != "db") || (v.State == VIPForeign) != (v.Name != "db") || v.Foreign != nil && (v.ForeignBy != "VI_1" || v.Problem != "") {
			t.Errorf("%s is %+v", v.Name, v)
		}
	}
}
