package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"quorate/lvs/sysctl"
	"quorate/vip"
)

// parents sees to it that the links below virtual MACs do not answer for the addresses on those, with their own MACs: Linux answers for any
// address that it has on any link, and asks others in the name of any. It sets what is needed where that is allowed, and puts it back when it
// is needed no more. It is used by one goroutine.
type parents struct {
	book *sysctl.Book // nil: nothing is set
	log  *slog.Logger
	said map[string]string // by link
	idle bool              // nothing is set, and nothing of an earlier process is left
}

// parentChanger begins the name of whose settings these are in the book; the link's name ends it.
const parentChanger = "virtual MACs on "

// follow states what is needed, and returns for each link why it answers too, where it does.
func (p *parents) follow(ready []vip.Virtual, may bool) (loose map[string]string) {
	if p == nil || p.idle && len(ready) == 0 { // the book waits for the disk
		return nil
	}
	p.idle = len(ready) == 0
	want := map[string]bool{}
	for _, v := range ready {
		if !v.IPv6 { // in IPv6, Linux answers on the link of an address only
			want[v.Parent] = true
		}
	}
	if p.book != nil {
		for _, c := range p.book.Changes() {
			link, ours := strings.CutPrefix(c.For, parentChanger)
			if ours && (!may || !want[link]) {
				err := p.book.Restore(c.For)
				p.idle = p.idle && err == nil
				p.say(link, errText(err))
			}
		}
	}
	for link := range want {
		var errs []error
		for _, n := range parentNeeds(link) {
			if !may || p.book == nil {
				errs = append(errs, errors.New(n.String()))
			} else if err := p.book.Set(parentChanger+link, n.Name, n.Want); err != nil {
				errs = append(errs, err)
			} else {
				p.log.Info("a setting of the kernel is set, as set_sysctls allows", "name", n.Name, "value", n.Want, "was", n.Have, "reason", n.So)
			}
		}
		text := errText(errors.Join(errs...))
		p.say(link, text)
		if text != "" {
			if loose == nil {
				loose = map[string]string{}
			}
			loose[link] = text
		}
	}
	return loose
}

// say logs what is wrong with a link when it is not what it was.
func (p *parents) say(link, text string) {
	if p.said == nil {
		p.said = map[string]string{}
	}
	if text != "" && p.said[link] != text {
		p.log.Warn("the link below a virtual MAC is not as it should be", "link", link, "reason", text)
	}
	p.said[link] = text
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}

// parentNeeds are the settings that a link below a virtual MAC lacks. Of a link's own value and that for all links the greater counts.
func parentNeeds(link string) []sysctl.Need {
	var out []sysctl.Need
	for _, x := range []struct {
		name, so string
		right    []string
	}{
		{"arp_ignore", "it answers for the addresses on the virtual MAC with its own, too", []string{"1", "2", "8"}},
		{"arp_announce", "it asks in the name of these addresses with its own MAC, which others then believe", []string{"2"}},
	} {
		if all, err := sysctl.Read("net.ipv4.conf.all." + x.name); err == nil && slices.Contains(x.right, all) {
			continue
		}
		name := fmt.Sprintf("net.ipv4.conf.%s.%s", strings.ReplaceAll(link, ".", "/"), x.name)
		out = append(out, sysctl.Ask(name, x.so, x.right...)...)
	}
	return out
}

// release puts back all that was set: for the end of the process.
func (p *parents) release() error {
	var errs []error
	if p != nil && p.book != nil {
		for _, c := range p.book.Changes() {
			if strings.HasPrefix(c.For, parentChanger) {
				errs = append(errs, p.book.Restore(c.For))
			}
		}
	}
	return errors.Join(errs...)
}
