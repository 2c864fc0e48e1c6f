package config

import (
	"github.com/zclconf/go-cty/cty"

	"quorate/fsm"
)

// The table of an agent's own settings.

var agentFile = &block{
	doc: "What one machine's agent has to know before it is part of a cluster. Flags of `quorate agent` go before the file.",
	keys: []key{
		text("name", func(a *AgentConfig) *fsm.NodeID { return &a.Name },
			"The node's name, unique in the cluster. Left out: the host name."),
		text("bind", func(a *AgentConfig) *string { return &a.Bind },
			"Address on which the other nodes reach this one, as `ADDRESS` or `ADDRESS:PORT` (port 7300 if none is given). The port is used with TCP and UDP, and the two after it with UDP. It has to be given here or as a flag."),
		text("advertise", func(a *AgentConfig) *string { return &a.Advertise },
			"Address that the other nodes are told, where it is not the one of `bind`."),
		text("data_dir", func(a *AgentConfig) *string { return &a.DataDir },
			"Directory of the node's identity and its copy of what the cluster has agreed. It belongs to one machine and is never copied to another.").
			or(cty.StringVal("/var/lib/quorate")),
		text("socket", func(a *AgentConfig) *string { return &a.Socket }, "Unix socket on which the agent answers commands.").
			or(cty.StringVal("/run/quorate/quorate.sock")),
		text("http", func(a *AgentConfig) *string { return &a.HTTP },
			"TCP address on which the API answers besides, as `ADDRESS:PORT`, or `:PORT` for loopback only. Left out: none."),
		text("role", func(a *AgentConfig) *fsm.Role { return &a.Role },
			"`director`: owns VIPs; `witness`: votes only.").
			or(cty.StringVal(string(fsm.Director))).oneOf(string(fsm.Director), string(fsm.Witness)),
		text("zone", func(a *AgentConfig) *string { return &a.Zone }, "Where the machine stands, e.g. its room or power supply."),
		number("weight", func(a *AgentConfig) *int { return &a.Weight },
			"Share of the VIPs relative to the other nodes; 0 = owns none unless preferred.").
			or(cty.NumberIntVal(1)).within("0 to 65535"),
		text("fence", func(a *AgentConfig) *string { return &a.Fence },
			"What silences this node's addresses when its lease has run out. `auto`: the strongest that the kernel and the agent's rights allow; `bpf` or `nft`: that one, and without it this node owns no VIP; `address-lifetime`: no gate, only the whole seconds that the kernel keeps an address which nobody renews.").
			or(cty.StringVal("auto")).oneOf(Fences...),
	},
}
