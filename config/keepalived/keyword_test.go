package keepalived

import (
	"fmt"
	"strings"
	"testing"
)

const aKey = "hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

const oneInstance = "vrrp_instance V {\nvirtual_router_id 9\ninterface eth0\nvirtual_ipaddress {\n192.0.2.10/24\n}\ntrack_script {\ns\n}\ntrack_process {\np\n}\ntrack_file {\nf\n}\ntrack_bfd {\nb\n}\n}\n"

// places are well-formed configurations with a place (%s) for one more directive of a block.
var places = map[string]string{
	"the file":           "%s\n",
	"global_defs":        "global_defs {\n%s\n}\n",
	"vrrp_instance":      "vrrp_instance V {\nvirtual_router_id 7\nvirtual_ipaddress {\n192.0.2.10/24\n}\n%s\n}\n",
	"authentication":     "vrrp_instance V {\nvirtual_router_id 7\nvirtual_ipaddress {\n192.0.2.10/24\n}\nauthentication {\nauth_type PASS\nauth_pass one\n%s\n}\n}\n",
	"auth_hmac":          "vrrp_instance V {\nvirtual_router_id 7\nvirtual_ipaddress {\n192.0.2.10/24\n}\nauth_hmac {\nkey 1 " + aKey + "\nactive_key 1\n%s\n}\n}\n",
	"vrrp_sync_group":    oneInstance + "vrrp_sync_group G {\ngroup {\nV\n}\n%s\n}\n",
	"vrrp_script":        "vrrp_script s {\nscript /bin/s\n%s\n}\n" + oneInstance,
	"vrrp_track_process": "vrrp_track_process p {\nprocess p\n%s\n}\n" + oneInstance,
	"track_file":         "track_file f {\nfile /run/f\n%s\n}\n" + oneInstance,
	"vrrp_track_file":    "vrrp_track_file f {\nfile /run/f\n%s\n}\n" + oneInstance,
	"track_group":        "track_group g {\n%s\n}\n",
	"garp_group":         "garp_group {\n%s\n}\n",
	"bfd_instance":       "bfd_instance b {\nneighbor_ip 192.0.2.1\n%s\n}\n" + oneInstance,
	"SSL":                "SSL {\n%s\n}\n" + inServer("SSL_GET {\nurl {\npath /\n}\n}"),
	"virtual_server":     "virtual_server 192.0.2.10 80 {\nprotocol UDP\nlb_algo sh\nquorum 3\n%s\nreal_server 10.0.0.1 80 {\nTCP_CHECK {\n}\n}\n}\n",
	"real_server":        inServer("%s"),
	"TCP_CHECK":          inServer("TCP_CHECK {\n%s\n}"),
	"PING_CHECK":         inServer("PING_CHECK {\n%s\n}"),
	"UDP_CHECK":          inServer("UDP_CHECK {\n%s\n}"),
	"DNS_CHECK":          inServer("DNS_CHECK {\n%s\n}"),
	"MISC_CHECK":         inServer("MISC_CHECK {\nmisc_path /bin/m\n%s\n}"),
	"SMTP_CHECK":         inServer("SMTP_CHECK {\n%s\n}"),
	"host":               inServer("SMTP_CHECK {\nhost {\n%s\n}\n}"),
	"HTTP_GET":           inServer("HTTP_GET {\nurl {\npath /\n}\n%s\n}"),
	"SSL_GET":            inServer("SSL_GET {\nurl {\npath /\n}\n%s\n}"),
	"url":                inServer("HTTP_GET {\nurl {\npath /\n%s\n}\n}"),
	"FILE_CHECK":         "track_file f {\nfile /run/f\n}\n" + inServer("FILE_CHECK {\n%s\n}"),
	"BFD_CHECK":          "bfd_instance b {\nneighbor_ip 10.0.0.1\n}\n" + inServer("BFD_CHECK {\n%s\n}"),
}

func inServer(s string) string {
	return "virtual_server 192.0.2.10 80 {\nprotocol TCP\nreal_server 10.0.0.1 80 {\n" + s + "\n}\n}\n"
}

// values of keywords for which a number will not do.
var fitting = map[string]string{
	"weight": "5", "priority": "120", "virtual_server": "192.0.2.77 80", "real_server": "10.0.0.9 80", "sorry_server": "10.0.0.8 80", "sorry_server_lvs_method": "DR",
	"lvs_timeouts": "tcp 900", "lvs_sched": "rr", "lb_algo": "rr", "persistence_granularity": "255.255.255.0", "persistence_engine": "sip", "lthreshold": "0", "misc_path": "/bin/x", "script": "/bin/x",
	"notify": "/bin/n", "status_code": "200-204", "digest": strings.Repeat("ab", 16), "payload": "00ff", "regex_options": "caseless", "url": "", "lvs_method": "NAT", "lb_kind": "NAT", "track_file": "f",
	"notify_fifo": "/run/a", "vrrp_notify_fifo": "/run/b", "lvs_notify_fifo": "/run/c", "lvs_sync_daemon": "eth1 id 7", "certificate": "/a", "auth_hmac/key": "2 " + aKey, "auth_type": "PASS", "active_key": "1", "BFD_CHECK/name": "b", "interval": "3", "timeout": "1", "file": "/run/f",
}

