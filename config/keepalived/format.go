package keepalived

import (
	"fmt"
	"regexp"
	"strings"
	"text/tabwriter"

	"quorate/config"
)

// head is the first line of a block at the level of the file, as config.Format writes it.
var head = regexp.MustCompile(`^(group|virtual_router|vip|node_check|service|notify) "([^"]*)" \{`)

// maxFrom is how many places are named before a block.
const maxFrom = 4

// Format writes the configuration as a file that plan and apply take. Before each block stands what it was made of, and at the head what was not taken over, or not as it was.
func (r Result) Format() []byte {
	var b strings.Builder
	b.WriteString("# Made from keepalived.conf by `quorate import keepalived`.\n")
	for _, c := range []Class{Mistake, Unsupported, Changed} {
		for i, l := range r.fold(c, true) {
			if i == 0 {
				fmt.Fprintf(&b, "#\n# %s:\n", c)
			}
			fmt.Fprintf(&b, "#   %s\n", shown(strings.TrimSuffix(l.places()+": "+l.about, ": ")+": "+l.what, 600))
		}
	}
	b.WriteString("\n")
	for line := range strings.Lines(string(config.Format(r.Config))) {
		if m := head.FindStringSubmatch(line); m != nil {
			b.WriteString(r.origin(m[1] + "." + m[2]))
		}
		b.WriteString(line)
	}
	return []byte(b.String())
}

// folded is findings that say the same of several places.
type folded struct {
	at          []string
	about, what string
}

// fold brings findings of a class together that say the same, as those of two directors often do. In short, also those of several directives, and without the parts of blocks.
func (r Result) fold(c Class, short bool) []folded {
	type key struct{ directive, what, do string }
	at := map[key]int{}
	var out []folded
	for _, f := range r.Findings {
		if f.Class != c || short && strings.HasPrefix(f.What, part) {
			continue
		}
		k := key{f.Directive, f.What, f.Do}
		if short {
			k.directive = keywordOf(f.Directive)
		}
		i, known := at[k]
		if !known {
			i = len(out)
			at[k] = i
			l := folded{what: f.What, about: f.Directive}
			if f.Do != "" {
				l.what += "; " + f.Do
			}
			out = append(out, l)
		}
		l := &out[i]
		if l.about != f.Directive {
			l.about = keywordOf(f.Directive)
		}
		if place := f.Place.String(); len(l.at) == 0 || l.at[len(l.at)-1] != place {
			l.at = append(l.at, place)
		}
	}
	return out
}

// keywordOf is the keyword of a directive, without the blocks around it and its values.
func keywordOf(directive string) string {
	if i := strings.LastIndex(directive, " / "); i >= 0 {
		directive = directive[i+len(" / "):]
	}
	word, _, _ := strings.Cut(directive, " ")
	return word
}

// places names where it is, the first ones.
func (l folded) places() string {
	if len(l.at) <= maxFrom {
		return strings.Join(l.at, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(l.at[:maxFrom], ", "), len(l.at)-maxFrom)
}

// origin is the comment before an object; "" when nothing is known.
func (r Result) origin(object string) string {
	var from []string
	for i, p := range r.from[object] {
		if i == maxFrom {
			from = append(from, fmt.Sprintf("and %d more", len(r.from[object])-maxFrom))
			break
		}
		from = append(from, shown(p.String(), 200))
	}
	if len(from) == 0 {
		return ""
	}
	return "# " + strings.Join(from, ", ") + "\n"
}

// Count is how many findings there are of a class.
func (r Result) Count(c Class) int {
	n := 0
	for _, f := range r.Findings {
		if f.Class == c {
			n++
		}
	}
	return n
}

// Table writes the findings for a person, those that ask most first; what was mapped or is not needed only with all.
func (r Result) Table(all bool) string {
	var b strings.Builder
	for _, c := range Classes() {
		if r.Count(c) == 0 || !all && (c == Mapped || c == Ignored) {
			continue
		}
		fmt.Fprintf(&b, "%s (%d)\n", c, r.Count(c))
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, l := range r.fold(c, false) {
			fmt.Fprintf(w, "  %s\t%s\t%s\n", shown(l.places(), 200), shown(l.about, 100), shown(l.what, 400))
		}
		_ = w.Flush()
		b.WriteString("\n")
	}
	return b.String()
}
