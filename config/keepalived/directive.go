package keepalived

import (
	"slices"
	"strings"
)

// directive is a keyword with its values, or a line of a list.
type directive struct {
	word   string   // as it is handled: the name of an old spelling's successor
	args   []string // its values; of an entry, all words
	line   string   // as it was read
	at     Place
	parent *directive // nil at the level of the file
	inside []*directive
	rule   *keyword // nil: not known, or an entry
	entry  bool

	out *Finding // what has become of it

	words map[string][]*directive // of inside, see named
}

// settle says what has become of a directive. Of two, what asks more of the reader counts.
func (d *directive) settle(c Class, what, do string) {
	if d.out != nil && slices.Index(Classes(), d.out.Class) <= slices.Index(Classes(), c) {
		return
	}
	d.out = &Finding{Place: d.at, Class: c, Directive: d.path(), What: what, Do: do}
}

// mapped says which of our settings a directive has become.
func (d *directive) mapped(to string) { d.settle(Mapped, to, "") }

// path is the directive with the heads of the blocks around it.
func (d *directive) path() string {
	own := shown(d.line, 80)
	if d.secret() {
		own = d.word + " …"
	}
	for p := d.parent; p != nil; p = p.parent {
		own = shown(strings.Join(append([]string{p.word}, p.args...), " "), 60) + " / " + own
	}
	return own
}

// secret reports whether its values are not to be shown.
func (d *directive) secret() bool {
	return secretWord(d.word) || d.word == "key" && d.parent != nil && d.parent.word != "SSL"
}

// secretWord reports whether what follows a word is a secret; also where it is misspelled a little.
func secretWord(word string) bool {
	word = strings.ToLower(word)
	return strings.Contains(word, "pass") && word != "passive"
}

// arg is value i, or "".
func (d *directive) arg(i int) string {
	if d == nil || i >= len(d.args) {
		return ""
	}
	return d.args[i]
}

// all gives the directives of a name in a block, without those that are mistakes.
func (d *directive) all(word string) []*directive {
	return slices.DeleteFunc(slices.Clone(d.named(word)), func(x *directive) bool { return x.out != nil && x.out.Class == Mistake })
}

// named gives the directives of a name in a block, which has been read to its end.
func (d *directive) named(word string) []*directive {
	if d.words == nil {
		d.words = map[string][]*directive{}
		for _, x := range d.inside {
			if !x.entry {
				d.words[x.word] = append(d.words[x.word], x)
			}
		}
	}
	return d.words[word]
}

// one gives the last directive of a name, which is the one that counts; those before it are settled. nil when there is none, or it is a mistake.
func (d *directive) one(word string) *directive {
	all := d.all(word)
	if len(all) == 0 {
		return nil
	}
	last := all[len(all)-1]
	for _, x := range all[:len(all)-1] {
		x.leave(Mistake, "it is there again in "+last.at.String()+", and the last one counts", "take this one out")
	}
	return last
}

// leave settles a directive and all that is in it.
func (d *directive) leave(c Class, what, do string) {
	d.settle(c, what, do)
	eachIn(d.inside, func(x *directive) {
		if x.out == nil {
			x.settle(c, part+d.word, "")
		}
	})
}

// part is said of what is in a block that was settled as a whole.
const part = "it is part of "

// eachIn visits a directive and all that is in it.
func eachIn(ds []*directive, visit func(*directive)) {
	for _, d := range ds {
		visit(d)
		eachIn(d.inside, visit)
	}
}
