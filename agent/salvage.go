package agent

import (
	"log/slog"

	"quorate/cluster"
)

// OpenSalvage opens the data directory of an agent that does not run, to make a new cluster of what it knows.
func OpenSalvage(dataDir string, log *slog.Logger) (*cluster.Salvage, error) {
	return cluster.OpenSalvage(cluster.Disk(dataDir, log))
}
