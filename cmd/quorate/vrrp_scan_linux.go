package main

import (
	"net/netip"

	"quorate/agent"
	"quorate/agent/survey"
	"quorate/fsm"
)

func knownHere(cluster string, c fsm.Config, nodes map[netip.Addr]string) (survey.Known, error) {
	return agent.KnownHere(cluster, c, nodes)
}
