package lab

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"quorate/vip/gate"
)

// namespace is an anonymous network namespace. A descriptor of this process holds it; a thread of this process, the
// keeper, lives in it and is the parent of every program started in it.
type namespace struct {
	fd    int
	inode uint64
	pins  string          // where an agent in it pins its gate
	links *netlink.Handle // NETLINK_ROUTE in the namespace

	mounts bool // the keeper has a mount namespace of its own; for the keeper

	jobs chan func() // run by the keeper, one at a time
	gone chan struct{}
	once sync.Once
}

// newNamespace makes a namespace with lo up.
func newNamespace() (*namespace, error) {
	n := &namespace{fd: -1, jobs: make(chan func()), gone: make(chan struct{})}
	made := make(chan error, 1)
	go onOwnThread(func() {
		defer close(n.gone)
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			made <- fmt.Errorf("make a network namespace: %w; run as root", err)
			return
		}
		fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			n.pins, err = gate.PinsOf()
		}
		made <- err
		if err != nil {
			return
		}
		n.fd = fd
		for job := range n.jobs {
			job()
		}
	})
	if err := <-made; err != nil {
		return nil, err
	}
	if err := n.open(); err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

// open fills in what needs the descriptor.
func (n *namespace) open() error {
	var st unix.Stat_t
	if err := n.onKeeper(func() error { return unix.Fstat(n.fd, &st) }); err != nil {
		return fmt.Errorf("stat the network namespace: %w", err)
	}
	n.inode = st.Ino
	h, err := netlink.NewHandleAt(netns.NsHandle(n.fd), unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink in the network namespace: %w", err)
	}
	n.links = h
	lo, err := h.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	if err := h.LinkSetUp(lo); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	return nil
}

// onKeeper runs f on the thread that lives as long as the namespace. Programs are started there: PR_SET_PDEATHSIG fires
// when the thread that forked ends, not when the process does.
func (n *namespace) onKeeper(f func() error) error {
	var err error
	done := make(chan struct{})
	job := func() {
		defer close(done)
		err = f()
	}
	select {
	case n.jobs <- job:
	case <-n.gone:
		return errors.New("the network namespace is gone")
	}
	<-done
	return err
}

// do runs f on a thread of its own inside the namespace and returns what f returns. Calls may run at the same time and
// may nest.
func (n *namespace) do(f func() error) error {
	err := errors.New("the function ended its goroutine")
	done := make(chan struct{})
	go onOwnThread(func() {
		defer close(done)
		if e := unix.Setns(n.fd, unix.CLONE_NEWNET); e != nil {
			err = fmt.Errorf("enter the network namespace: %w", e)
			return
		}
		err = f()
	})
	<-done
	return err
}

// close lets go of the namespace. The kernel removes it, and the links in it, when the last process and socket in it are
// gone.
func (n *namespace) close() {
	n.once.Do(func() {
		close(n.jobs)
		<-n.gone
		if n.links != nil {
			n.links.Close()
		}
		if n.fd >= 0 {
			_ = unix.Close(n.fd) // nothing can be done about it, and nothing is lost
			// An agent that was killed leaves its gate, as it should; with the machine that the namespace is, that goes too.
			_ = gate.RemoveStale([]string{n.pins}) // what stays, the next agent on this machine removes
		}
	})
}

// onOwnThread runs f on an operating-system thread that ends with it, so that a changed namespace reaches no other
// goroutine. The first thread of the process cannot end, and /proc/self shows its namespaces: it is passed over.
func onOwnThread(f func()) {
	runtime.LockOSThread()
	if unix.Gettid() != os.Getpid() {
		f() // the thread is not unlocked, hence ends with the goroutine
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		onOwnThread(f)
	}()
	<-done
	runtime.UnlockOSThread()
}
