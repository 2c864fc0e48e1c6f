package lease

import (
	"bytes"
	"errors"
	"sync"
	"testing"
)

func sealer(t testing.TB, key byte) *Sealer {
	s, err := NewSealer(bytes.Repeat([]byte{key}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSeal(t *testing.T) {
	a, b := sealer(t, 1), sealer(t, 1)
	plain := []byte("renew")
	sealed := a.Seal([]byte("head"), plain)
	if !bytes.HasPrefix(sealed, []byte("headqLs\x01")) || len(sealed) != 4+len(plain)+SealOverhead {
		t.Fatalf("%q", sealed)
	}
	sealed = sealed[4:]
	for range 2 { // with the key derived, then with the kept one
		got, err := b.Open([]byte("x"), sealed)
		if err != nil || string(got) != "xrenew" {
			t.Fatalf("%q %v", got, err)
		}
	}
	if bytes.Equal(a.Seal(nil, plain), a.Seal(nil, plain)) {
		t.Fatal("a nonce was used twice")
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := b.Open(nil, bad); !errors.Is(err, ErrSeal) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		if _, err := b.Open(nil, sealed[:i]); !errors.Is(err, ErrSeal) {
			t.Fatalf("cut to %d: %v", i, err)
		}
	}
	if _, err := sealer(t, 2).Open(nil, sealed); !errors.Is(err, ErrSeal) {
		t.Fatalf("another key: %v", err)
	}
	if _, err := b.Open(nil, a.Seal(nil, make([]byte, MaxDatagram))); !errors.Is(err, ErrSeal) {
		t.Fatalf("too long: %v", err)
	}
	if _, err := NewSealer(make([]byte, 16)); err == nil {
		t.Fatal("a short key was taken")
	}
}

func TestSealerKeepsFewKeys(t *testing.T) {
	s := sealer(t, 1)
	var first []byte
	for range 3 * maxSalts {
		sealed := sealer(t, 1).Seal(nil, []byte("x"))
		if first == nil {
			first = sealed
		}
		if _, err := s.Open(nil, sealed); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.peers) != maxSalts || len(s.order) != maxSalts {
		t.Fatalf("%d keys, %d in order", len(s.peers), len(s.order))
	}
	if _, err := s.Open(nil, first); err != nil { // forgotten, derived again
		t.Fatal(err)
	}
	stranger := sealer(t, 2).Seal(nil, []byte("x"))
	before := s.order[maxSalts-1]
	s.Open(nil, stranger)
	if s.order[maxSalts-1] != before {
		t.Fatal("a stranger's salt was kept")
	}
}

func FuzzOpen(f *testing.F) {
	s := sealer(f, 1)
	f.Add(s.Seal(nil, []byte("renew")))
	f.Add([]byte("qLs\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if plain, err := s.Open(nil, b); err == nil {
			if len(plain)+SealOverhead != len(b) {
				t.Fatalf("%d bytes of %d", len(plain), len(b))
			}
		} else if !errors.Is(err, ErrSeal) {
			t.Fatal(err)
		}
	})
}

// TestSealerUses: what is sealed for one use does not open for another, not even under the other's magic.
func TestSealerUses(t *testing.T) {
	key := make([]byte, 32)
	l, err := NewSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewSealerFor(key, SyncUse)
	if err != nil {
		t.Fatal(err)
	}
	sealed := l.Seal(nil, []byte("renew"))
	copy(sealed[:headerSize], SyncUse.header[:])
	for _, b := range [][]byte{l.Seal(nil, []byte("renew")), sealed} {
		if _, err := c.Open(nil, b); !errors.Is(err, ErrSeal) {
			t.Errorf("a datagram of the lease opens as one of connection sync: %v", err)
		}
	}
	if got, err := c.Open(nil, c.Seal(nil, []byte("x"))); err != nil || string(got) != "x" {
		t.Errorf("%q %v", got, err)
	}
}

// A key seals no more than its share; whoever opens follows to the next one.
func TestSealerRenewsItsKey(t *testing.T) {
	a, b := sealer(t, 1), sealer(t, 1)
	a.limit = 10
	const senders, each = 4, 25
	out := make(chan []byte, senders*each)
	var sending sync.WaitGroup
	for range senders {
		sending.Go(func() {
			for range each {
				out <- a.Seal(nil, []byte("renew"))
			}
		})
	}
	sending.Wait()
	close(out)
	under := make(map[[saltSize]byte]int)
	for sealed := range out {
		if got, err := b.Open(nil, sealed); err != nil || string(got) != "renew" {
			t.Fatalf("%q %v", got, err)
		}
		under[[saltSize]byte(sealed[headerSize:])]++
	}
	for salt, n := range under {
		if n > 10+senders { // those who had the old key in hand
			t.Errorf("%x sealed %d datagrams", salt, n)
		}
	}
	if len(under) < senders*each/(10+senders) {
		t.Errorf("%d keys", len(under))
	}
}
