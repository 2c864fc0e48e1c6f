//go:build !linux

package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"

	"quorate/config"
)

// runAgent says that there is no agent here: it works on the Linux kernel's addresses and tables.
func runAgent(context.Context, config.AgentConfig, *slog.Logger) error {
	return fmt.Errorf("the agent runs on Linux only, and this is %s; the other commands work here, with --socket http://ADDRESS:PORT of an agent "+
		"(for example through ssh -L)", runtime.GOOS)
}
