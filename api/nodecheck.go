package api

import (
	"fmt"
	"time"

	"quorate/fsm"
)

// NodeCheckStatus is a check of nodes as a node carries it out.
type NodeCheckStatus struct {
	Name     string            `json:"name"`
	Required bool              `json:"required,omitempty" doc:"While it is down the node may not own the VIPs that it is about"`
	Weight   int               `json:"weight,omitempty" doc:"What the node loses while it is down"`
	Verdict  fsm.Verdict       `json:"verdict" enum:"unknown,up,down" doc:"As it is agreed"`
	Detail   string            `json:"detail,omitempty" doc:"Why it is down"`
	Since    time.Time         `json:"since,omitzero"`
	Found    fsm.Verdict       `json:"found" enum:"unknown,up,down" doc:"What the node finds; what is agreed follows as soon as the leader hears of it"`
	Probes   []NodeProbeStatus `json:"probes,omitempty" doc:"All of them have to pass"`
}

// NodeProbeStatus is one of the checks in it.
type NodeProbeStatus struct {
	Type    fsm.CheckType `json:"type" example:"process"`
	Verdict fsm.Verdict   `json:"verdict" enum:"unknown,up,down"`
	Detail  string        `json:"detail,omitempty" doc:"What the last probe saw"`
	At      time.Time     `json:"at,omitzero" doc:"When that was"`
	TookUS  int64         `json:"took_us"`
}

// consequence is the end of a sentence about a check that is down.
func (c NodeCheckStatus) consequence() string {
	if c.Required {
		return ", and it may not own the VIPs that need it"
	}
	return fmt.Sprintf(", and it loses %d", -c.Weight)
}
