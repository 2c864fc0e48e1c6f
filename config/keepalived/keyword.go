package keepalived

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// keyword is a row of the table of what keepalived knows: a directive, its values, and what becomes of it.
type keyword struct {
	name   string
	values []value
	shell  bool   // its values are read as a shell would
	canon  string // the name that it is handled under: of another spelling, that of the first
	old    string // not "": what to write in place of this spelling

	inside *level // the keywords of its block; nil = it has none
	// entries is what a line in its block is: the block is a list. nil = it has none.
	entries *entry

	fate fate // zero: the mapping looks at it
}

// level is the keywords of one block, or of the file itself.
type level struct {
	name     string
	keywords []*keyword
}

// entry is a line of a list.
type entry struct {
	name   string
	values []value
	each   bool // each word is an entry
}

// fate is what becomes of a directive whatever its values are.
type fate struct {
	class    Class
	what, do string
}

func ignored(what string) fate         { return fate{Ignored, what, ""} }
func unsupported(what, do string) fate { return fate{Unsupported, what, do} }
func changed(what, do string) fate     { return fate{Changed, what, do} }

// value is one value of a directive.
type value struct {
	what     string // for messages
	ok       func(string) bool
	optional bool
	many     bool // and any number of them
}

var mapping fate // is looked at

// k makes a row.
func k(name string, f fate, values ...value) *keyword {
	return &keyword{name: name, canon: name, values: values, fate: f}
}

func (k *keyword) script() *keyword {
	k.shell = true
	return k
}

func (k *keyword) block(keywords ...*keyword) *keyword {
	k.inside = &level{k.name, keywords}
	return k
}

func (k *keyword) list(values ...value) *keyword {
	k.entries = &entry{name: k.name, values: values}
	return k
}

func (k *keyword) listOfWords(v value) *keyword {
	k.entries = &entry{name: k.name, values: []value{v}, each: true}
	return k
}

// as makes it another, deprecated spelling.
func (k *keyword) as(canon string) *keyword {
	k.canon, k.old = canon, canon
	return k
}

// also makes it another spelling that is as good.
func (k *keyword) also(canon string) *keyword {
	k.canon = canon
	return k
}

func (l *level) find(word string) *keyword {
	if i := slices.IndexFunc(l.keywords, func(k *keyword) bool { return k.name == word }); i >= 0 {
		return l.keywords[i]
	}
	return nil
}

func opt(v value) value {
	v.optional = true
	return v
}

func rest(v value) value {
	v.optional, v.many = true, true
	return v
}

func some(v value) value {
	v.many = true
	return v
}

func word(what string) value { return value{what: what, ok: func(string) bool { return true }} }

func number(low, high int64) value {
	return value{what: fmt.Sprintf("a number from %d to %d", low, high), ok: func(s string) bool {
		n, err := strconv.ParseInt(s, 0, 64)
		return err == nil && n >= low && n <= high
	}}
}

// seconds is keepalived's TIMER: seconds with a fraction.
func seconds(low, high float64) value {
	shows := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	return value{what: fmt.Sprintf("seconds from %s to %s", shows(low), shows(high)), ok: func(s string) bool {
		if strings.ContainsAny(s, "eExXnNiIpP_+") {
			return false
		}
		n, err := strconv.ParseFloat(s, 64)
		return err == nil && n >= low && n <= high
	}}
}

func oneOf(words ...string) value {
	return value{what: "one of " + strings.Join(words, ", "), ok: func(s string) bool { return slices.Contains(words, s) }}
}

var booleans = []string{"on", "off", "true", "false", "yes", "no"}

func boolean() value { return opt(oneOf(booleans...)) }

func address() value {
	return value{what: "an IP address", ok: func(s string) bool {
		a, err := netip.ParseAddr(s)
		return err == nil && a.Zone() == ""
	}}
}

// check says what is wrong with the values, "" when nothing is, and how many there are too many.
func check(values []value, args []string) (wrong string, extra int) {
	i := 0
	for _, v := range values {
		if i == len(args) {
			if v.optional {
				return "", 0
			}
			return "it wants " + v.what, 0
		}
		for first := true; i < len(args) && (first || v.many); first = false {
			if !v.ok(args[i]) {
				return fmt.Sprintf("%q is not %s", shown(args[i], 60), v.what), 0
			}
			i++
		}
	}
	return "", len(args) - i
}
