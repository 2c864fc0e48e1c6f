package keepalived

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// included follows the include that a line may be.
func (r *reader) included(l text, fresh bool) (bool, error) {
	rest, ok := strings.CutPrefix(l.s, "include")
	if !ok || rest == "" {
		return false, nil
	}
	kind := ""
	if strings.ContainsRune("rmwba", rune(rest[0])) {
		kind, rest = rest[:1], rest[1:]
	}
	if rest == "" || rest[0] != ' ' && rest[0] != '\t' {
		return false, nil
	}
	if fresh && !strings.HasPrefix(strings.TrimLeft(r.raw(), " \t"), "include") {
		r.find(l.at, Mistake, l.s, "keepalived looks for includes before it looks at conditions and definitions, and its versions differ in what they do with this one; it was followed",
			"include the file without a condition, and put the condition into it")
	}
	pattern := strings.Trim(strings.TrimSpace(rest), `"`)
	names, skipped, err := r.match(pattern)
	if err != nil {
		return false, &limitError{l.at, err.Error(), "use fewer braces"}
	}
	for _, s := range skipped {
		r.find(l.at, Mistake, l.s, s+", and keepalived leaves it out", "make it a plain file that is not executable, or take it out of the pattern")
	}
	if len(names) == 0 {
		class, say := Ignored, "no file matches here, which keepalived passes over in silence"
		if strict := r.strict(kind); strict != "" {
			class, say = Mistake, "no file matches here, and "+strict+" has keepalived complain"
		}
		r.find(l.at, class, l.s, say, "where the director has such files, copy them to the same place beside this one and import again")
		return true, nil
	}
	return true, r.include(names, append([]Place{{File: l.at.File, Line: l.at.Line}}, l.at.Via...))
}

// raw is the line of the file that is read now.
func (r *reader) raw() string {
	s := r.open[len(r.open)-1]
	return s.lines[s.at-1]
}

// strict is the reason why keepalived wants a file to be there; "" when it does not.
func (r *reader) strict(kind string) string {
	switch {
	case kind == "m", kind == "w", kind == "b", kind == "a":
		return "include" + kind
	case r.checks != "":
		return "include_check"
	}
	return ""
}

// checkIncludes follows include_check, for the includes that come after it in the file and in those that it includes.
func (r *reader) checkIncludes(args []string) {
	r.checks = "all"
	if len(args) > 0 {
		r.checks = strings.Join(slices.DeleteFunc(slices.Clone(args), func(a string) bool { return strings.HasPrefix(a, "-") || a == "readable" }), " ")
	}
}

// include reads the first of several files; the others follow when it ends.
func (r *reader) include(names []string, via []Place) error {
	for i, name := range names {
		err := r.push(name, via, names[i+1:])
		if err == nil {
			return nil
		}
		if _, limit := err.(*limitError); limit {
			return err
		}
		r.find(via[0], Mistake, "include "+name, fmt.Sprintf("it cannot be read here: %v", err), "make it readable, then import again")
	}
	return nil
}

// match gives the files that a pattern stands for, in the order in which keepalived reads them, and why others are left out.
// A name is relative to the file that includes it.
func (r *reader) match(pattern string) (names, skipped []string, err error) {
	alternatives, err := braces(pattern)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range alternatives {
		shownAs := p
		if !path.IsAbs(p) {
			shownAs = path.Join(path.Dir(r.open[len(r.open)-1].shown), p)
		}
		found, e := fs.Glob(r.files, r.full(shownAs))
		if e != nil {
			skipped = append(skipped, fmt.Sprintf("%q is no pattern of names", shown(p, 80)))
			continue
		}
		slices.Sort(found)
		for _, f := range found {
			if hidden(f, r.full(shownAs)) {
				continue
			}
			name := r.name(f, shownAs)
			info, e := fs.Stat(r.files, f)
			switch {
			case e != nil || info.Mode().IsDir():
				skipped = append(skipped, name+" is a directory, or cannot be read")
			case !info.Mode().IsRegular() || info.Mode().Perm()&0o111 != 0:
				skipped = append(skipped, name+" is executable, or no plain file")
			default:
				names = append(names, name)
			}
			if len(names)+len(skipped) > maxFiles {
				return nil, nil, fmt.Errorf("the pattern stands for more than %d files", maxFiles)
			}
		}
	}
	return names, skipped, nil
}

// name is how a file that was found is called in messages: relative as the pattern was.
func (r *reader) name(found, pattern string) string {
	if path.IsAbs(pattern) {
		return "/" + found
	}
	prefix := strings.TrimPrefix(path.Join("/", r.dir), "/")
	if prefix == "" {
		return found
	}
	if rest, ok := strings.CutPrefix(found, prefix+"/"); ok {
		return rest
	}
	return "/" + found
}

// hidden reports whether a part of the name begins with a dot that the pattern does not name.
func hidden(name, pattern string) bool {
	parts, patterns := strings.Split(name, "/"), strings.Split(pattern, "/")
	for i, p := range parts {
		if strings.HasPrefix(p, ".") && i < len(patterns) && !strings.HasPrefix(patterns[i], ".") {
			return true
		}
	}
	return false
}

// braces writes {a,b} in a pattern out, from the left to the right, also in one another.
func braces(p string) ([]string, error) {
	out := []string{}
	todo := []string{p}
	for len(todo) > 0 {
		s := todo[0]
		todo = todo[1:]
		open, parts, end := firstBraces(s)
		if end < 0 {
			if out = append(out, s); len(out) > maxBraces {
				return nil, fmt.Errorf("the braces stand for more than %d names", maxBraces)
			}
			continue
		}
		var made []string
		for _, x := range parts {
			made = append(made, s[:open]+x+s[end+1:])
		}
		if todo = append(made, todo...); len(todo) > maxBraces {
			return nil, fmt.Errorf("the braces stand for more than %d names", maxBraces)
		}
	}
	return out, nil
}

// firstBraces finds the first {…} with its parts; end is -1 when there is none.
func firstBraces(s string) (open int, parts []string, end int) {
	if open = strings.IndexByte(s, '{'); open < 0 {
		return 0, nil, -1
	}
	depth, from := 0, open+1
	for i := open; i < len(s); i++ {
		switch s[i] {
		case '{':
			depth++
		case ',':
			if depth == 1 {
				parts, from = append(parts, s[from:i]), i+1
			}
		case '}':
			if depth--; depth == 0 {
				return open, append(parts, s[from:i]), i
			}
		}
	}
	return 0, nil, -1
}
