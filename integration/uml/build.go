package uml

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// BuildTest compiles the tests of a package into the file to, statically, so that they run in a guest. It runs the go
// command in the current directory's module.
func BuildTest(ctx context.Context, pkg, to string) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-o", to, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compiling the tests of %s: %w\n%s", pkg, err, out)
	}
	return nil
}
