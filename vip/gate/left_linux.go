package gate

import (
	"os"
	"path/filepath"
)

// Left reports whether the kernel holds a gate in this network namespace, as a process that was killed leaves it, as far as
// this process has the rights to look. It changes nothing.
func Left() bool {
	if name, err := namespaceName(); err == nil {
		if _, err := os.Stat(filepath.Join(pinRoot, name)); err == nil {
			return true
		}
	}
	tables, err := existing()
	return err == nil && len(tables) > 0
}
