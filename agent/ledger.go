package agent

import (
	"encoding/json"
	"fmt"
	"os"

	"quorate/lvs"
	"quorate/lvs/durable"
)

// ledgerFile is the ledger's name in the data directory.
const ledgerFile = "services.json"

// ledger remembers, beyond the death of the process, on which addresses and by which firewall marks the kernel may hold services of ours.
// IPVS has no sign for them, and the cluster may have forgotten an address by the time that a killed agent starts again. It also
// remembers what the kernel's timeouts were before they were changed.
//
// An address or mark is written before a service is programmed on it, and taken out after the last one is gone. The kernel's table
// does not outlive the boot, nor leave the network namespace, so the ledger of another boot or namespace says nothing. That is also
// why nothing is synced: what a killed process has written is there, and what a power failure loses is worth nothing.
type ledger struct {
	path string
	page
}

// page is the content of the file.
type page struct {
	durable.Place
	lvs.Scope
	Timeouts lvs.Timeouts `json:"timeouts_before,omitzero"` // zero = they are as they were
}

// openLedger reads the ledger at path, if it is of this boot and network namespace. One that cannot be read is taken to be
// empty, with an error that says so.
func openLedger(path string) (*ledger, error) {
	here, err := durable.Here()
	if err != nil {
		return nil, err
	}
	p, err := durable.Recall(path, page{Place: here})
	l := &ledger{path: path, page: p}
	if err != nil {
		return l, fmt.Errorf("%s: services of an agent that was killed may stay in the kernel: %w", path, err)
	}
	return l, nil
}

// scope is where services of ours may be. A nil ledger has none, and keeps none.
func (l *ledger) scope() lvs.Scope {
	if l == nil {
		return lvs.Scope{}
	}
	return l.Scope
}

// keep writes the scope down, unless it is there already.
func (l *ledger) keep(s lvs.Scope) error {
	if l == nil || s.Equal(l.Scope) {
		return nil
	}
	p := l.page
	p.Scope = s
	return l.turn(p)
}

// before are the kernel's timeouts as they were; zero = they are as they were. A nil ledger has none, and keeps none.
func (l *ledger) before() lvs.Timeouts {
	if l == nil {
		return lvs.Timeouts{}
	}
	return l.Timeouts
}

// keepTimeouts writes them down, unless they are there already.
func (l *ledger) keepTimeouts(t lvs.Timeouts) error {
	if l == nil || t == l.Timeouts {
		return nil
	}
	p := l.page
	p.Timeouts = t
	return l.turn(p)
}

// turn puts another page in place of the one that there is.
func (l *ledger) turn(p page) error {
	b, err := json.Marshal(p)
	if err == nil {
		err = os.WriteFile(l.path+".new", b, 0o600)
	}
	if err == nil {
		err = os.Rename(l.path+".new", l.path)
	}
	if err != nil {
		return fmt.Errorf("note what is ours in the kernel: %w", err)
	}
	l.page = p
	return nil
}
