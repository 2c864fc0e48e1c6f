package lease

import "quorate/fsm"

// Opened says under which node epoch each address of a node was opened. It is a value: Next makes a new one.
//
// A Raise gives a node a new epoch and moves nothing. What was opened under the old one may stay as long as its lease
// lasts, so that no client sees the change; nothing new opens under it (design §3 “Kernel-enforced”: "a new epoch opens
// nothing that was not opened under it").
type Opened map[fsm.AddressKey]fsm.Epoch

// Next is what may be open now: keys are the addresses that the applied state gives to the node and has not released,
// epoch its node epoch in the same state, live tells whether the lease under an epoch lasts (Machine.Live, Service.Live).
func (o Opened) Next(keys []fsm.AddressKey, epoch fsm.Epoch, live func(fsm.Epoch) bool) Opened {
	next := make(Opened, len(keys))
	current := live(epoch)
	for _, k := range keys {
		if current {
			next[k] = epoch
		} else if under, was := o[k]; was && under != epoch && live(under) {
			next[k] = under
		}
	}
	return next
}
