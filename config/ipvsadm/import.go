package ipvsadm

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"quorate/config"
	"quorate/fsm"
)

// maxLine bounds a line; the longest that makes sense has some 200 characters.
const maxLine = 4096

// Options of an import: what the text cannot say. A prefix length of 0 is that of the address alone.
type Options struct {
	Prefix4, Prefix6 int
}

// Import is what came of a text.
type Import struct {
	Config fsm.Config         // valid
	Left   config.Diagnostics // the lines that were not taken over, each with the reason
	Notes  []string           // what the text cannot say, and what was taken for it
}

// Parse reads the text of one file; name is how messages call it. The error is about the text as a whole.
func Parse(name string, text []byte, o Options) (Import, error) {
	if len(text) > config.MaxBytes {
		return Import{}, fmt.Errorf("%s is longer than %d MiB: give it in parts", name, config.MaxBytes>>20)
	}
	im := &importer{name: name, options: o, services: map[listener]*fsm.Service{}, lines: map[string]int{}}
	im.config.Settings = fsm.DefaultSettings()
	at := 0
	for raw := range strings.Lines(string(text)) {
		at++
		words := strings.TrimSpace(raw)
		if words == "" || strings.HasPrefix(words, "#") {
			continue
		}
		if len(words) > maxLine {
			im.leave(at, words, failf("it has %d characters", len(words)))
			continue
		}
		l, err := parse(words)
		if err == nil {
			err = im.add(at, l)
		}
		if err != nil {
			im.leave(at, words, err)
		}
	}
	im.finish()
	return im.out(), nil
}

type importer struct {
	name     string
	options  Options
	config   fsm.Config
	services map[listener]*fsm.Service
	order    []listener
	lines    map[string]int // by object, as fsm.Problem names it
	left     config.Diagnostics
	notes    []string
}

func (im *importer) leave(at int, words string, err error) {
	d := config.Diagnostic{Position: config.Position{File: im.name, Line: at, Column: 1}}
	d.What = fmt.Sprintf("%.60q is not taken over: %v", words, err)
	im.left = append(im.left, d)
}

func (im *importer) add(at int, l line) error {
	s, known := im.services[l.at]
	switch {
	case !l.server && known:
		return failf("the service is there already, in line %d", im.lines["service."+s.Name])
	case !l.server:
		s := l.service
		s.Name, s.Port, s.Protocol, s.Mark = nameOf(l.at), l.at.addr.Port(), l.at.protocol, l.at.mark
		im.services[l.at] = &s
		im.order = append(im.order, l.at)
		im.lines["service."+s.Name] = at
		return nil
	case !known:
		return failf("its service was not added before it, or was not taken over")
	}
	if slices.ContainsFunc(s.Servers, func(x fsm.Server) bool { return x.Address == l.real.Address }) {
		return failf("the server is there already")
	}
	s.Servers = append(s.Servers, l.real)
	im.lines["service."+s.Name+".server."+l.real.Address.String()] = at
	return nil
}

// nameOf makes a name out of letters, digits, dots and dashes: tcp-192.0.2.10-80.
func nameOf(l listener) string {
	switch {
	case l.mark != 0 && l.six:
		return fmt.Sprintf("fwmark-%d-ipv6", l.mark)
	case l.mark != 0:
		return fmt.Sprintf("fwmark-%d", l.mark)
	default:
		return fmt.Sprintf("%s-%s-%d", l.protocol, vipName(l.addr.Addr()), l.addr.Port())
	}
}

func vipName(a netip.Addr) string { return strings.ReplaceAll(a.String(), ":", "-") }

// finish gives each service its VIP and its method, and takes out what cannot be.
func (im *importer) finish() {
	im.config.VIPs, im.config.Services = map[string]fsm.VIP{}, map[string]fsm.Service{}
	for _, l := range im.order {
		if l.mark == 0 {
			a := l.addr.Addr()
			im.config.VIPs[vipName(a)] = fsm.VIP{Name: vipName(a), Address: netip.PrefixFrom(a, im.prefix(a))}
		}
	}
	for _, l := range im.order {
		s := im.services[l]
		if l.mark == 0 {
			s.VIP = vipName(l.addr.Addr())
		} else if s.VIP = im.onlyVIP(l.six); s.VIP == "" {
			family := map[bool]string{true: "IPv6", false: "IPv4"}[l.six]
			im.drop(s, fmt.Sprintf("a service by firewall mark is balanced by the node that owns a VIP, and there is not exactly one %s address in the file to take for it: add it by hand", family))
			continue
		} else {
			im.notes = append(im.notes, fmt.Sprintf("service %s: vip = %q, the only one of its family, says which node balances it; check that.", s.Name, s.VIP))
		}
		spread(s)
		im.config.Services[s.Name] = *s
	}
	im.validate()
	im.comment()
}

func (im *importer) prefix(a netip.Addr) int {
	if a.Is4() {
		return cmp.Or(im.options.Prefix4, 32)
	}
	return cmp.Or(im.options.Prefix6, 128)
}

