package ipvs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"quorate/lvs/nlattr"
)

// Commands and attributes of the kernel's sync daemons (include/uapi/linux/ip_vs.h). All numbers, the port too, are in the host's byte
// order (ip_vs_ctl.c, ip_vs_genl_new_daemon).
const (
	cmdNewDaemon = 9
	cmdDelDaemon = 10
	cmdGetDaemon = 11

	attrDaemon = 3

	daemonState     = 1
	daemonInterface = 2
	daemonSyncID    = 3
	daemonMaxLen    = 4
	daemonGroup4    = 5
	daemonGroup6    = 6
	daemonPort      = 7
	daemonTTL       = 8

	maxInterfaceName = 15 // IP_VS_IFNAME_MAXLEN less the final zero
)

// DaemonState is which of the two sync daemons of a network namespace is meant.
type DaemonState uint32

// The daemons (IP_VS_STATE_MASTER, IP_VS_STATE_BACKUP). A namespace can have one of each.
const (
	Master DaemonState = 1 // sends what its kernel balances
	Backup DaemonState = 2 // takes in what others send
)

// String implements fmt.Stringer; it is ipvsadm's word.
func (s DaemonState) String() string {
	switch s {
	case Master:
		return "master"
	case Backup:
		return "backup"
	default:
		return fmt.Sprintf("state %d", uint32(s))
	}
}

// Daemon is one sync daemon of the kernel: one thread, or as many as the sysctl net.ipv4.vs.sync_ports said at its start, each on a port of
// its own from Port on.
type Daemon struct {
	State     DaemonState `json:"state"`
	Interface string      `json:"interface"`
	SyncID    uint8       `json:"sync_id"` // a backup with 0 takes in any
	// MaxLen bounds a datagram's payload in bytes. The kernel fills in a 0: by the interface's MTU for a backup, for 1,500 bytes for a master.
	MaxLen uint16     `json:"max_len"`
	Group  netip.Addr `json:"group"`
	Port   uint16     `json:"port"`
	TTL    uint8      `json:"ttl"`
}

// String is the form for messages.
func (d Daemon) String() string {
	return fmt.Sprintf("%v on %s, group %v port %d, sync id %d", d.State, d.Interface, d.Group, d.Port, d.SyncID)
}

// Same reports whether d in the kernel is what is wanted; a MaxLen of 0 wants the kernel's choice.
func (d Daemon) Same(want Daemon) bool {
	if want.MaxLen == 0 {
		d.MaxLen = 0
	}
	return d == want
}

// ErrForeignDaemon is wrapped by the error of a sync daemon that another program runs.
var ErrForeignDaemon = errors.New("the kernel runs a sync daemon that is not ours")

// Daemons starts and stops the sync daemons of one network namespace. It is safe for concurrent use.
type Daemons struct {
	mu   sync.Mutex
	conn *conn
}

// OpenDaemons opens the IPVS of the network namespace of the calling thread. It returns ErrNotLoaded, wrapped, when the kernel has none.
func OpenDaemons() (*Daemons, error) {
	c, err := dial()
	if err != nil {
		return nil, fmt.Errorf("ipvs: %w", err)
	}
	return &Daemons{conn: c}, nil
}

// Close releases the socket and leaves the daemons as they are.
func (d *Daemons) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.conn.close()
}

// List returns the daemons that run, master first.
func (d *Daemons) List() ([]Daemon, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.list()
}

func (d *Daemons) list() ([]Daemon, error) {
	out, err := dump(d.conn, command{cmd: cmdGetDaemon}, nil, decodeDaemon)
	if err != nil {
		return nil, fmt.Errorf("listing the kernel's sync daemons: %w", permission(err))
	}
	slices.SortFunc(out, func(a, b Daemon) int { return int(a.State) - int(b.State) })
	return out, nil
}

// Reconcile makes the daemons those that are wanted, at most one of each state. One that differs is stopped and started again, for the kernel
// cannot change one: what it holds back at that moment, up to two seconds of changes, is lost. ours tells those that may be stopped; another
// where one is wanted is an ErrForeignDaemon, and nothing is changed. It returns how many were started or stopped.
func (d *Daemons) Reconcile(want []Daemon, ours func(Daemon) bool) (changed int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	have, err := d.list()
	if err != nil {
		return 0, err
	}
	stop, start, err := daemonChanges(have, want, ours)
	if err != nil {
		return 0, err
	}
	for _, x := range stop {
		if err := d.stop(x); err != nil {
			return changed, err
		}
		changed++
	}
	for _, x := range start {
		if err := d.command(cmdNewDaemon, x); err != nil {
			return changed, fmt.Errorf("starting the sync daemon %v: %w", x, daemonCure(x, err))
		}
		changed++
	}
	return changed, nil
}

