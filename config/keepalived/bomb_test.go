package keepalived

import (
	"errors"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// manyAddresses reads what follows it 65,024 times.
const manyAddresses = "~SEQ(A,0,255) ~SEQ(B,0,253) "

// beyond are the bombs that are tried with 65,024 as well: those that are the whole of what keepalived's manual shows, and those that cost most.
var beyond = map[string]bool{"instances": true, "addresses": true, "virtual servers": true, "servers": true, "scripts": true, "unknown blocks": true, "tracked links": true}

// worked is how long this process has had a processor so far: what a machine that has others to serve first makes of that is no matter of an import.
func worked(t *testing.T) time.Duration {
	t.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// TestBombs: a few lines that stand for tens of thousands of instances, scripts, servers or lines of a list end soon, in bounded memory: with a configuration, or with an
// error that says which limit was passed and what to do.
func TestBombs(t *testing.T) {
	const one = "vrrp_instance V {\nvirtual_router_id 1\ninterface eth0\nvirtual_ipaddress {\n192.0.2.1/24\n}\n"
	server := "virtual_server 192.0.2.1 80 {\nprotocol TCP\n"
	for name, text := range map[string]string{
		"instances":         "$I=\\\nvrrp_instance V_${A}_${B} {\\\nvirtual_ipaddress { 10.1.${A}.${B} }\\\n}\n\n" + manyAddresses + "$I\n",
		"one address":       "$I=\\\nvrrp_instance V_${A}_${B} {\\\nvirtual_ipaddress { 10.1.1.1 }\\\n}\n\n" + manyAddresses + "$I\n",
		"one name":          "$I=\\\nvrrp_instance V {\\\nvirtual_ipaddress { 10.1.${A}.${B} }\\\n}\n\n" + manyAddresses + "$I\n",
		"no address":        manyAddresses + "vrrp_instance V_${A}_${B} { }\n",
		"addresses":         "vrrp_instance V {\nvirtual_ipaddress {\n" + manyAddresses + "10.1.$A.$B\n}\n}\n",
		"groups":            one + "}\n" + manyAddresses + "vrrp_sync_group G_${A}_$B { group { V } }\n",
		"members":           one + "}\nvrrp_sync_group G {\ngroup {\n" + manyAddresses + "V_${A}_$B\n}\n}\n",
		"scripts":           one + "track_script {\n" + manyAddresses + "s_${A}_$B\n}\n}\n" + "$S=\\\nvrrp_script s_${A}_$B {\\\nscript /bin/true\\\n}\n\n" + manyAddresses + "$S\n",
		"tracked":           one + "track_script {\n" + manyAddresses + "s\n}\n}\nvrrp_script s {\nscript /bin/true\n}\n",
		"tracked links":     one + "track_interface {\n" + manyAddresses + "e_${A}_$B\n}\n}\n",
		"weights":           one + "track_script {\n" + manyAddresses + "s weight $A\n}\n}\nvrrp_script s {\nscript /bin/true\n}\n",
		"virtual servers":   manyAddresses + "virtual_server 10.1.$A.$B 80 { protocol TCP\n",
		"services":          "$I=\\\nvirtual_server 10.1.${A}.${B} 80 {\\\nprotocol TCP\\\n}\n\n" + manyAddresses + "$I\n",
		"same service":      "$I=\\\nvirtual_server 10.1.1.1 80 {\\\nprotocol TCP\\\n}\n\n" + manyAddresses + "$I\n",
		"ports":             "$I=\\\nvirtual_server 10.1.1.1 ${P} {\\\nprotocol TCP\\\n}\n\n~SEQ(P,1,65000) $I\n",
		"servers":           server + manyAddresses + "real_server 10.1.$A.$B 80 { }\n}\n",
		"same server":       server + manyAddresses + "real_server 10.1.1.1 80 { }\n}\n",
		"checks":            server + "real_server 10.1.1.1 80 {\n" + manyAddresses + "TCP_CHECK { connect_port 8$B }\n}\n}\n",
		"checks of servers": server + manyAddresses + "real_server 10.1.$A.$B 80 { TCP_CHECK { } }\n}\n",
		"files":             "track_file f {\nfile /run/f\n}\n" + server + "$R=\\\nreal_server 10.1.$A.$B 80 {\\\nFILE_CHECK { track_file f }\\\n}\n\n~SEQ(A,0,100) ~SEQ(B,0,253) $R\n}\n",
		"sessions":          "bfd_instance b { neighbor_ip 10.0.0.1\n}\n" + server + "real_server 10.1.1.1 80 {\n" + manyAddresses + "BFD_CHECK { name b$A }\n}\n}\n",
		"group of servers":  "virtual_server_group g {\n" + manyAddresses + "10.1.$A.$B 80\n}\nvirtual_server group g {\nprotocol TCP\nreal_server 10.2.0.1 80 { }\n}\n",
		"range of servers":  "virtual_server_group g {\n10.1.0.0-255 80\n10.1.0.0/8 80\n2001:db8::0-ffff 80\n}\nvirtual_server group g {\nprotocol TCP\nreal_server 10.2.0.1 80 { }\n}\n",
		"mail":              "global_defs {\nsmtp_server 192.0.2.1\nnotification_email {\n" + manyAddresses + "a$A.$B@example.org\n}\nsmtp_alert true\n}\n" + one + "}\n",
		"unknown words":     manyAddresses + "unknown_${A}_$B x\n",
		"unknown blocks":    manyAddresses + "unknown_${A}_$B {\n",
		"three sequences":   "~SEQ(A,0,255) ~SEQ(B,0,255) ~SEQ(C,0,255) x $A $B $C\n",
		"growing":           "$A=x\n" + strings.Repeat("$A=$A$A$A$A\n", 60) + "$A\n",
		"priorities":        one + manyAddresses + "priority $A\n}\n",
		"peers":             one + "unicast_peer {\n" + manyAddresses + "10.1.$A.$B\n}\n}\n",
		"definitions":       manyAddresses + "$X_${A}_$B=1\n",
		"lists":             "~LST({A,B}," + strings.Repeat("{1,2},", 20_000) + "{3,4}) x $A\n",
		"depth":             strings.Repeat("a {\n", 100_000),
		"quotes":            strings.Repeat("script \"a 'b\n", 50_000),
	} {
		counts := []string{"60"} // within the limit of lines
		if beyond[name] {
			counts = append(counts, "255")
		}
		for _, last := range counts {
			t.Run(name+" "+last, func(t *testing.T) {
				text := strings.ReplaceAll(text, manyAddresses, "~SEQ(A,0,"+last+") ~SEQ(B,0,253) ")
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				begin := worked(t)
				r, err := Import(Options{Files: tree("k.conf", text)}, []Director{{Name: "lb1", File: "k.conf"}})
				took := worked(t) - begin
				runtime.ReadMemStats(&after)
				if err != nil && (!errors.Is(err, ErrTooMuch) && !strings.Contains(err.Error(), "limit") || !strings.Contains(err.Error(), "k.conf")) {
					t.Errorf("not a clear error: %v", err)
				}
				if err == nil && len(r.Findings) == 0 {
					t.Error("neither an error nor a finding")
				}
				if used := after.TotalAlloc - before.TotalAlloc; took > 20*time.Second || used > 2<<30 {
					t.Errorf("it took %v and %d MiB", took, used>>20)
				}
			})
		}
	}
}
