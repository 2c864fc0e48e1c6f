package agent

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"quorate/cluster"
	"quorate/fsm"
)

// TestSurvivors: who lives on when this node has ended, and has a quorum. It decides about priority 0: said beside a survivor, peers take the VIPs only to give them back; unsaid
// without one, they wait for three intervals.
func TestSurvivors(t *testing.T) {
	for _, c := range []struct {
		members string // each with its marks: voter, alive, self
		untaken bool
		want    string
	}{
		{"", false, "nobody knows"},
		{"n1=as n2=a n3=a", false, "nobody knows"}, // the log is closed, and who votes is not known any more
		{"n1=vas", false, "map[]"},
		{"n1=vas n2=va", false, "map[]"}, // one of two is no majority
		{"n1=vas n2=va n3=va", false, "map[n2:true n3:true]"},
		{"n1=vas n2=va n3=v", false, "map[]"},
		{"n1=vas n2=va n3=v n4=va n5=va", false, "map[n2:true n4:true n5:true]"},
		{"n1=vas n2=v n3=v n4=va n5=va", false, "map[]"},
		{"n1=vas n2=va n3=va n4=a n5=", false, "map[n2:true n3:true n4:true]"}, // n4 may get VIPs, and does not vote
		{"n1=vas n2=va n3=v n4=a n5=a", false, "map[]"},
		{"n1=as n2=va", false, "map[n2:true]"},
		{"n1=vas n2=va n3=va", true, "map[]"}, // they have a quorum, and take nothing
		{"", true, "map[]"},
	} {
		var members []cluster.Member
		for _, m := range strings.Fields(c.members) {
			id, marks, _ := strings.Cut(m, "=")
			members = append(members, cluster.Member{ID: fsm.NodeID(id), Voter: strings.Contains(marks, "v"), Alive: strings.Contains(marks, "a"), Self: strings.Contains(marks, "s")})
		}
		got := survivors(members, c.untaken)
		text := fmt.Sprint(got)
		if got == nil {
			text = "nobody knows"
		}
		if text != c.want {
			t.Errorf("%s, untaken %t: %s, want %s", c.members, c.untaken, text, c.want)
		}
	}
}

// TestUntaken: a leader that had the time to begin, and did not, gives to nobody what a node that ends has.
func TestUntaken(t *testing.T) {
	for _, c := range []struct {
		led    time.Duration
		moving bool
		want   bool
	}{
		{0, false, false},
		{yieldNotice/2 - time.Millisecond, false, false},
		{yieldNotice / 2, false, true},
		{yieldLimit, false, true},
		{yieldLimit, true, false},
	} {
		if got := isUntaken(c.led, c.moving); got != c.want {
			t.Errorf("led for %v, moving %t: %t", c.led, c.moving, got)
		}
	}
}
