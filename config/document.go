package config

import (
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"quorate/fsm"
)

// Document is a configuration and where in its files everything stands. It is immutable but for Config, which the caller
// owns.
type Document struct {
	Config fsm.Config

	files  files
	places map[string]noted
	rank   map[string]int // of the files, in the order they were given
	first  string         // the first file
}

// Parse reads a configuration from the text of one file; name is how messages call it, and tells JSON by its ending. It
// returns either a configuration without a fault or an error that is Diagnostics.
func Parse(name string, src []byte) (*Document, error) {
	return ParseAll(Source{name, src})
}

// ParseAll reads one configuration from several files, as Parse does. Their order matters for nothing but the order of
// messages; what is defined twice is refused wherever it is.
func ParseAll(sources ...Source) (*Document, error) {
	if doc, err := parseAll(sources, (*decoder).parsePieces); err == nil && doc != nil {
		return doc, nil
	}
	return parseAll(sources, (*decoder).parse) // knows what to say of a fault
}

// parseAll uses one way to parse; nil and no error when that does not take the sources, nor say why.
func parseAll(sources []Source, parse func(d *decoder, s Source, each func(hcl.Body)) bool) (*Document, error) {
	d := newDecoder()
	doc := &Document{files: d.files, places: d.places, rank: map[string]int{}}
	c := fsm.Config{}
	// Without a cluster block its defaults hold.
	d.keys(clusterBlock, node{}, rangeOf(""), "", "cluster", &c.Settings)
	total, blocks, readable := 0, 0, true
	for i, s := range sources {
		if i == 0 {
			doc.first = s.Name
		}
		if _, again := doc.rank[s.Name]; !again {
			doc.rank[s.Name] = i
		}
		if total += len(s.Text); total > MaxBytes {
			d.report(rangeOf(s.Name), "", "", "", &fault{what: errTooLong.Error()})
			readable = false
			break
		}
		ok := parse(d, s, func(body hcl.Body) {
			n := d.open(clusterFile, body)
			blocks += len(n.blocks)
			d.file(n, s.Name, &c)
		})
		readable = readable && ok
	}
	if readable && blocks == 0 && len(*d.found) == 0 {
		d.report(rangeOf(doc.first), "", "", "", faultf("to mean an empty configuration, write cluster {}", "there is nothing in it"))
	}
	doc.Config = c
	if readable {
		for _, p := range d.validate(c) {
			*d.found = append(*d.found, doc.diagnose(p))
		}
	}
	d.found.sort(doc.rank)
	if err := d.found.orNil(); err != nil || !readable {
		return nil, err
	}
	return doc, nil
}

// Validate checks Config again, for a caller that has changed it. The error is Diagnostics.
func (doc *Document) Validate() error { return doc.Diagnose(doc.Config.Validate()) }

// Diagnose says where in the files problems are, in the order of the files. The error is Diagnostics, or nil for none.
func (doc *Document) Diagnose(problems fsm.Problems) error {
	var found Diagnostics
	for _, p := range problems {
		found = append(found, doc.diagnose(p))
	}
	found.sort(doc.rank)
	return found.orNil()
}

// Locate finds where in the files a problem is: the value it is about, or else the object, or else what the object is in.
// ok is false when nothing of that is in the files; the position is then the first file's.
func (doc *Document) Locate(p fsm.Problem) (pos Position, ok bool) {
	pl, ok := doc.find(p)
	if !ok {
		return Position{File: doc.first}, false
	}
	return doc.files.position(pl.at), true
}

func (doc *Document) diagnose(p fsm.Problem) Diagnostic {
	pl, ok := doc.find(p)
	if !ok {
		return Diagnostic{Position: Position{File: doc.first}, Problem: p, Source: quoted(p.Value)}
	}
	source := pl.text
	if source == "" {
		source = quoted(p.Value)
	}
	return Diagnostic{Position: doc.files.position(pl.at), Problem: p, Source: source}
}

// quoted is a value for a message when what is written in the file is not known.
func quoted(value string) string {
	if value == "" {
		return ""
	}
	return strconv.Quote(clip(value, 60))
}

// find looks for the key, then the object, then the objects around it.
func (doc *Document) find(p fsm.Problem) (place, bool) {
	for object := p.Object; object != ""; {
		keys := doc.places[object]
		if pl, ok := keys.find(p.Key); ok {
			if item, ok := pl.items[p.Value]; ok {
				return item, true
			}
			return pl, true
		}
		if pl, ok := keys.find(""); ok {
			return pl, true
		}
		// Names may hold dots; the next dot to the left is tried until an object is found.
		i := strings.LastIndexByte(object, '.')
		object = object[:max(i, 0)]
	}
	return place{}, false
}
