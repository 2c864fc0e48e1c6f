package gate

import (
	"errors"
	"net/netip"
	"testing"
)

type named struct {
	Gate
	kind Kind
}

func (n named) Kind() Kind { return n.kind }

func TestOpenTakesTheStrongestAndSaysWhy(t *testing.T) {
	refuse := func(Options) (Gate, error) { return nil, errors.New("the kernel is too old") }
	accept := func(k Kind) func(Options) (Gate, error) {
		return func(Options) (Gate, error) { return named{kind: k}, nil }
	}

	g, why, err := open(Options{}, []variant{{KindBPF, refuse}, {KindNFT, accept(KindNFT)}})
	if err != nil || g.Kind() != KindNFT || len(why) != 1 || why[0].Error() != "bpf: the kernel is too old" {
		t.Errorf("got %v, %v, %v; want nft, and why it is not bpf", g, why, err)
	}
	if g, why, err = open(Options{}, []variant{{KindBPF, accept(KindBPF)}, {KindNFT, refuse}}); err != nil || g.Kind() != KindBPF || why != nil {
		t.Errorf("got %v, %v, %v; want bpf", g, why, err)
	}
	if g, why, err = open(Options{}, []variant{{KindBPF, refuse}, {KindNFT, refuse}}); g != nil || len(why) != 2 || !errors.Is(err, ErrNone) {
		t.Errorf("got %v, %v, %v; want none, and two reasons", g, why, err)
	}
	if g, why, err = open(Options{Only: KindNFT}, []variant{{KindBPF, accept(KindBPF)}, {KindNFT, accept(KindNFT)}}); err != nil || g.Kind() != KindNFT || why != nil {
		t.Errorf("got %v, %v, %v; want nft, which was asked for", g, why, err)
	}
	if g, why, err = open(Options{Only: KindBPF}, []variant{{KindBPF, refuse}, {KindNFT, accept(KindNFT)}}); g != nil || len(why) != 1 || !errors.Is(err, ErrNone) {
		t.Errorf("got %v, %v, %v; want none, for bpf was asked for", g, why, err)
	}
}

func TestEntryCheck(t *testing.T) {
	a := netip.MustParseAddr("192.0.2.1")
	for name, c := range map[string]struct {
		e  Entry
		ok bool
	}{
		"closed":             {Entry{Addr: a}, true},
		"open":               {Entry{Addr: a, Epoch: 3, ARP: true, IP: true}, true},
		"linger":             {Entry{Addr: a, Epoch: 3, IP: true, IPUntil: 1}, true},
		"linger that claims": {Entry{Addr: a, Epoch: 3, ARP: true, IP: true, IPUntil: 1}, false},
		"before the boot":    {Entry{Addr: a, Epoch: 3, IP: true, IPUntil: -1}, false},
		"no address":         {Entry{}, false},
		"mapped":             {Entry{Addr: netip.MustParseAddr("::ffff:192.0.2.1")}, false},
		"zone":               {Entry{Addr: netip.MustParseAddr("fe80::1%eth0")}, false},
	} {
		if err := c.e.Check(); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
