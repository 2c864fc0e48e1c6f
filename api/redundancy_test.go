package api

import (
	"strings"
	"testing"
)

func TestRedundancy(t *testing.T) {
	for voters, want := range map[int]string{
		1: "without n1 every VIP is off", 2: "the loss of either stops every VIP", 3: "", 4: "4 voters survive the loss of 1, no more than 3 would",
		5: "", 6: "6 voters survive the loss of 2, no more than 5 would",
	} {
		got := redundancy(voters, "n1")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%d voters: %q, want %q", voters, got, want)
		}
	}
}
