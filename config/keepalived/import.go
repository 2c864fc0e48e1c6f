package keepalived

import (
	"fmt"
	"io/fs"
	"net/netip"

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

func (im *importer) add(f Finding) { im.extra = append(im.extra, f) }

// multiple reports whether there are several directors.
func (im *importer) multiple() bool { return len(im.boxes) > 1 }
