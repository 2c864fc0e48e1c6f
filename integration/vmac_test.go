package integration

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/integration/lab"
)

// vmacText is the configuration of [TestVirtualMAC]: the way back of a service leads through a VIP on a virtual MAC, that of the other does not.
const vmacText = `
cluster {
  set_sysctls = true
  hold_down = "1s"
  %s
}
virtual_router "VI_4" {
  vrid    = 51
  version = 2
  %s
}
virtual_router "VI_6" {
  vrid     = 52
  interval = "500ms"
  %[2]s
}
group "front" {
  prefer = ["n1"]
}
vip "web" {
  address        = "%[3]s"
  virtual_router = "VI_4"
  group          = "front"
}
vip "wayback" {
  address        = "%[4]s"
  virtual_router = "VI_4"
  group          = "front"
}
vip "six" {
  address        = "%[5]s"
  virtual_router = "VI_6"
  prefer         = ["n1"]
}
`

// onVirtualMAC is a bed whose VIPs are on virtual MACs, pinged, and asked for pages.
type onVirtualMAC struct {
	pace
	bed     *lab.Bed
	capture *lab.Capture
	rows    []vmacRow
}

// vmacRow is one virtual router.
type vmacRow struct {
	name, moved string // and the VIP by which it is moved
	vrid        uint8
	vip         netip.Addr
	mac         string
	ping        *lab.Probe
	load        *lab.Load
}

// vmacSettings are the kernel's settings that agents change below virtual MACs.
var vmacSettings = []string{"net.ipv4.conf.eth0.arp_ignore", "net.ipv4.conf.eth0.arp_announce"}

// TestVirtualMAC: services whose VIPs are on virtual MACs serve, whoever the owner is: the switch has the MAC behind the owner's port only, adverts come from it, clients never learn
// another, and what comes to it is balanced and answered. When it is over, the directors are as they were.
func TestVirtualMAC(t *testing.T) {
	p := paceOf()
	bed := newBed(t, 3, 2)
	for _, d := range bed.Directors {
		must(t, d.Sysctl("net.ipv4.conf.all.rp_filter", "1")) // a strict one, as distributions have it
	}
	form(t, bed)
	n1, n2, n3 := bed.Directors[0], bed.Directors[1], bed.Directors[2]
	apply := func(vmac bool) error {
		line := ""
		if vmac {
			line = "vmac = true"
		}
		c := new(lab.Config)
		c.RoutedWeb("web", "web", bed.ServerAddr(0), bed.ServerAddr(1))
		var six []netip.AddrPort
		for i, w := range bed.Servers {
			six = append(six, netip.AddrPortFrom(w.Host().Prefixes[1].Addr(), bed.ServerAddr(i).Port()))
		}
		c.Web("six", "six", six...)
		text := fmt.Sprintf(vmacText, strings.Join(p.settings(), "\n  "), line, lab.VIP(1), lab.VIP(2), lab.VIP6(1)) + c.String()
		_, err := n2.Apply(within(t, 30*time.Second*p.times), "cluster.hcl", text)
		return err
	}
	must(t, apply(true))
	wayBack(t, bed, bed.Client, lab.VIP(2).Addr())
	b := &onVirtualMAC{pace: p, bed: bed, rows: []vmacRow{
		{name: "VI_4", moved: "web", vrid: 51, vip: lab.VIP(1).Addr(), mac: "00:00:5e:00:01:33"},
		{name: "VI_6", moved: "six", vrid: 52, vip: lab.VIP6(1).Addr(), mac: "00:00:5e:00:02:34"},
	}}
	for _, service := range []string{"web", "six"} {
		must(t, bed.AwaitServers(within(t, 30*time.Second*p.times), service, 2))
	}
	b.owned(t, n1)
	b.listen(t)

	b.stage(t, "served", 1500*time.Millisecond, n1, func() {})
	for name, want := range map[string]string{vmacSettings[0]: "1", vmacSettings[1]: "2", "net.ipv4.conf.all.arp_ignore": "0", "net.ipv4.conf.all.arp_announce": "0"} {
		if got, err := n1.ReadSysctl(name); err != nil || got != want {
			t.Errorf("%s is %s, %v; want %s", name, got, err, want)
		}
	}
	b.stage(t, "planned move", 1500*time.Millisecond, n2, func() {
		for _, r := range b.rows {
			says(t, n3, "vip", "move", r.moved, n2.Name)
		}
	})
	b.stage(t, "owner's power cut", 1500*time.Millisecond, n1, func() { must(t, n2.PowerOff()) })

	// What a director was before, it is again: one that was killed, and comes back to a configuration without virtual MACs, one that
	// was removed meanwhile, and one that leaves.
	must(t, n2.Reboot(within(t, 20*time.Second*p.times)))
	must(t, bed.AwaitReady(within(t, 30*time.Second*p.times)))
	must(t, n1.Kill())
	for _, r := range b.rows {
		_, err := bed.AwaitOwner(within(t, 20*time.Second*p.times), r.vip, n1)
		must(t, err)
	}
	must(t, apply(false))
	if left := vmacLinks(t, n1); len(left) != 2 {
		t.Errorf("the killed agent's kernel has %v", left)
	}
	must(t, n1.Start(within(t, 20*time.Second*p.times)))
	must(t, bed.AwaitReady(within(t, 30*time.Second*p.times)))
	for _, d := range bed.Directors {
		b.asFound(t, d)
	}
	must(t, apply(true))
	must(t, lab.Await(within(t, 10*time.Second*p.times), 10*time.Millisecond, func(context.Context) error {
		if n := len(vmacLinks(t, n3)); n != 2 {
			return fmt.Errorf("%s has %d links ready", n3.Name, n)
		}
		return nil
	}))
	must(t, n3.Kill())
	says(t, n2, "node", "remove", n3.Name)
	must(t, n3.Start(within(t, 20*time.Second*p.times)))
	b.asFound(t, n3)
	says(t, n1, "leave")
	b.asFound(t, n1)
	must(t, b.capture.Err())
}

