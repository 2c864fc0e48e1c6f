package fsm

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// maxExpression bounds what a regular expression takes of memory with its repetitions written out, in kB: each node has all of them.
const maxExpression = 4096

// validateExpression says why a text is no regular expression for a check, if it has a length that it may have. See unaskable for who asks it.
func validateExpression(ps *Problems, object, key, text string) {
	if text == "" || len(text) > maxPattern {
		return
	}
	if _, err := regexp.Compile(text); err != nil {
		ps.add(object, key, text, "this is no regular expression: "+strings.TrimPrefix(err.Error(), "error parsing regexp: "),
			"use the syntax of RE2: no look-ahead and no back-references; a backslash is written twice")
		return
	}
	if kB := expressionSize(text); kB > maxExpression {
		ps.add(object, key, text, fmt.Sprintf("with its repetitions written out this expression takes %d kB", kB),
			fmt.Sprintf("repeat less, or shorter parts; it may take %d kB", maxExpression))
	}
}

// expressionSize is what an expression that compiles takes of memory, in kB.
func expressionSize(text string) int {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return 0
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return 0
	}
	const step, char = 40, 4 // bytes
	size := 0
	for _, x := range program.Inst {
		size += step + char*len(x.Rune)
	}
	return size / 1000
}
