package keepalived

import (
	"fmt"
	"strings"
	"time"

	"quorate/fsm"
)

// readNumber is a shell's way to read the number in the first line of the file $0, or 0: as keepalived, which takes a file that is not there for 0.
const readNumber = `v=; { read -r v <"$0"; } 2>/dev/null; case "$v" in ""|*[!0-9-]*) v=0;; esac; `

// fileCheck makes a check of a track_file: a script that looks at the sign of the number, as check "file" reads numbers the other way round.
func fileCheck(_ *box, d *directive, weight int, turned bool) (c fsm.Check, wrong string) {
	file := d.one("file")
	if file == nil || !strings.HasPrefix(file.arg(0), "/") {
		d.leave(Mistake, "it has no file with an absolute path", "add one, then import again")
		return c, "it has no file with an absolute path"
	}
	operator, meaning := "-eq", "any number but 0 is a failure"
	switch {
	case weight == 0 && turned:
		operator, meaning = "-ne", "0 is a failure, and that there is no file"
	case (weight > 0) != turned:
		operator, meaning = "-ge", "a number below 0 is a failure; how far below, and what is above, changes nothing: scores of nodes have steps of node_checks"
	case weight != 0:
		operator, meaning = "-le", "a number above 0 is a failure; how far above, and what is below, changes nothing: scores of nodes have steps of node_checks"
	}
	c = fsm.NewCheck(fsm.CheckScript)
	c.Interval, c.Timeout, c.Rise, c.Fall = time.Second, time.Second, 1, 1
	c.Script.Command = []string{"/bin/sh", "-c", readNumber + `[ "$v" ` + operator + ` 0 ]`, file.arg(0)}
	d.settle(Changed, fmt.Sprintf(`a script looks into the file every second, as quorate_script or nobody: %s`, meaning),
		fmt.Sprintf(`better in the long run: check "file" { file = %q }, which is noticed at once, and have up or drain written into that file`, shown(file.arg(0), 60)+".quorate"))
	file.mapped(`check "script": command`)
	return c, ""
}
