package probe

import (
	"errors"
	"net/netip"
	"time"
)

// Bounds of one round.
const (
	MaxWait      = 10 * time.Second
	MaxAddresses = 16384
	// MaxAnswers is how many MACs are told for one address: two are a conflict, more are no more than that.
	MaxAnswers = 8
)

// What callers may branch on; they arrive wrapped, with the link and the cure.
var (
	// ErrNoLink: the host has no such interface, it is down, or it is no Ethernet.
	ErrNoLink = errors.New("nobody can be asked on this link")
	// ErrNoSource: the link has no IPv6 address of this host in whose name could be asked. IPv4 was, if it was to be.
	ErrNoSource = errors.New("no IPv6 address to ask from")
)

// Asked reports whether a round that ended with err asked for the address, and heard answers until its end.
func Asked(a netip.Addr, err error) bool {
	return err == nil || a.Is4() && errors.Is(err, ErrNoSource)
}

// Question is one round: who answers for these addresses on this link?
type Question struct {
	Link      string
	Addresses []netip.Addr
	// Wait is how long answers are heard, [MaxWait] at most. An address that nobody has answered for by half of it is asked for once more,
	// since a frame may be lost.
	Wait time.Duration
	// Enough ends the round before Wait has passed, when it returns true; nil = never. It is called for each answer as it comes, by
	// one goroutine at a time.
	Enough func(Answer) bool
}

// Answer is one MAC that answered for one address.
type Answer struct {
	Claim
	At time.Time // when it was read
}

// answers are those that have come, each MAC once for each address.
type answers struct {
	list []Answer
	by   map[netip.Addr][]MAC // with an entry for each address that was asked for
}

func newAnswers(addrs []netip.Addr) *answers {
	s := &answers{by: make(map[netip.Addr][]MAC, len(addrs))}
	for _, a := range addrs {
		s.by[a] = nil
	}
	return s
}

// add notes an answer and reports whether it is news.
func (s *answers) add(a Answer) bool {
	macs, asked := s.by[a.Addr]
	if !asked || len(macs) >= MaxAnswers {
		return false
	}
	for _, m := range macs {
		if m == a.MAC {
			return false
		}
	}
	s.by[a.Addr] = append(macs, a.MAC)
	s.list = append(s.list, a)
	return true
}

// silent are the addresses for which nobody has answered.
func (s *answers) silent(of []netip.Addr) []netip.Addr {
	var out []netip.Addr
	for _, a := range of {
		if len(s.by[a]) == 0 {
			out = append(out, a)
		}
	}
	return out
}
