package config

import (
	"time"

	"github.com/zclconf/go-cty/cty"

	"quorate/fsm"
)

// healthBlock is what a service makes of its checks.
var healthBlock = &block{
	name: "health", once: true,
	doc: "What the service makes of its checks: who decides, and what becomes of servers that fail. See health.md.",
	keys: []key{
		word("checks", "all", func(h *fsm.Health) *string { return &h.Checks },
			"How many of a server's checks have to pass for an observer to see it up: `\"all\"`, `\"any\"`, or a number of them. Left out: `all`."),
		policy("observers", "majority", func(h *fsm.Health) *fsm.ObserverPolicy { return &h.Observers },
			"How the views of the observers make a verdict. `majority`: of those that are alive; `any`: up while one of them sees it up; `all`: up while all of them do; `owner`: the owner of the VIP alone decides, as with keepalived. Left out: `majority`.").
			oneOf("majority", string(fsm.ByAny), string(fsm.ByAll), string(fsm.ByOwner)),
		text("panic", func(h *fsm.Health) *string { return &h.Panic },
			"When more than this share of the service's servers goes down at once, they stay in the table until enough are up again. `\"50%\"`: more than half of them; `\"all\"`: none would be left; `\"off\"`: never. Left out: `all`, or `off` with a `sorry_server`."),
		policy("on_down", "drop", func(h *fsm.Health) *fsm.OnDown { return &h.OnDown },
			"What becomes of the connections of a server that goes down. `drop`: it leaves the table, and they get what the kernel does then: IPVS ends them at their next packet, nftables lets them go on; `keep`: it stays with weight 0, and they go on as long as it answers; `shutdown`: they are ended at their next packet from the client, which is reset over TCP; nftables needs `nf_conntrack_netlink` for it and cannot do it with `fwmark`. Left out: `drop`.").
			oneOf("drop", string(fsm.KeepConns), string(fsm.ShutdownConns)),
		unless("damping", func(h *fsm.Health) *bool { return &h.NoDamping },
			"Hold a server down that goes down again and again soon after it came up. `damping_hold`, doubled each time, up to `damping_max`. Nothing is held while no other server of the service is up."),
		number("damping_after", func(h *fsm.Health) *int { return &h.DampingAfter },
			"From how many falls in a row on. Left out: 3.").within("1 to 100"),
		duration("damping_hold", func(h *fsm.Health) *time.Duration { return &h.DampingHold },
			"How long it is held down the first time, from when it went down. Left out: 5s.").within("1s to 24h"),
		duration("damping_max", func(h *fsm.Health) *time.Duration { return &h.DampingMax },
			"The longest hold. Left out: 5m.").within("1s to 24h"),
		duration("damping_quiet", func(h *fsm.Health) *time.Duration { return &h.DampingQuiet },
			"For each such time that it stays up, one fall is forgotten. Left out: 5m.").within("1s to 24h"),
		unless("passive", func(h *fsm.Health) *bool { return &h.NoPassive },
			"Have a server probed at once, by all its observers, when TCP clients get no answer from it, or are refused, as the owner's kernel sees it. It is a hint and never a verdict; it helps where the checks' `interval` is longer than 1s, with a short `fast_interval`."),
	},
}

// word is a text that may be written as a whole number too, and is empty where it says the default word.
func word[T any](name, normal string, field func(*T) *string, doc string) key {
	k := policy(name, normal, field, doc)
	k.kind = "string or number"
	read := k.read
	k.read = func(dst any, v cty.Value) error {
		if v.Type() == cty.Number {
			n, err := numberOf[int](v)
			if err != nil {
				return err
			}
			v = cty.StringVal(cty.NumberIntVal(int64(n)).AsBigFloat().Text('f', -1))
		}
		return read(dst, v)
	}
	return k
}
