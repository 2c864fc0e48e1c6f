package speak

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"quorate/vip"
	"quorate/vip/viptest"
	"quorate/vip/vrrp"
)

// inHeader is a keepalived that wraps its adverts in authentication headers. Another VRID of it is none of ours.
const inHeader = `
global_defs {
  router_id test
  vrrp_garp_master_delay 0
}
vrrp_instance ours {
  state MASTER
  interface eth0
  virtual_router_id 51
  priority 150
  version 2
  advert_int 1
  authentication {
    auth_type AH
    auth_pass secret12
  }
  virtual_ipaddress {
    192.168.1.51/24
  }
}
vrrp_instance others {
  state MASTER
  interface eth0
  virtual_router_id 52
  priority 150
  version 2
  advert_int 1
  authentication {
    auth_type AH
    auth_pass secret12
  }
  virtual_ipaddress {
    192.168.1.52/24
  }
}
`

// TestHearsKeepalivedInAuthenticationHeaders: a real keepalived with auth_type AH is named, with the cure, and its claim moves nothing.
func TestHearsKeepalivedInAuthenticationHeaders(t *testing.T) {
	us, them := viptest.New(t), viptest.New(t)
	us.Veth("eth0", them, "eth0")
	for i, h := range []*viptest.Space{us, them} {
		h.Up("lo")
		h.Up("eth0")
		h.Address("eth0", []string{"192.168.1.1/24", "192.168.1.10/24"}[i])
	}
	k := them.Keepalived(inHeader)
	events := make(chan Event, 100)
	s := New(Options{
		Links: func() (links []vip.Link, err error) {
			err = us.In(func() (err error) {
				links, err = vip.Links()
				return err
			})
			return links, err
		},
		Open: func(o vrrp.ConnOptions) (w Wire, err error) {
			err = us.In(func() (err error) {
				w, err = vrrp.Open(o)
				return err
			})
			return w, err
		},
		Live: func(uint64) bool { return true },
		Tell: func(e Event) { events <- e },
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	r := router(51)
	r.Config.Version, r.Config.Auth, r.Config.Password = vrrp.V2, vrrp.AuthPassword, vrrp.PasswordOf("secret12")
	r.Config.Priority, r.Config.Addresses, r.Config.Listed = 100, addrs("192.168.1.51"), addrs("192.168.1.10")
	s.Want([]Router{r})
	select {
	case e := <-events:
		if e.Kind != Differs || e.Difference != vrrp.AuthDiffers || e.Role != vrrp.Listed || e.Priority != 150 || !strings.Contains(e.Text, "set auth_type PASS there, or none") {
			t.Errorf("told %+v", e)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("it is not named: %+v; keepalived: %s", s.Status(), k.Log(0))
	}
	for s.View(id51).Deaf != netip.MustParseAddr("192.168.1.10") { // it is looked at soon after
		select {
		case <-s.News():
		case <-time.After(20 * time.Second):
			t.Fatalf("it sees %+v", s.View(id51))
		}
	}
	v, st := s.View(id51), s.Status()
	if v.Active.Source.IsValid() || v.Outranks || v.Yielded || len(st) != 1 || st[0].Counts[vrrp.InAH] == 0 || st[0].Counts[vrrp.Accepted] != 0 || len(st[0].Neighbours) != 1 {
		t.Fatalf("it sees %+v; %+v", v, st)
	}
	if n := st[0].Neighbours[0]; n.Auth != vrrp.AuthHeader || n.Interval != sec || len(n.Addresses) != 1 || n.Addresses[0] != addrs("192.168.1.51")[0] || n.Differs.All()[0] != vrrp.AuthDiffers {
		t.Errorf("heard %+v", n)
	}
	s.mu.Lock()
	l := s.lines[id51.line()]
	s.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := l.speaker.Unknown(); n != 0 {
		t.Errorf("%d adverts of no router of ours came in", n)
	}
}
