//go:build !linux

package realserver

import (
	"fmt"
	"runtime"
)

// Open says that there is no such host here: real servers are prepared in the Linux kernel.
func Open(string) (*Server, error) {
	return nil, fmt.Errorf("real servers are prepared on Linux only, and this is %s: run this on the real server", runtime.GOOS)
}
