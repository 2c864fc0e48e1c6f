package keepalived

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"quorate/fsm"
)

// named is the block of a kind that the directive names by a word in it, and that word.
func (x *built) named(d *directive, word, kind string) (name, block *directive, wrong string) {
	if name = d.one(word); name == nil {
		return nil, nil, "it names no " + kind
	}
	_, byName := x.box.named(kind)
	if block = byName[name.arg(0)]; block == nil {
		name.settle(Mistake, "there is no "+kind+" of this name", "correct the name")
		return name, nil, "there is no " + kind + " of its name"
	}
	return name, block, ""
}

// fileProbe makes a check of a FILE_CHECK: a script, as keepalived adds the number in the file, times the weight, to the weight of the server, and check "file"
// takes the number itself. The arguments are the file and the server's weight.
func (x *built) fileProbe(d *directive, server fsm.Server) (c fsm.Check, wrong string) {
	name, block, wrong := x.named(d, "track_file", "track_file")
	if wrong != "" {
		return c, wrong
	}
	file := block.one("file")
	if file == nil || !strings.HasPrefix(file.arg(0), "/") {
		block.leave(Mistake, "it has no file with an absolute path", "add one, then import again")
		return c, "its track_file has no file with an absolute path"
	}
	weight, turned := int64(1), false
	for _, w := range []*directive{block.one("weight"), d.one("weight")} {
		if w != nil {
			weight, turned = w.number(0), w.arg(1) == "reverse"
			w.mapped(`check "script": command`)
		}
	}
	c = fsm.NewCheck(fsm.CheckScript)
	c.Interval, c.Timeout, c.Rise, c.Fall = time.Second, time.Second, 1, 1
	script := strings.Replace(readNumber, "$0", "$1", 1)
	switch {
	case weight == 0 && turned:
		script += `[ "$v" -ne 0 ]`
	case weight == 0:
		script += `[ "$v" -eq 0 ]`
	default:
		if turned {
			weight = -weight
		}
		c.Script.DynamicWeight = true
		script += fmt.Sprintf(`w=$(($2 + v * %d)); [ $w -ge 0 ] || w=0; [ $w -le 253 ] || w=253; exit $((w + 2))`, weight)
	}
	c.Script.Command = []string{"/bin/sh", "-c", script, "file", file.arg(0), strconv.Itoa(server.Weight)}
	file.mapped(`check "script": command`)
	name.mapped(`check "script": command`)
	block.mapped(`check "script"`)
	d.settle(Changed, "a script looks into the file every second on each director that checks, as quorate_script or nobody; a weight from the file is 253 at most",
		`better in the long run: check "file", which is noticed at once, with a file that says up, down, drain or the weight itself`)
	return c, ""
}

// sessionProbe makes a check of a BFD_CHECK.
func (x *built) sessionProbe(d *directive, server fsm.Server) (c fsm.Check, wrong string) {
	name, block, wrong := x.named(d, "name", "bfd_instance")
	if wrong != "" {
		return c, wrong
	}
	if c, wrong = sessionOf(block); wrong != "" {
		return c, "its bfd_instance: " + wrong
	}
	if c.Address == server.Address.Addr() {
		c.Address = netip.Addr{} // of each server
	}
	block.mapped(`check "bfd"`)
	name.mapped(`check "bfd"`)
	return c, ""
}

// gather makes one check of the FILE_CHECKs of several servers that have each its own file or weight: the script looks for whom it is asked.
func (x *built) gather(sets [][]probe) {
	for j := range sets[0] {
		var script string
		for i, ps := range sets {
			if len(ps) != len(sets[0]) || ps[j].d.word != "FILE_CHECK" || i > 0 && ps[j].check.Script.Command[2] != script {
				script = ""
				break
			}
			script = ps[j].check.Script.Command[2]
		}
		if script == "" {
			continue
		}
		variable := "$QUORATE_ADDRESS"
		known := map[netip.Addr]bool{}
		for _, s := range x.service.Servers {
			if known[s.Address.Addr()] {
				variable = "$QUORATE_SERVER"
			}
			known[s.Address.Addr()] = true
		}
		var b strings.Builder
		fmt.Fprintf(&b, `case "%s" in `, variable)
		for i, ps := range sets {
			whom := x.service.Servers[i].Address.String()
			if variable == "$QUORATE_ADDRESS" {
				whom = x.service.Servers[i].Address.Addr().String()
			}
			fmt.Fprintf(&b, "%s) set -- %s;; ", quote(whom), strings.Join(quoteAll(ps[j].check.Script.Command[4:]), " "))
		}
		b.WriteString("*) exit 1;; esac; " + script)
		for _, ps := range sets {
			own := *ps[j].check.Script
			own.Command = []string{"/bin/sh", "-c", b.String()}
			ps[j].check.Script = &own
		}
	}
}

// quote writes a word for a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func quoteAll(words []string) []string {
	out := slices.Clone(words)
	for i := range out {
		out[i] = quote(out[i])
	}
	return out
}
