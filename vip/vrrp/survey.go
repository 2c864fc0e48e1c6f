package vrrp

import "time"

// Survey listens to all of a link's virtual routers without being one of them. It is not safe for concurrent use.
type Survey struct {
	neighbours *Neighbours
	advert     Advert
	counts     [Reasons]uint64
}

// NewSurvey begins with nobody.
func NewSurvey() *Survey { return &Survey{neighbours: NewNeighbours(MaxScanned)} }

// Hear notes a datagram, and says why it was not.
func (s *Survey) Hear(d Datagram, at time.Duration) Reason {
	form, r := s.advert.Decode(d)
	least := uint8(0) // who sends by unicast may not be on the link, and keepalived asks no TTL of it
	if d.Destination.IsMulticast() {
		least = wireTTL
	}
	sound := s.advert.sound(r, d.TTL, least)
	if r == Accepted && !sound {
		r = BadTTL
	}
	s.counts[r]++
	if sound {
		s.neighbours.Hear(Heard{Source: d.Source, Role: Stranger, Form: form, Reason: r, Advert: &s.advert}, d.Destination, at)
	}
	return r
}

// Neighbours are the routers that were heard, ordered by VRID and address.
func (s *Survey) Neighbours() []Neighbour { return s.neighbours.All() }

// Counts is how many datagrams ended with each reason.
func (s *Survey) Counts() [Reasons]uint64 { return s.counts }
