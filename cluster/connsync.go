package cluster

import (
	"net/netip"

	"quorate/fsm"
)

// What connection sync needs of a cluster; the rest of it is not this package's.

// SyncKey is the key for the datagrams of connection sync, derived from the cluster's; nil while this node is in no cluster.
func (n *Node) SyncKey() []byte {
	m := n.current.Load()
	if m == nil {
		return nil
	}
	return deriveKey(m.identity().Key, purposeSync)
}

// SyncBind is where this node hears the datagrams of connection sync.
func (n *Node) SyncBind() netip.AddrPort { return syncAddr(n.addr.bind) }

// SyncAddr is where a member hears them; false when its address is not known.
func (n *Node) SyncAddr(id fsm.NodeID) (netip.AddrPort, bool) {
	m := n.current.Load()
	if m == nil {
		return netip.AddrPort{}, false
	}
	s, _, ok := m.directory.node(id)
	if !ok {
		return netip.AddrPort{}, false
	}
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		return netip.AddrPort{}, false
	}
	return syncAddr(a), true
}