// listen begins to ask and to capture.
func (b *onVirtualMAC) listen(t *testing.T) {
	t.Helper()
	var all []netip.Addr
	for _, r := range b.rows {
		all = append(all, r.vip)
	}
	var err error
	b.capture, err = b.bed.StartCapture(all...)
	must(t, err)
	for i := range b.rows {
		r := &b.rows[i]
		r.ping, err = b.bed.Client.StartProbe(r.vip, 2*time.Millisecond)
		must(t, err)
		r.load, err = b.bed.Client.StartLoad(t.Context(), netip.AddrPortFrom(r.vip, 80), 50, time.Second*b.times)
		must(t, err)
	}
}

// owned waits until a director has everything.
func (b *onVirtualMAC) owned(t *testing.T, d *lab.Director) {
	t.Helper()
	for _, r := range b.rows {
		must(t, lab.Await(within(t, 20*time.Second*b.times), 10*time.Millisecond, func(context.Context) error {
			if c := b.bed.Carriers(r.vip); !slices.Contains(c, d) {
				return fmt.Errorf("%s is on %d directors, not on %s", r.vip, len(c), d.Name)
			}
			return nil
		}))
	}
}

// stage does something after which everything is on owner, and judges what was seen meanwhile and for as long afterwards.
func (b *onVirtualMAC) stage(t *testing.T, name string, lasts time.Duration, owner *lab.Director, f func()) {
	t.Helper()
	from := lab.Now()
	f()
	b.owned(t, owner)
	there := lab.Now()
	<-time.After(lasts * b.times)
	window, after := lab.Span{From: from, To: lab.Now()}, lab.Span{From: there.Add(lasts / 3), To: lab.Now()}
	for _, r := range b.rows {
		must(t, r.load.Settle(t.Context()))
		s, late := r.load.Summary(window), r.load.Summary(after)
		t.Logf("%s, %s: longest silence %s; requests: %s %v", name, r.name, lab.Millis(r.ping.Gap(window).Duration()), s, s.Errors)
		if late.Failed > 0 || late.Total == 0 || len(late.Servers) != 2 {
			t.Errorf("%s, %s: it does not serve on %s: %s %v", name, r.name, owner.Name, late, late.Errors)
		}
		if host, err := b.bed.Behind(r.mac); err != nil || host != owner.Name {
			t.Errorf("%s, %s: the switch has %s behind %q, %v; the owner is %s", name, r.name, r.mac, host, err, owner.Name)
		}
		if got := neighbourOf(t, b.bed.Client, r.vip); got != r.mac {
			t.Errorf("%s, %s: the client has it at %q, want %s", name, r.name, got, r.mac)
		}
		six, adverts := r.vip.Is6(), 0
		for _, a := range b.capture.Adverts(r.vrid, six, after) {
			if adverts++; a.Host != owner.Name || a.MAC != r.mac {
				t.Errorf("%s, %s: an advert of %s from %s, want those of %s from %s", name, r.name, a, a.MAC, owner.Name, r.mac)
			}
		}
		if adverts == 0 {
			t.Errorf("%s, %s: no adverts", name, r.name)
		}
		var hosts []string
		for _, d := range b.bed.Directors {
			hosts = append(hosts, d.Name)
		}
		if wrong := together(b.capture, r.vip, window, hosts, 0); wrong != "" {
			t.Errorf("%s, %s: %s", name, r.name, wrong)
		}
	}
}

// asFound waits until nothing of virtual MACs is left on a director.
func (b *onVirtualMAC) asFound(t *testing.T, d *lab.Director) {
	t.Helper()
	must(t, lab.Await(within(t, 15*time.Second*b.times), 20*time.Millisecond, func(context.Context) error {
		var left []string
		for _, l := range vmacLinks(t, d) {
			left = append(left, "link "+l)
		}
		for _, name := range vmacSettings {
			if v, err := d.ReadSysctl(name); err != nil || v != "0" {
				left = append(left, fmt.Sprintf("%s = %s (%v)", name, v, err))
			}
		}
		tables, err := d.Gate()
		for _, x := range tables {
			if strings.Contains(x, "quorate-vmac") {
				left = append(left, x)
			}
		}
		if err != nil || len(left) > 0 {
			return fmt.Errorf("%s is not as it was found: %v, %v", d.Name, left, err)
		}
		return nil
	}))
}

// vmacLinks are a host's links with virtual MACs.
func vmacLinks(t *testing.T, d *lab.Director) (out []string) {
	t.Helper()
	links, err := d.Links()
	must(t, err)
	list, err := links.LinkList()
	must(t, err)
	for _, l := range list {
		if strings.HasPrefix(l.Attrs().HardwareAddr.String(), "00:00:5e:00:") {
			out = append(out, l.Attrs().Name)
		}
	}
	return out
}

// neighbourOf is the MAC that a host has for an address.
func neighbourOf(t *testing.T, h *lab.Host, a netip.Addr) string {
	t.Helper()
	links, err := h.Links()
	must(t, err)
	list, err := links.NeighList(0, 0)
	must(t, err)
	for _, n := range list {
		if ip, ok := netip.AddrFromSlice(n.IP); ok && ip.Unmap() == a {
			return n.HardwareAddr.String()
		}
	}
	return ""
}