func (im *importer) onlyVIP(six bool) (name string) {
	for _, v := range im.config.VIPs {
		if v.Address.Addr().Is6() != six {
			continue
		}
		if name != "" {
			return ""
		}
		name = v.Name
	}
	return name
}

// drop leaves a service with all its servers out.
func (im *importer) drop(s *fsm.Service, why string) {
	object := "service." + s.Name
	im.leaveObject(object, why)
	for _, r := range s.Servers {
		im.leaveObject(object+".server."+r.Address.String(), "its service was not taken over")
	}
	delete(im.config.Services, s.Name)
}

func (im *importer) leaveObject(object, why string) {
	d := config.Diagnostic{Position: config.Position{File: im.name, Line: im.lines[object], Column: 1}}
	d.Object, d.What = object, "not taken over: "+why
	im.left = append(im.left, d)
}

// spread makes the forwarding method that most servers have that of the service.
func spread(s *fsm.Service) {
	type method struct {
		forward fsm.Forward
		encap   fsm.Encap
	}
	count := map[method]int{}
	best := method{forward: fsm.NAT}
	for _, r := range s.Servers {
		count[method{r.Forward, r.Encap}]++
	}
	for _, r := range s.Servers { // in their order, so that the same text always gives the same
		if m := (method{r.Forward, r.Encap}); count[m] > count[best] {
			best = m
		}
	}
	s.Forward, s.Encap = best.forward, best.encap
	for i := range s.Servers {
		if r := &s.Servers[i]; r.Forward == s.Forward && r.Encap == s.Encap {
			r.Forward, r.Encap = "", fsm.Encap{}
		}
	}
}

// validate takes out what the cluster would refuse, until it refuses nothing.
func (im *importer) validate() {
	for range len(im.lines) + 1 {
		problems := im.config.Validate()
		if len(problems) == 0 {
			return
		}
		gone := map[string]bool{}
		for _, p := range problems {
			why := strings.TrimSuffix(fmt.Sprintf("%s: %s; %s", p.Key, p.What, p.Cure), "; ")
			service, server, isServer := strings.Cut(strings.TrimPrefix(p.Object, "service."), ".server.")
			s, ok := im.config.Services[service]
			switch {
			case ok && gone[service] || gone[p.Object]:
			case ok && isServer:
				im.leaveObject(p.Object, why)
				s.Servers = slices.DeleteFunc(slices.Clone(s.Servers), func(r fsm.Server) bool { return r.Address.String() == server })
				im.config.Services[service] = s
			case ok:
				im.drop(&s, why)
				gone[service] = true
			default:
				im.dropVIP(p.Object, why)
			}
			gone[p.Object] = true
		}
	}
}

// dropVIP leaves the services of a VIP out, or all of them where it is not about one.
func (im *importer) dropVIP(object, why string) {
	name, isVIP := strings.CutPrefix(object, "vip.")
	for _, k := range slices.Sorted(maps.Keys(im.config.Services)) {
		if s := im.config.Services[k]; !isVIP || s.VIP == name {
			im.drop(&s, object+": "+why)
		}
	}
	if isVIP {
		delete(im.config.VIPs, name)
	} else {
		im.config.VIPs = nil
	}
}

// comment says what no table of IPVS tells.
func (im *importer) comment() {
	maps.DeleteFunc(im.config.VIPs, func(name string, _ fsm.VIP) bool {
		for _, s := range im.config.Services {
			if s.VIP == name {
				return false
			}
		}
		return true
	})
	unsaid := false // of one of the VIPs
	for _, v := range im.config.VIPs {
		unsaid = unsaid || v.Address.Addr().Is4() && im.options.Prefix4 == 0 || v.Address.Addr().Is6() && im.options.Prefix6 == 0
	}
	if unsaid {
		im.notes = append([]string{"The prefix lengths of the VIPs are not in the table: where --prefix and --prefix6 did not say them they are /32 and /128. Give them those of their subnets."}, im.notes...)
	}
	if len(im.config.Services) > 0 {
		im.notes = append(im.notes, "The table has no health checks: without a check block every server is taken to be up.")
	}
}

func (im *importer) out() Import {
	slices.SortStableFunc(im.left, func(a, b config.Diagnostic) int { return cmp.Compare(a.Line, b.Line) })
	return Import{Config: im.config, Left: im.left, Notes: im.notes}
}

// Format writes the configuration as a file that apply takes, with the notes and what was left out as comments at its head.
func (im Import) Format() []byte {
	var b strings.Builder
	for _, n := range im.Notes {
		fmt.Fprintf(&b, "# %s\n", n)
	}
	for _, d := range im.Left {
		fmt.Fprintf(&b, "# %s\n", strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return ' '
			}
			return r
		}, strings.ToValidUTF8(d.String(), "?")))
	}
	if b.Len() > 0 {
		b.WriteString("\n")
	}
	return append([]byte(b.String()), config.Format(im.Config)...)
}