// Restart stops and starts a daemon that runs as it is wanted.
func (d *Daemons) Restart(x Daemon) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.stop(x); err != nil {
		return err
	}
	if err := d.command(cmdNewDaemon, x); err != nil {
		return fmt.Errorf("starting the sync daemon %v: %w", x, daemonCure(x, err))
	}
	return nil
}

// stop stops a daemon. One whose thread has not run yet, because it was started a moment ago, ends with EINTR, which netlink does not answer
// (af_netlink.c, netlink_rcv_skb): then only the list tells.
func (d *Daemons) stop(x Daemon) error {
	err := d.command(cmdDelDaemon, x)
	if errors.Is(err, unix.EAGAIN) {
		left, lerr := d.list()
		if lerr == nil && !slices.ContainsFunc(left, func(y Daemon) bool { return y.State == x.State }) {
			return nil
		}
		err = errors.Join(err, lerr)
	}
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("stopping the sync daemon %v: %w", x, permission(err))
	}
	return nil
}

// daemonChanges says what to stop and what to start.
func daemonChanges(have, want []Daemon, ours func(Daemon) bool) (stop, start []Daemon, err error) {
	var foreign []error
	for _, w := range want {
		i := slices.IndexFunc(have, func(h Daemon) bool { return h.State == w.State })
		switch {
		case i < 0:
			start = append(start, w)
		case !ours(have[i]):
			foreign = append(foreign, fmt.Errorf("%w: %v; if nothing needs it: run ipvsadm --stop-daemon %v", ErrForeignDaemon, have[i], w.State))
		case have[i].Same(w):
		default:
			stop, start = append(stop, have[i]), append(start, w)
		}
	}
	for _, h := range have {
		wanted := slices.ContainsFunc(want, func(w Daemon) bool { return w.State == h.State })
		if !wanted && ours(h) {
			stop = append(stop, h)
		}
	}
	return stop, start, errors.Join(foreign...)
}

func (d *Daemons) command(cmd uint8, x Daemon) error {
	if x.Interface == "" || len(x.Interface) > maxInterfaceName {
		return fmt.Errorf("interface %q: want a name of 1 to %d bytes", x.Interface, maxInterfaceName)
	}
	return d.conn.request(command{cmd, appendDaemon(nil, x)}, 0, func([]byte) error { return nil })
}

func daemonCure(x Daemon, err error) error {
	switch {
	case errors.Is(err, unix.ENODEV):
		return fmt.Errorf("%w: there is no interface %q: name one of this host's", err, x.Interface)
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("%w: port %d is taken: choose another for the cluster", err, x.Port)
	}
	return permission(err)
}

func appendDaemon(b []byte, d Daemon) []byte {
	from := len(b)
	b = nlattr.Append(b, attrDaemon|unix.NLA_F_NESTED)
	b = append32(b, daemonState, uint32(d.State))
	b = nlattr.Append(b, daemonInterface, append([]byte(d.Interface), 0)...)
	b = append32(b, daemonSyncID, uint32(d.SyncID))
	if d.MaxLen != 0 {
		b = append16(b, daemonMaxLen, d.MaxLen)
	}
	if g := d.Group.Unmap(); g.Is4() {
		b = nlattr.Append(b, daemonGroup4, g.AsSlice()...)
	} else if g.Is6() {
		b = nlattr.Append(b, daemonGroup6, g.AsSlice()...)
	}
	if d.Port != 0 {
		b = append16(b, daemonPort, d.Port)
	}
	if d.TTL != 0 {
		b = nlattr.Append(b, daemonTTL, d.TTL)
	}
	return nest(b, from)
}

// decodeDaemon reads one answer of cmdGetDaemon.
func decodeDaemon(payload []byte) (d Daemon, err error) {
	var state, id uint32
	err = each(payload, attrDaemon, func(kind uint16, v []byte) error {
		switch kind {
		case daemonState:
			return get(&state, v)
		case daemonInterface:
			name, _, _ := bytes.Cut(v, []byte{0})
			d.Interface = string(name)
		case daemonSyncID:
			return get(&id, v)
		case daemonMaxLen:
			return get(&d.MaxLen, v)
		case daemonGroup4, daemonGroup6:
			a, ok := netip.AddrFromSlice(v)
			if !ok {
				return errTruncated
			}
			d.Group = a
		case daemonPort:
			if len(v) != 2 {
				return errTruncated
			}
			d.Port = binary.NativeEndian.Uint16(v)
		case daemonTTL:
			if len(v) != 1 {
				return errTruncated
			}
			d.TTL = v[0]
		}
		return nil
	})
	if err != nil {
		return d, fmt.Errorf("sync daemon: %w", err)
	}
	d.State, d.SyncID = DaemonState(state), uint8(id)
	return d, nil
}
