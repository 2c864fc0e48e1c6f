package target

import (
	"os"
	"slices"
	"testing"

	"quorate/health"
)

// TestScriptsOfANode: a script learns of its node before what else it is told, and is run as root by no default.
func TestScriptsOfANode(t *testing.T) {
	c := Scripts{Node: "n1"}.command(health.Script{Command: []string{"/bin/true", "x"}, Env: []string{"QUORATE_PORT=80"}})
	if !slices.Equal(c.Args, []string{"/bin/true", "x"}) || !slices.Equal(c.Env, []string{"QUORATE_NODE=n1", "QUORATE_PORT=80"}) {
		t.Errorf("%+v", c)
	}
	switch {
	case os.Geteuid() != 0 && c.User != "":
		t.Errorf("who is not root would run it as %q", c.User)
	case os.Geteuid() == 0 && c.User != "nobody" && c.User != scriptUser:
		t.Errorf("root would run it as %q", c.User)
	}
	if c := (Scripts{}).command(health.Script{User: "root"}); c.User != "root" {
		t.Errorf("the user that is named became %q", c.User)
	}
}
