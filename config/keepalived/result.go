package keepalived

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"quorate/fsm"
)

// Result is what came of the files.
type Result struct {
	Config   fsm.Config // valid
	Findings []Finding  // one for each directive, and what is wrong between them; in the order of the files
	Nodes    []fsm.NodeID
	from     map[string][]Place // of each object, as fsm.Problem names it: the directives that it was made of
}

// passedOver names the lines that are for one director (@ID), where none of those whose files are here is it.
func (im *importer) passedOver() {
	known := map[string]bool{}
	for _, b := range im.boxes {
		maps.Copy(known, b.reader.taken)
	}
	for _, b := range im.boxes {
		for _, l := range b.reader.passed {
			if known[l.at.String()] {
				continue
			}
			known[l.at.String()] = true
			id, rest, _ := strings.Cut(strings.TrimLeft(l.s, "@^"), " ")
			word, _, more := strings.Cut(strings.TrimSpace(rest), " ")
			if more && secretWord(word) {
				rest = word + " …"
			}
			whom := fmt.Sprintf("it is for the director %q alone, and none of the files was given as its own", id)
			if strings.HasPrefix(l.s, "@^") {
				whom = fmt.Sprintf("it is for all directors but %q, and no file of another one was given", id)
			}
			im.add(Finding{Place: l.at, Node: string(b.node), Class: Unsupported, Directive: shown(strings.TrimSpace(rest), 120), What: whom, Do: "give the file once more as that of the director: --node NAME=FILE"})
		}
	}
}

// result settles what nothing has looked at, and collects all findings.
func (im *importer) result() (Result, error) {
	out := Result{Config: im.config, from: map[string][]Place{}}
	out.Findings = append(out.Findings, im.extra...)
	rank := map[string]int{}
	for _, b := range im.boxes {
		out.Nodes = append(out.Nodes, b.node)
		for _, f := range b.reader.found {
			f.Node = string(b.node)
			out.Findings = append(out.Findings, f)
		}
		eachIn(b.file.inside, func(d *directive) {
			if _, ok := rank[d.at.File]; !ok {
				rank[d.at.File] = len(rank)
			}
			if d.out == nil {
				d.settle(Unsupported, forgotten, "report it; until then, do by hand what it did")
			}
			f := *d.out
			f.Node = string(b.node)
			out.Findings = append(out.Findings, f)
		})
	}
	if len(out.Findings) > maxFindings {
		return Result{}, errors.New("there are too many findings: import in parts")
	}
	slices.SortStableFunc(out.Findings, func(x, y Finding) int {
		return cmp.Or(cmp.Compare(rank[x.File], rank[y.File]), cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line))
	})
	for name, o := range im.objects {
		for _, d := range o.from {
			out.from[name] = append(out.from[name], d.at)
		}
	}
	return out, nil
}

// forgotten is said of directives that the package has no rule for. Tests make sure that there are none.
const forgotten = "this importer has no rule for it, so it is not in the configuration"
