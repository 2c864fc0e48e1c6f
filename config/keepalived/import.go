package keepalived

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"quorate/fsm"
)

// Director is one machine that keepalived runs on, or did.
type Director struct {
	Name string // of the node that it becomes; "" = of its router_id, or lb1, lb2 …
	File string // its keepalived.conf; - is Options.Stdin
	ID   string // of the lines @ID (keepalived's -i, else the host name); "" = Name
}

// Options of an import.
type Options struct {
	Files fs.FS  // names are paths without the first slash
	Dir   string // absolute, that relative names start from
	// Env is the environment of the daemons, for ${_ENV NAME}; nil = not known.
	Env func(string) (string, bool)

	Stdin []byte // of the director whose file is -
	// Peers are addresses that the directors send their adverts from, where the files do not say them: of each virtual router those that may be on its link.
	Peers []netip.Addr
	// Shadow makes a configuration that only rehearses, until its mode is changed.
	Shadow bool

	lines int // at most, after expansion; 0 = maxLines
}

// Result is what came of the files.
type Result struct {
	Config   fsm.Config // valid
	Findings []Finding  // one for each directive, and what is wrong between them; in the order of the files
	Nodes    []fsm.NodeID
	from     map[string][]Place // of each object, as fsm.Problem names it: the directives that it was made of
}

// MaxDirectors bounds the directors of one import.
const MaxDirectors = 64

// Import makes a configuration of those of one or more directors. The error is about the input as a whole: a file that cannot be read, or a limit that was passed.
func Import(o Options, directors []Director) (Result, error) {
	if len(directors) == 0 || len(directors) > MaxDirectors {
		return Result{}, fmt.Errorf("%d directors: give the files of 1 to %d", len(directors), MaxDirectors)
	}
	im := &importer{objects: map[string]*object{}, byAddress: map[netip.Addr]string{}, routersOf: map[netip.Addr][]*router{}, legacy: o.Peers}
	im.config = fsm.Config{Settings: fsm.DefaultSettings(), VIPs: map[string]fsm.VIP{}, Groups: map[string]fsm.Group{}, Services: map[string]fsm.Service{},
		Notifiers: map[string]fsm.Notifier{}, NodeChecks: map[string]fsm.NodeCheck{}}
	for _, d := range directors {
		b, err := readBox(o, d)
		if err != nil {
			return Result{}, err
		}
		im.boxes = append(im.boxes, b)
	}
	if err := im.name(); err != nil {
		return Result{}, err
	}
	for _, b := range im.boxes {
		im.readInstances(b)
	}
	if err := im.unite(); err != nil {
		return Result{}, err
	}
	if err := im.nodeChecks(); err != nil {
		return Result{}, err
	}
	if err := im.services(); err != nil {
		return Result{}, err
	}
	for _, b := range im.boxes {
		b.settleAsked()
		b.settleGroups()
	}
	if o.Shadow {
		im.config.Settings.Mode = fsm.ShadowMode
	}
	im.notifiers()
	im.settings()
	if err := im.validate(); err != nil {
		return Result{}, err
	}
	im.unheard()
	im.passedOver()
	return im.result()
}

// importer is an import under way.
type importer struct {
	boxes   []*box
	routers []*router
	config  fsm.Config
	objects map[string]*object // as fsm.Problem names them
	extra   []Finding          // of several directives

	legacy    []netip.Addr             // see Options.Peers
	byAddress map[netip.Addr]string    // names of VIPs
	routersOf map[netip.Addr][]*router // that have an address
}

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

// name gives each director the name of its node.
func (im *importer) name() error {
	taken := map[fsm.NodeID]bool{}
	ids := map[string]int{}
	for _, b := range im.boxes {
		ids[b.global.one("router_id").arg(0)]++
	}
	for i, b := range im.boxes {
		id := b.global.one("router_id")
		if b.node == "" {
			if n := nodeID(id.arg(0)); n != "" && ids[id.arg(0)] == 1 && !taken[n] {
				b.node = n
			} else {
				b.node = fsm.NodeID(fmt.Sprintf("lb%d", i+1))
			}
			im.add(Finding{Place: Place{File: b.reader.first}, Class: Changed, What: fmt.Sprintf("the node of this file is called %s here", b.node),
				Do: "say its real name, the agent's `name`: --node NAME=FILE"})
		}
		if nodeID(string(b.node)) != b.node {
			return fmt.Errorf("%q is no name of a node: use 1 to 63 characters of a-z, 0-9, dot, dash and underscore", b.node)
		}
		if taken[b.node] {
			return fmt.Errorf("there are two files of the node %q: give each node one, which includes the others", b.node)
		}
		taken[b.node] = true
		if id != nil {
			id.settle(Ignored, fmt.Sprintf("a node has the name of its agent, %s", b.node), "")
		}
	}
	return nil
}

// nodeID makes a node's name of text; "" when nothing is left.
func nodeID(s string) fsm.NodeID {
	n := strings.ToLower(plain(s))
	if n != strings.ToLower(s) {
		return ""
	}
	return fsm.NodeID(n)
}

// plain makes a name of text: what names may not have becomes a dash.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, s)
	return s[:min(len(s), fsm.MaxName)]
}

// unique makes a name that is not taken.
func unique(name string, taken func(string) bool) string {
	name = cmp.Or(plain(name), "unnamed")
	for n := 2; taken(name); n++ {
		tail := fmt.Sprintf("-%d", n)
		base := strings.TrimSuffix(name, fmt.Sprintf("-%d", n-1))
		name = base[:min(len(base), fsm.MaxName-len(tail))] + tail
	}
	return name
}

func (im *importer) add(f Finding) { im.extra = append(im.extra, f) }

// multiple reports whether there are several directors.
func (im *importer) multiple() bool { return len(im.boxes) > 1 }

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
