package vrrp

import "fmt"

// Reason is why a datagram was dropped. It reaches counters, logs and pages unchanged, by its String.
type Reason uint8

const (
	// Accepted: it was not.
	Accepted Reason = iota
	// Truncated: it is shorter than its headers.
	Truncated
	// NotVRRP: another version of IP, another protocol, or a fragment.
	NotVRRP
	// UnknownVRID: nobody here is that virtual router.
	UnknownVRID
	// OwnSource: it carries our own address: our frame came back, or another host has our address.
	OwnSource
	// InAH: it is wrapped in an IP authentication header.
	InAH
	// NoAddresses: it carries none (RFC 9568 section 5.2.5).
	NoAddresses
	// BadLength: its length is not what the number of addresses makes it.
	BadLength
	// BadTTL: it has passed a router, or was sent by somebody who is not on the link (RFC 9568 section 7.1).
	BadTTL
	// BadVersion: it is of another version than ours, or of one that does not exist.
	BadVersion
	// Unsigned: it has no trailer, and ours must.
	Unsigned
	// UnexpectedTrailer: it has one, and we have no keys.
	UnexpectedTrailer
	// BadTrailer: the trailer is of an unknown type.
	BadTrailer
	// UnknownKey: it is signed with a key that we do not have.
	UnknownKey
	// BadSignature: the signature is not that of the key.
	BadSignature
	// Stale: it was signed too long ago, or in the future: an old capture, or clocks that differ.
	Stale
	// Replayed: it is not newer than one that was heard before.
	Replayed
	// BadAuthType: its authentication is of another type than ours.
	BadAuthType
	// BadPassword: its password is not ours.
	BadPassword
	// BadInterval: a version 2 interval that is not ours (RFC 3768 section 7.1).
	BadInterval
	// BadType: it is no ADVERTISEMENT.
	BadType
	// ZeroInterval: the interval of version 3 is zero (RFC 9568 section 7.1).
	ZeroInterval
	// BadChecksum: in none of the forms that are in use.
	BadChecksum
	// BadDestination: multicast where we speak unicast, or the other way round, or another group.
	BadDestination
	// BadAddresses: its addresses are not ours, and we are told to mind (RFC 3768 section 7.1).
	BadAddresses
	// UnknownSource: unicast from nobody who is configured.
	UnknownSource
	// Surplus: another one for the same virtual router was heard in the same batch.
	Surplus

	// Reasons is how many there are, for arrays of counters.
	Reasons
)

var reasonNames = [Reasons]string{
	"accepted", "truncated", "not-vrrp", "unknown-vrid", "own-source", "authentication-header", "no-addresses", "length", "ttl", "version",
	"unsigned", "unexpected-trailer", "trailer", "unknown-key", "signature", "stale", "replayed", "authentication-type", "password", "interval",
	"type", "zero-interval", "checksum", "destination", "addresses", "unknown-source", "surplus",
}

// String is the reason's name in counters and logs.
func (r Reason) String() string {
	if r < Reasons {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// MarshalText implements encoding.TextMarshaler.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
