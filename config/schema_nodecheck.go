package config

import (
	"slices"
	"time"

	"github.com/zclconf/go-cty/cty"

	"quorate/fsm"
)

var nodeCheckBlock = &block{
	name: "node_check", label: "NAME", labelKey: "name",
	doc: "What a director has to have in order to own VIPs, or to be preferred as their owner; each director checks it for itself. Checks that ask over the network ask " +
		"127.0.0.1, at the `port` that they name. It passes on a node when all checks in it do.",
	keys: []key{
		boolean("required", func(c *fsm.NodeCheck) *bool { return &c.Required },
			"A node on which it fails may not own the VIPs: they go to others at once, or to nobody where it fails everywhere. A node on which it is not known yet keeps what it owns and gets nothing."),
		number("weight", func(c *fsm.NodeCheck) *int { return &c.Weight },
			"What a node loses while it fails there, in place of `required`: the VIPs go to a node whose sum of such losses is the least, and among equals by `prefer` and balance. Moves for that wait for `hold_down`.").
			within("-1000 to -1"),
		list("vips", func(c *fsm.NodeCheck) *[]string { return &c.VIPs }, "VIPs that it is about; VIPs of a group move together all the same. Left out, as `groups`: all."),
		list("groups", func(c *fsm.NodeCheck) *[]string { return &c.Groups }, "Groups whose VIPs it is about."),
		list("nodes", func(c *fsm.NodeCheck) *[]fsm.NodeID { return &c.Nodes }, "Directors that it is carried out on; it says nothing of the others. Left out: all."),
	},
	blocks: []*block{checkBlock},
}

// localCheckKeys are those of checks that ask the director itself.
var localCheckKeys = slices.Concat(scriptCheckKeys, fileCheckKeys, processCheckKeys, linkCheckKeys)

var scriptCheckKeys = forTypes([]fsm.CheckType{fsm.CheckScript},
	list("command", func(c *fsm.Check) *[]string { return &c.Script.Command },
		"Absolute path of the program, and its arguments; there is no shell. Exit code 0 means success. Refused when others than root and `user` could change it.").must(),
	text("user", func(c *fsm.Check) *string { return &c.Script.User },
		"User that the program runs as, with its groups. Left out: `quorate_script` where there is such a user, else `nobody`."),
	boolean("dynamic_weight", func(c *fsm.Check) *bool { return &c.Script.DynamicWeight },
		"The exit codes 2 to 255 are successes that set the server's weight: to 0 to 253. Otherwise they are failures."),
)

var fileCheckKeys = forTypes([]fsm.CheckType{fsm.CheckFile},
	text("file", func(c *fsm.Check) *string { return &c.File.File },
		"Absolute path of a file on each director that says `up`, `down`, `drain`, a weight like `3`, or a share of the weight like `50%`. A change is noticed at once.").must(),
	policy("missing", "up", func(c *fsm.Check) *string { return &c.File.Missing }, "What it means that the file is not there. Left out: `up`.").oneOf("up", fsm.FileDown),
	number("multiplier", func(c *fsm.Check) *int { return &c.File.Multiplier }, "A number in the file is multiplied by it. Left out: 1.").within("1 to 65535"),
)

var processCheckKeys = forTypes([]fsm.CheckType{fsm.CheckProcess},
	text("process", func(c *fsm.Check) *string { return &c.Process.Process },
		"Name of the program as `ps -o comm` shows it or as its command line begins, or the absolute path of its file. In a `node_check` only.").must(),
	list("arguments", func(c *fsm.Check) *[]string { return &c.Process.Arguments }, "What the arguments on its command line begin with. Left out: any."),
	policy("match", string(fsm.MatchFirst), func(c *fsm.Check) *string { return (*string)(&c.Process.Match) },
		"With `all` the process has these arguments and no others, or none if `arguments` is left out; with `prefix` the last of them may be longer than it is written here. Left out: `first`, the process may have more of them.").
		oneOf(string(fsm.MatchFirst), string(fsm.MatchAll), string(fsm.MatchPrefix)),
	number("least", func(c *fsm.Check) *int { return &c.Process.Least }, "How many such processes there have to be.").or(cty.NumberIntVal(1)).within("0 to 1048576"),
	number("most", func(c *fsm.Check) *int { return &c.Process.Most }, "How many there may be. Left out: any number.").within("1 to 1048576").
		notZero("it would mean that there must be none", "write absent = true"),
	boolean("absent", func(c *fsm.Check) *bool { return &c.Process.Absent }, "There must be no such process, in place of `least` and `most`."),
	duration("delay", func(c *fsm.Check) *time.Duration { return &c.Process.Delay }, "How long a change of the number has to last, so that a restart is not noticed. Left out: not at all.").within("0 to 1h"),
)

var linkCheckKeys = forTypes([]fsm.CheckType{fsm.CheckInterface},
	text("interface", func(c *fsm.Check) *string { return &c.Link.Interface },
		"Network interface that has to exist, be up and have a carrier. In a `node_check` only.").must(),
)
