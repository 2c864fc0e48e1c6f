package agent

import (
	"quorate/agent/target"
	"quorate/health"
)

// means are those by which this node asks itself.
func (a *Agent) means() health.Local {
	return health.Local{Runner: target.Scripts{Node: a.o.Name}, Watch: a.news}
}