// contentOf is what a block needs inside.
var contentOf = map[string]string{
	"url": "path /", "HTTP_GET": "url {\npath /\n}", "SSL_GET": "url {\npath /\n}", "MISC_CHECK": "misc_path /bin/m", "vrrp_instance": "virtual_router_id 8\nvirtual_ipaddress {\n192.0.2.70/24\n}", "authentication": "auth_type PASS\nauth_pass one", "auth_hmac": "key 1 " + aKey + "\nactive_key 1",
	"virtual_server": "protocol TCP", "virtual_ipaddress": "192.0.2.71/24", "virtual_ipaddress_excluded": "192.0.2.72/24", "unicast_peer": "192.0.2.5", "interface_up_down_delays": "eth0 1",
	"virtual_server_group": "192.0.2.73 80", "track_interface": "eth5", "track_script": "s", "track_process": "p", "track_file": "f", "group": "V", "vrrp_sync_group": "", "static_ipaddress": "192.0.2.6/24",
	"notification_email": "a@example.org", "linkbeat_interfaces": "eth0", "static_routes": "192.0.2.0/24 via 192.0.2.1", "static_rules": "from 192.0.2.1", "virtual_routes": "192.0.2.0/24 via 192.0.2.1",
	"virtual_rules": "from 192.0.2.1", "interfaces": "eth0", "track_bfd": "b",
}

// alone are keywords that are a mistake when nothing else is said: of those the mistake is what has to be found.
var alone = map[string]bool{
	"vrrp_script": true, "vrrp_track_process": true, "vrrp_sync_group": true, "track_script": true, "track_process": true, "track_file": true, "group": true,
	"regex_no_match": true, "regex_options": true, "hysteresis": true, "connect_port": true, "mh-port": true, "mh-fallback": true, "flag-3": true, "sorry_server_lvs_method": true, "enable_sni": true, "sni_name": true,
}

// TestEveryKeywordInItsPlace: of each keyword of the table, in a configuration that is well-formed, something becomes, and it is no mistake.
func TestEveryKeywordInItsPlace(t *testing.T) {
	n := 0
	var walk func(l *level)
	walk = func(l *level) {
		around, ok := places[l.name]
		if !ok {
			t.Errorf("no place for what stands in %s", l.name)
			return
		}
		for _, k := range l.keywords {
			n++
			line := k.name
			if v, ok := fitting[l.name+"/"+k.name]; ok {
				line += " " + v
			} else if v, ok := fitting[k.name]; ok && len(k.values) > 0 {
				line += " " + v
			} else {
				for _, v := range k.values {
					if !v.optional {
						line += " " + sample(k.name, v)
					}
				}
			}
			if k.inside != nil || k.entries != nil {
				line += " {\n" + contentOf[k.name] + "\n}"
			}
			before, _, _ := strings.Cut(around, "%s")
			at := strings.Count(before, "\n") + 1
			text := fmt.Sprintf(around, line)
			r, err := Import(Options{Files: tree("k.conf", text)}, []Director{{Name: "lb1", File: "k.conf"}})
			if err != nil {
				t.Errorf("%s in %s: %v", k.name, l.name, err)
				continue
			}
			whole(t, r)
			found := 0
			for _, f := range r.Findings {
				if f.Line != at {
					continue
				}
				found++
				if (f.Class == Mistake) && !alone[k.name] {
					t.Errorf("%s in %s: %v", k.name, l.name, f)
				}
			}
			if found == 0 {
				t.Errorf("%s in %s: nothing has become of it:\n%s", k.name, l.name, text)
			}
			if k.inside != nil {
				walk(k.inside)
			}
		}
	}
	walk(fileLevel)
	if n < 400 {
		t.Errorf("the table has only %d keywords", n)
	}
}

// TestTableIsWhole: no keyword stands twice in a block, and each has either a fate or a mapping.
func TestTableIsWhole(t *testing.T) {
	var walk func(l *level)
	walk = func(l *level) {
		seen := map[string]bool{}
		for _, k := range l.keywords {
			if seen[k.name] {
				t.Errorf("%s: %s is there twice", l.name, k.name)
			}
			seen[k.name] = true
			if k.old != "" && l.find(k.old) == nil {
				t.Errorf("%s: %s is another spelling of %s, which is not there", l.name, k.name, k.old)
			}
			if k.fate != mapping && k.fate.what == "" {
				t.Errorf("%s: %s has a fate without a reason", l.name, k.name)
			}
			if k.inside != nil {
				walk(k.inside)
			}
		}
	}
	walk(fileLevel)
}
