package cluster

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/hashicorp/raft"

	"quorate/fsm"
)

// serverID is a member in Raft's words: the node together with its store, "n1/3f2a…". A data directory that was lost comes
// back as another server, so Raft never takes an empty log for one that had voted (design §3 “Identities”).
func serverID(n fsm.NodeID, s fsm.StoreID) raft.ServerID {
	return raft.ServerID(string(n) + "/" + string(s))
}

// splitServerID is the reverse of serverID; ok is false for anything else.
func splitServerID(id raft.ServerID) (fsm.Grantor, bool) {
	n, s, ok := strings.Cut(string(id), "/")
	if !ok || n == "" || s == "" {
		return fsm.Grantor{}, false
	}
	return fsm.Grantor{Node: fsm.NodeID(n), Store: fsm.StoreID(s)}, true
}

// Raft hands its transport only an address, and remembers a vote by the candidate's address. Both would be wrong when an
// address changes hands: a node would take entries that were meant for another, and count as two. So the address that Raft
// sees names the server too, "n1/3f2a…@10.0.0.1:7300": the listener refuses a stream that is not for it, and a vote is for
// a server.

// raftAddress makes such an address.
func raftAddress(id raft.ServerID, addr string) raft.ServerAddress {
	return raft.ServerAddress(string(id) + "@" + addr)
}

// splitRaftAddress takes it apart.
func splitRaftAddress(a raft.ServerAddress) (raft.ServerID, string, error) {
	id, addr, ok := strings.Cut(string(a), "@")
	if !ok {
		return "", "", fmt.Errorf("raft address %q names no server", a)
	}
	if _, err := netip.ParseAddrPort(addr); err != nil {
		return "", "", fmt.Errorf("raft address %q: %w", a, err)
	}
	return raft.ServerID(id), addr, nil
}
