package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"testing"

	"quorate/vip"
)

func TestFactsOfferOnlyLinksThatWork(t *testing.T) {
	subnet := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	links := []vip.Link{
		{Name: "eth0", Up: true, Carrier: true, Prefixes: subnet, Own: []netip.Addr{netip.MustParseAddr("192.0.2.9")}},
		{Name: "eth1", Up: true, Prefixes: subnet, Own: []netip.Addr{netip.MustParseAddr("192.0.2.3"), netip.MustParseAddr("fe80::1"), netip.MustParseAddr("fe80::3")}, LinkLocal: netip.MustParseAddr("fe80::3")},
		{Name: "eth2", Prefixes: subnet},
	}
	var err error
	f := &facts{fence: new(fence).kind, plane: newPlaneWorker(slog.New(slog.DiscardHandler)), links: func() ([]vip.Link, error) { return links, err }, log: slog.New(slog.DiscardHandler)}
	want := "[{eth0 [192.0.2.0/24]}]"
	if got := fmt.Sprint(f.read().Links); got != want {
		t.Errorf("links %v, want %v", got, want)
	}
	own := "[192.0.2.3 192.0.2.9 fe80::1 fe80::3]" // on links that are down too: the host answers for them all the same
	if got := fmt.Sprint(f.read().Addresses); got != own {
		t.Errorf("addresses %v, want %v", got, own)
	}
	err = errors.New("the kernel cannot be asked")
	if got := fmt.Sprint(f.read().Links); got != want {
		t.Errorf("links %v when they cannot be listed, want the last known, %v", got, want)
	}
	f.denied = []string{"no NET_ADMIN"}
	if got := f.read(); len(got.Links) != 0 || len(got.Problems) != 1 || fmt.Sprint(got.Addresses) != own {
		t.Errorf("a node that may not change addresses offers %v and has %v", got.Links, got.Addresses)
	}
}

func noLinks() ([]vip.Link, error) { return nil, nil }
