package main

import (
	"context"
	"log/slog"

	"quorate/agent"
	"quorate/config"
)

// runAgent runs the daemon until ctx ends.
func runAgent(ctx context.Context, c config.AgentConfig, log *slog.Logger) error {
	return agent.New(agent.Options{
		Name: c.Name, Bind: c.Bind, Advertise: c.Advertise, DataDir: c.DataDir, Socket: c.Socket, HTTP: c.HTTP,
		Role: c.Role, Zone: c.Zone, Weight: c.Weight, Fence: c.Fence, Version: buildVersion(), Log: log,
	}).Run(ctx)
}
