package keepalived

import (
	"strings"

	"github.com/agext/levenshtein"
)

// unknown settles a directive that keepalived does not know, with the block that may follow it.
func (p *parser) unknown(d *directive, l *level) {
	do := "take it out"
	if p.asked++; p.asked > maxSimilar {
		do += ", or correct it"
	} else if near := l.similar(d.word); near != "" {
		do = "did you mean " + near + "? correct it, then import again"
	} else if home := homeOf(d.word); home != "" {
		do = "it belongs into " + home
	}
	what := "keepalived does not know this keyword here, and leaves the line out"
	if p.opens() {
		what = "keepalived does not know this keyword here: it reads what stands in its braces as if it stood outside, and the } closes the block around it"
		p.raw(d, func(x *directive) {
			x.settle(Mistake, "it stands in a block that keepalived does not know, "+d.word, "")
		})
	}
	d.settle(Mistake, what, do)
}

// raw reads a block without knowing what belongs into it.
func (p *parser) raw(d *directive, settle func(*directive)) {
	for around := []*directive{d}; len(around) > 0; {
		line, ok := p.next()
		if !ok {
			if p.err == nil {
				p.r.find(d.at, Mistake, d.line, "its block is not closed", "add the missing }")
			}
			return
		}
		at := around[len(around)-1]
		switch line.s {
		case "{":
			if n := len(at.inside); n > 0 && len(around) < maxRaw {
				at = at.inside[n-1]
			}
			around = append(around, at)
		case "}":
			around = around[:len(around)-1]
		default:
			words, _ := splitWords(line.s)
			if len(words) == 0 {
				words = []string{line.s}
			}
			x := &directive{word: words[0], args: words[1:], line: line.s, at: line.at, parent: at}
			settle(x)
			at.inside = append(at.inside, x)
		}
	}
}

// similar is the keyword that was probably meant.
func (l *level) similar(word string) string {
	if len(word) > 60 {
		return ""
	}
	best, least := "", 0
	for _, k := range l.keywords {
		d := levenshtein.Distance(strings.ToLower(word), strings.ToLower(k.name), nil)
		if d <= max(1, len(k.name)/4) && (best == "" || d < least) {
			best, least = k.name, d
		}
	}
	return best
}

// homeOf is the block into which a keyword belongs.
func homeOf(word string) string {
	var find func(l *level) string
	find = func(l *level) string {
		for _, k := range l.keywords {
			if k.inside == nil {
				continue
			}
			if k.inside.find(word) != nil {
				return k.name
			}
			if home := find(k.inside); home != "" {
				return home
			}
		}
		return ""
	}
	if fileLevel.find(word) != nil {
		return "no block: look for a } that is missing before it"
	}
	return find(fileLevel)
}
