package realserver

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"quorate/lvs"
)

// maxRecord bounds the file in bytes: a VIP takes some hundred, and a host with more than ten thousand is none.
const maxRecord = 4 << 20

// record is what setup remembers, as it is in the file.
type record struct {
	Version int `json:"version"` // 1
	// Kernel is the identity of the kernel that Made is about: nothing of it outlives a reboot.
	Kernel string `json:"kernel"`
	VIPs   []VIP  `json:"vips"`
	Made   []made `json:"made"`
	// Directory: the directory of the file was made for it, and goes with it.
	Directory bool `json:"directory,omitempty"`
}

// made is one thing that setup has made, or was about to make when it was killed.
type made struct {
	Thing
	Was string `json:"was,omitempty"` // a sysctl's value before
	Set string `json:"set,omitempty"` // and the one that it got
}

func (r record) find(t Thing) (made, bool) {
	i := slices.IndexFunc(r.Made, func(m made) bool { return m.Thing == t })
	if i < 0 {
		return made{}, false
	}
	return r.Made[i], true
}

// note puts what a step makes into the record. The last value that was replaced is the one to give back.
func (r *record) note(s Step) {
	r.drop(s.Thing)
	m := made{Thing: s.Thing}
	if s.Kind == KindSysctl {
		m.Was, m.Set = s.From, s.To
	}
	r.Made = append(r.Made, m)
}

func (r *record) drop(things ...Thing) {
	r.Made = slices.DeleteFunc(slices.Clone(r.Made), func(m made) bool { return slices.Contains(things, m.Thing) })
}

// with are the VIPs of the record with others put in or changed, by address.
func (r record) with(vips []VIP) []VIP {
	out := slices.Clone(r.VIPs)
	for _, v := range vips {
		if i := slices.IndexFunc(out, func(o VIP) bool { return o.Addr == v.Addr }); i >= 0 {
			out[i] = v
		} else {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b VIP) int { return a.Addr.Compare(b.Addr) })
	return out
}

// without are the VIPs of the record but for these.
func (r record) without(addrs []netip.Addr) []VIP {
	return slices.DeleteFunc(slices.Clone(r.VIPs), func(v VIP) bool { return slices.Contains(addrs, v.Addr) })
}

func (r record) encode() ([]byte, error) {
	r.Version = 1
	b, err := json.MarshalIndent(r, "", "  ")
	return append(b, '\n'), err
}

// decodeRecord reads the file's text. Undo does what it says as root, so that it must be what setup writes: other sysctls,
// devices and addresses than setup would make are refused.
func decodeRecord(b []byte) (r record, err error) {
	if len(b) > maxRecord {
		return r, fmt.Errorf("it has more than %d bytes", maxRecord)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return record{}, err
	}
	if _, err := d.Token(); err != io.EOF {
		return record{}, fmt.Errorf("there is something after the record")
	}
	if r.Version != 1 {
		return record{}, fmt.Errorf("version %d: this program writes and reads version 1", r.Version)
	}
	for i, v := range r.VIPs {
		if r.VIPs[i], err = v.complete(); err != nil {
			return record{}, err
		}
	}
	for _, m := range r.Made {
		if err := m.check(); err != nil {
			return record{}, err
		}
	}
	return r, nil
}

// check refuses what setup does not make.
func (m made) check() error {
	ok := false
	switch m.Kind {
	case KindSysctl:
		dir, rest, _ := strings.Cut(m.Name, "conf/")
		link, key, _ := strings.Cut(rest, "/")
		known := slices.Contains([]string{"arp_ignore", "arp_announce", "rp_filter"}, key)
		ok = dir == "net/ipv4/" && known && link != "" && (link == "all" || checkInterface(link) == nil) && small(m.Was) && small(m.Set)
	case KindLink:
		_, ok = kinds[m.Name]
	case KindListener:
		family, port, _ := strings.Cut(m.Name, "/")
		n, err := strconv.ParseUint(port, 10, 16)
		ok = (family == IPv4 || family == IPv6) && err == nil && n > 0
	case KindAddress:
		p, err := netip.ParsePrefix(m.Name)
		_, device := kinds[m.Link]
		if ok = err == nil && p.IsSingleIP() && p.String() == m.Name && (m.Link == "lo" || device); ok {
			_, err = VIP{Addr: p.Addr(), Forward: lvs.DirectRouting}.complete()
			ok = err == nil
		}
	}
	if !ok {
		return fmt.Errorf("%s %q (%q) is nothing that setup makes", m.Kind, m.Name, m.Link)
	}
	return nil
}

// small: the values of these sysctls are small numbers.
func small(value string) bool {
	n, err := strconv.Atoi(value)
	return err == nil && n >= 0 && n < 100
}

func compare(a, b Thing) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Link, b.Link))
}
