package keepalived

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// object is something of the configuration that was made, and may be taken out again.
type object struct {
	from   []*directive
	remove func()
	// Of the checks of a service: what each was made of, and how one is taken out.
	each       []*directive
	removeEach func(i int)
}

// made notes of what an object was made. Name is as fsm.Problem has it.
func (im *importer) made(name string, d *directive, remove func()) {
	o := im.objects[name]
	if o == nil {
		o = &object{remove: remove}
		im.objects[name] = o
	}
	if !slices.Contains(o.from, d) {
		o.from = append(o.from, d)
	}
}

// holder finds the object that a problem is about: that of the name, or the nearest around it.
func (im *importer) holder(name string) (string, *object) {
	for at := name; at != ""; {
		if o := im.objects[at]; o != nil {
			return at, o
		}
		i := strings.LastIndexByte(at, '.')
		at = at[:max(i, 0)]
	}
	return "", nil
}

// maxRounds of taking out: what is taken out may be needed by others.
const maxRounds = 10_000

// validate takes out what the cluster would refuse, until it refuses nothing.
func (im *importer) validate() error {
	for range maxRounds {
		problems := im.config.Validate()
		if len(problems) == 0 {
			return nil
		}
		if im.hurried(problems) {
			continue
		}
		type hold struct {
			name string
			o    *object
		}
		var holds []hold
		for _, p := range problems {
			name, o := im.holder(p.Object)
			if o == nil {
				return fmt.Errorf("what was made of the files cannot be a configuration: %s: %s; %s", strings.TrimSpace(p.Object+" "+p.Key), p.What, p.Cure)
			}
			holds = append(holds, hold{name, o})
		}
		gone := map[string]bool{}
		for i, p := range problems {
			name, o := holds[i].name, holds[i].o
			if gone[name] {
				continue
			}
			gone[name] = true
			why := p.What
			if p.Key != "" {
				why = fmt.Sprintf("%s = %q: %s", p.Key, shown(p.Value, 80), p.What)
			}
			from := o.from
			if o.removeEach != nil {
				index, _, _ := strings.Cut(strings.TrimPrefix(p.Object, name+"."), ".") // of a check, or of something in it
				i, err := strconv.Atoi(index)
				if err != nil || i >= len(o.each) {
					return fmt.Errorf("what was made of the files cannot be a configuration: %s: %s", p.Object, p.What)
				}
				from = o.each[i : i+1]
				o.removeEach(i)
				o.each = slices.Delete(slices.Clone(o.each), i, i+1)
				name += "." + index
			} else {
				o.remove()
				delete(im.objects, name)
			}
			for i, d := range from {
				if i == 0 && d.out != nil && d.out.Class == Mistake { // that alone would not say what came of it
					im.add(Finding{Place: d.at, Node: im.nodeOf(d), Class: Unsupported, Directive: d.path(), What: leftOut(name, why), Do: p.Cure})
				}
				d.refuse(name, why, p.Cure)
			}
		}
	}
	return fmt.Errorf("what was made of the files cannot be a configuration, whatever is taken out")
}

// refuse says that what a directive had become would be refused by the cluster.
func (d *directive) refuse(name, why, cure string) {
	do := "do by hand what it did"
	if cure != "" {
		do = cure + ", and import again or add it by hand"
	}
	d.revoke(Unsupported, leftOut(name, why), do)
}

func leftOut(name, why string) string {
	return fmt.Sprintf("%s was left out, as it would be refused: %s", name, why)
}

// revoke takes back that a directive, and what is in it, has become something.
func (d *directive) revoke(c Class, what, do string) {
	eachIn([]*directive{d}, func(x *directive) {
		if x.out != nil && (x.out.Class == Mapped || x.out.Class == Changed) {
			x.out = nil
		}
	})
	d.leave(c, what, do)
}
