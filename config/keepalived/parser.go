package keepalived

import (
	"fmt"
	"strings"
)

// parser makes directives of lines, by the table of keywords.
type parser struct {
	r      *reader
	asked  int   // unknown words that were compared with the table
	queued *text // read, and given back
	err    error
}

// parse reads all that there is.
func (p *parser) parse() ([]*directive, error) {
	out, _ := p.level(fileLevel, nil)
	return out, p.err
}

func (p *parser) next() (text, bool) {
	if p.queued != nil {
		l := *p.queued
		p.queued = nil
		return l, true
	}
	if p.err != nil {
		return text{}, false
	}
	l, ok, err := p.r.next()
	p.err = err
	return l, ok && err == nil
}

// opens reads the brace that begins a block, if it is what comes next.
func (p *parser) opens() bool {
	l, ok := p.next()
	if ok && l.s != "{" {
		p.queued = &l
	}
	return ok && l.s == "{"
}

// level reads directives up to the brace that closes their block, or to the end of all.
func (p *parser) level(l *level, parent *directive) (out []*directive, closed bool) {
	for {
		line, ok := p.next()
		switch {
		case !ok:
			if parent != nil && p.err == nil {
				p.r.find(parent.at, Mistake, parent.line, "its block is not closed", "add the missing }")
			}
			return out, false
		case line.s == "}" && parent != nil:
			return out, true
		case line.s == "}":
			p.r.find(line.at, Mistake, "}", "it closes nothing", "take it out, or look for the block that is closed too early")
			continue
		case line.s == "{":
			p.r.find(line.at, Mistake, "{", "it opens no block, and keepalived reads on as if it were not there", "take it out, with the } that belongs to it")
			continue
		}
		if d := p.directive(line, l, parent); d != nil {
			out = append(out, d)
		}
	}
}

// directive makes one of a line, with the block that follows it.
func (p *parser) directive(line text, l *level, parent *directive) *directive {
	words, open := splitWords(line.s)
	if len(words) == 0 {
		p.r.find(line.at, Mistake, line.s, "there is nothing but a quote", "take it out")
		return nil
	}
	d := &directive{word: words[0], args: words[1:], line: line.s, at: line.at, parent: parent}
	if d.rule = l.find(d.word); d.rule == nil {
		p.unknown(d, l)
		return d
	}
	d.word = d.rule.canon
	if d.word == "include_check" {
		p.r.checkIncludes(d.args)
	}
	wrong := ""
	if d.rule.shell {
		d.args, wrong = shellArgs(line.s)
	} else if open {
		wrong = "a quote is not closed"
	}
	if wrong == "" && (d.rule.inside == nil && d.rule.entries == nil || len(d.args) > 0 || len(d.rule.values) > 0) {
		var extra int
		if wrong, extra = check(d.rule.values, d.args); extra > 0 {
			p.r.find(d.at, Mistake, d.line, fmt.Sprintf("%q is one value too many, and keepalived leaves it out", shown(d.args[len(d.args)-extra], 60)), "take it out")
			d.args = d.args[:len(d.args)-extra]
		}
	}
	if strings.HasSuffix(line.s, `\`) {
		wrong = `the line ends with a backslash, and keepalived joins lines in definitions alone`
	}
	p.blockOf(d)
	switch {
	case d.rule.fate.class != "":
		d.settle(d.rule.fate.class, d.rule.fate.what, d.rule.fate.do)
		eachIn(d.inside, func(x *directive) {
			if x.out == nil {
				x.settle(d.rule.fate.class, part+d.rule.name, "")
			}
		})
		if wrong != "" {
			d.settle(Mistake, wrong+"; and besides: "+d.rule.fate.what, d.rule.fate.do)
		}
	case wrong != "":
		d.leave(Mistake, wrong, "correct it, then import again")
	case d.rule.old != "":
		p.r.find(d.at, Ignored, d.line, fmt.Sprintf("%s is an old spelling of %s, and taken for it", d.rule.name, d.rule.old), "")
	}
	return d
}

// shellArgs are the values of a directive whose line is read as a shell would.
func shellArgs(line string) ([]string, string) {
	words, err := shellWords(line)
	if err != nil {
		return nil, err.Error()
	}
	return words[1:], ""
}

// blockOf reads the block that belongs to a directive.
func (p *parser) blockOf(d *directive) {
	wants := d.rule.inside != nil || d.rule.entries != nil
	opened := p.opens()
	switch {
	case !wants && !opened:
		return
	case !wants:
		p.raw(d, func(x *directive) {
			x.settle(Mistake, fmt.Sprintf("%s has no block: keepalived reads this as if it stood outside of the braces", d.rule.name), "take the braces out, or the block")
		})
		d.settle(Mistake, fmt.Sprintf("%s has no block", d.rule.name), "take the block out")
		return
	case !opened:
		p.r.find(d.at, Mistake, d.line, "the { behind it is missing; what follows up to the next } was taken for its block", "add the {")
	}
	if d.rule.inside != nil {
		d.inside, _ = p.level(d.rule.inside, d)
		return
	}
	p.entries(d)
}

// entries reads the lines of a list.
func (p *parser) entries(d *directive) {
	e := d.rule.entries
	for {
		line, ok := p.next()
		if !ok {
			if p.err == nil {
				p.r.find(d.at, Mistake, d.line, "its block is not closed", "add the missing }")
			}
			return
		}
		if line.s == "}" {
			return
		}
		words, open := splitWords(line.s)
		if line.s == "{" || len(words) == 0 {
			p.r.find(line.at, Mistake, line.s, "this does not belong into the list of "+d.word, "take it out")
			continue
		}
		lines := [][]string{words}
		if e.each {
			lines = nil
			for _, w := range words {
				lines = append(lines, []string{w})
			}
		}
		for _, words := range lines {
			x := &directive{word: words[0], args: words, line: strings.Join(words, " "), at: line.at, parent: d, entry: true}
			wrong, extra := check(e.values, words)
			switch {
			case open:
				wrong = "a quote is not closed"
			case extra > 0:
				wrong = fmt.Sprintf("%q is one value too many", shown(words[len(words)-extra], 60))
			}
			if wrong != "" {
				x.settle(Mistake, wrong, "correct it, then import again")
			}
			d.inside = append(d.inside, x)
		}
	}
}

// maxRaw is how deep blocks that nobody knows are told apart.
const maxRaw = 16

// maxSimilar is for how many unknown words the one that was meant is looked for.
const maxSimilar = 500
