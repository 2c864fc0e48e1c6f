package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"quorate/api"
	"quorate/cluster/lease"
	"quorate/fsm"
	"quorate/vip"
	"quorate/vip/gate"
)

// fence is what silences this node when its lease has run out: the kernel's gate, or where there is none the lifetimes of
// its addresses.
type fence struct {
	gate     gate.Gate     // nil: there is none
	why      []error       // what the better ones lack, and the cure
	failing  atomic.Bool   // the last renewal failed
	failures atomic.Uint64 // renewals that the kernel refused

	self  atomic.Pointer[selfGrant]
	lapse lapse
}

// guard says whether a lease that comes back after its end has to wait for the actuator (lapse).
func (f *fence) guard(on bool) error { return f.lapse.guard(on, f.renewed) }

// lapsed is which one waits; 0 = none.
func (f *fence) lapsed() uint64 { return f.lapse.lapsed() }

// resume lets it in.
func (f *fence) resume(which uint64) error { return f.lapse.resume(which, f.renewed) }

// selfGrant is until when this node has granted itself what it holds without a quorum.
type selfGrant struct {
	epoch fsm.Epoch
	until lease.Instant
}

// FenceAuto is the fence of Options that takes the strongest that can be had.
const FenceAuto = "auto"

// openFence takes the fence that is asked for. The error says that it cannot be had: then this node is to own nothing. There is a fence
// in any case.
func openFence(kind string, log *slog.Logger) (f *fence, err error) {
	f = &fence{}
	defer func() {
		for _, w := range f.why {
			level := slog.LevelWarn
			if err == nil && kind != FenceAuto && kind != "" { // as it was asked for
				level = slog.LevelInfo
			}
			log.Log(context.Background(), level, "a stronger fence is not had", "fence", f.kind(), "reason", w)
		}
		log.Info("fence", "fence", f.kind())
	}()
	o := gate.Options{Log: log}
	switch kind {
	case FenceAuto, "":
	case string(gate.KindLifetime):
		f.why = []error{fmt.Errorf(`the agent's setting fence = %q allows no other`, kind)}
		return f, nil
	case string(gate.KindBPF), string(gate.KindNFT):
		o.Only = gate.Kind(kind)
	default:
		return f, fmt.Errorf("fence %q is not known: use auto, bpf, nft or address-lifetime", kind)
	}
	g, why, err := gate.Open(o)
	if err == nil {
		f.gate, f.why = g, why
		if o.Only == gate.KindNFT {
			f.why = []error{fmt.Errorf(`the agent's setting fence = %q allows no other`, kind)}
		}
		return f, nil
	}
	f.why = why
	if o.Only != "" {
		return f, fmt.Errorf(`the agent's setting fence = %q cannot be carried out: %w; cure that, or set fence = "auto"`, kind, errors.Join(why...))
	}
	return f, nil
}

// kind is the word for it in status and metrics.
func (f *fence) kind() gate.Kind {
	if f.gate == nil {
		return gate.KindLifetime
	}
	return f.gate.Kind()
}

// forVIPs is the gate as the actuator of addresses takes it; nil when there is none.
func (f *fence) forVIPs() vip.Gate {
	if f.gate == nil {
		return nil
	}
	return f.gate
}

// renewed tells the kernel until when what was opened under an epoch is open. It is called by the goroutine that renews. It returns the first
// error of a row.
func (f *fence) renewed(c lease.LeaseChanged) error {
	if f.gate == nil {
		return nil
	}
	err := f.gate.Renew(uint64(c.Epoch), c.Until.Boot)
	if err != nil {
		f.failures.Add(1)
	}
	if was := f.failing.Swap(err != nil); err != nil && !was {
		return fmt.Errorf("the kernel's gate was not told of the lease, so addresses fall silent: %w", err)
	}
	return nil
}

// selfGranted tells the kernel until when what is held without a quorum is open, under an epoch of its own: no address that was
// opened under a lease is open a moment longer for it. The zero instant ends it.
func (f *fence) selfGranted(epoch fsm.Epoch, until lease.Instant) error {
	f.self.Store(&selfGrant{epoch, until})
	if f.gate == nil {
		return nil
	}
	if err := f.gate.Renew(uint64(epoch), until.Boot); err != nil {
		return fmt.Errorf("the kernel's gate was not told until when it is held: %w", err)
	}
	return nil
}

// selfLive reports whether what was granted under the epoch lasts at now.
func (f *fence) selfLive(epoch fsm.Epoch, now lease.Instant) bool {
	g := f.self.Load()
	return g != nil && g.epoch == epoch && now.Raw < g.until.Raw && now.Boot < g.until.Boot
}

// status is what the API says of it; life is the lifetime of addresses.
func (f *fence) status(life time.Duration) api.Fence {
	out := api.Fence{Kind: string(f.kind())}
	switch f.kind() {
	case gate.KindBPF:
		out.Detail = "the kernel closes the addresses in the very millisecond in which the lease ends, whatever becomes of the agent"
	case gate.KindNFT:
		out.Detail = "the kernel closes the addresses when the lease ends; an agent that is frozen while it renews may keep them open for up to one lease longer"
	default:
		out.Detail = fmt.Sprintf("an agent that dies or hangs leaves its addresses until their lifetime ends, at most %s", life)
	}
	var why []string
	for _, w := range f.why {
		why = append(why, w.Error())
	}
	out.Missing = strings.Join(why, "; ")
	return out
}

// problems are what the node complains about.
func (f *fence) problems(st vip.Status) []string {
	var out []string
	if st.Gate != nil {
		out = append(out, st.Gate.Error())
	}
	if f.failing.Load() {
		out = append(out, "the kernel's gate is not told of the lease: addresses are silent; see the agent's log")
	}
	return out
}

// drops are the gate's counters; nothing when there is none.
func (f *fence) drops() ([]gate.Drops, error) {
	if f.gate == nil {
		return nil, nil
	}
	return f.gate.Drops()
}

// close is for the end of the process.
func (f *fence) close() error {
	if f.gate == nil {
		return nil
	}
	if err := f.gate.Close(); err != nil {
		return errors.Join(errors.New("close the gate"), err)
	}
	return nil
}
