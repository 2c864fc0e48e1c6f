//go:build !linux

package main

import (
	"fmt"
	"runtime"
)

// salvage says that there is no data directory of an agent here.
func salvage(string, bool, string) (remains, error) {
	return remains{}, fmt.Errorf("agents run on Linux only, and this is %s: run this on the node", runtime.GOOS)
}
