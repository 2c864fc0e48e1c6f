package keepalived

import (
	"cmp"
	"fmt"

	"quorate/fsm"
)

// box is what the files of one director say.
type box struct {
	node      fsm.NodeID
	reader    *reader
	file      *directive // whose block is the whole file
	global    *directive // what stands in all global_defs
	instances []*instance
	syncs     []*syncGroup
	checks    map[string][]*directive // of all real servers, see checksOf
	names     map[string]naming       // see named
}

// readBox parses the files of a director.
func readBox(o Options, d Director) (*box, error) {
	r := &reader{files: o.Files, dir: cmp.Or(o.Dir, "/"), id: cmp.Or(d.ID, d.Name), env: o.Env, stdin: o.Stdin, most: o.lines}
	if err := r.start(d.File); err != nil {
		return nil, fmt.Errorf("%s: %w", d.File, err)
	}
	p := &parser{r: r}
	top, err := p.parse()
	if err != nil {
		return nil, err
	}
	b := &box{node: fsm.NodeID(d.Name), reader: r, file: &directive{inside: top}, global: &directive{word: "global_defs"}}
	for _, g := range b.all("global_defs") {
		g.mapped("cluster, and notify blocks: see what stands in it")
		b.global.inside = append(b.global.inside, g.inside...)
	}
	return b, nil
}

// all gives the blocks of a name.
func (b *box) all(word string) []*directive { return b.file.all(word) }

// named gives the blocks of a name by their own names. keepalived takes the first of several with the same.
func (b *box) named(word string) (blocks []*directive, byName map[string]*directive) {
	if known, ok := b.names[word]; ok {
		return known.blocks, known.byName
	}
	byName = map[string]*directive{}
	for _, d := range b.all(word) {
		if first := byName[d.arg(0)]; first != nil {
			d.leave(Mistake, fmt.Sprintf("there is a %s of this name already, in %s", word, first.at), "give it another name")
			continue
		}
		byName[d.arg(0)] = d
		blocks = append(blocks, d)
	}
	if b.names == nil {
		b.names = map[string]naming{}
	}
	b.names[word] = naming{blocks, byName}
	return blocks, byName
}

// naming is the blocks of one kind by their names.
type naming struct {
	blocks []*directive
	byName map[string]*directive
}
