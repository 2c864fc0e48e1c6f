package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Disk is a small file system of one host, to be filled up or to stall. It is an image in the lab's directory on a loop
// device, mounted where only the host's programs see it: in a mount namespace that ends with the host's keeper, so that a
// lab that is killed leaves neither mount nor device. Its content survives a loss of power.
type Disk struct {
	Dir string // where the host's programs find it

	host  *Host
	image string

	mu     sync.Mutex
	root   *os.File // open while mounted
	freeze *Process // that stalls it
}

// ErrNoDisk says what this machine lacks for a [Disk].
var ErrNoDisk = errors.New("a disk of its own needs loop devices and mkfs.ext4 (apt-get install e2fsprogs)")

// AddDisk gives the host a disk of some bytes (8 MB at least), mounted at dir. The error is ErrNoDisk where the machine permits none.
func (h *Host) AddDisk(dir string, size int64) (*Disk, error) {
	if size < 8<<20 {
		return nil, fmt.Errorf("host %s: a disk of %d bytes: want at least 8 MB", h.Name, size)
	}
	d := &Disk{Dir: dir, host: h, image: filepath.Join(h.Dir, filepath.Base(dir)+".img")}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	image, err := os.OpenFile(d.image, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(image.Truncate(size), image.Close()); err != nil {
		return nil, err
	}
	// No reserve for root: a full disk is full for the agent, too.
	if out, err := exec.CommandContext(h.lab.ctx, "mkfs.ext4", "-q", "-F", "-m", "0", d.image).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %w %s", ErrNoDisk, err, out)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ns != nil {
		if err := d.mount(h.ns); err != nil {
			return nil, err
		}
	}
	h.disks = append(h.disks, d)
	return d, nil
}

// mount mounts the disk on the host's keeper, from which its programs inherit it.
func (d *Disk) mount(ns *namespace) error {
	loop, err := attach(d.image)
	if err != nil {
		return err
	}
	defer loop.Close() // the mount holds the device; without one it goes
	return ns.onKeeper(func() error {
		if err := ns.ownMounts(); err != nil {
			return err
		}
		if err := unix.Mount(loop.Name(), d.Dir, "ext4", unix.MS_NOATIME, ""); err != nil {
			return fmt.Errorf("host %s: mount its disk: %w", d.host.Name, err)
		}
		root, err := os.Open(d.Dir)
		d.mu.Lock()
		d.root = root
		d.mu.Unlock()
		return err
	})
}

// ownMounts gives the keeper, on which it runs, a mount namespace of its own from which nothing gets out.
func (n *namespace) ownMounts() error {
	if n.mounts {
		return nil
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	n.mounts = true
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mount namespace private: %w", err)
	}
	return nil
}

// attach makes a loop device of the image that goes away with its last user.
func attach(image string) (*os.File, error) {
	file, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoDisk, err)
	}
	defer control.Close()
	for range 100 { // another program may take the free one first
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoDisk, err)
		}
		loop, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), os.O_RDWR, 0)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoDisk, err)
		}
		config := unix.LoopConfig{Fd: uint32(file.Fd()), Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR}}
		if err = unix.IoctlLoopConfigure(int(loop.Fd()), &config); err == nil {
			return loop, nil
		}
		_ = loop.Close()
		if !errors.Is(err, unix.EBUSY) {
			return nil, fmt.Errorf("%w: %w", ErrNoDisk, err)
		}
	}
	return nil, fmt.Errorf("%w: none is free", ErrNoDisk)
}

// unmount takes the disk off a host whose programs have ended, and waits until its content is in the image.
func (d *Disk) unmount(ns *namespace) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.root == nil {
		return nil
	}
	err := d.root.Close()
	d.root = nil
	return errors.Join(err, ns.onKeeper(func() error {
		// A child that another goroutine is starting has a copy of root until it becomes its program, and who was killed leaves
		// its namespaces before the kernel has closed the last of its files.
		err := unix.Unmount(d.Dir, 0)
		for deadline := time.Now().Add(10 * time.Second); errors.Is(err, unix.EBUSY) && time.Now().Before(deadline); err = unix.Unmount(d.Dir, 0) {
			time.Sleep(time.Millisecond)
		}
		if err != nil {
			return fmt.Errorf("host %s: unmount its disk: %w", d.host.Name, err)
		}
		return nil
	}))
}

// filler is the file that takes up what is free.
const filler = "filler"

// Fill leaves no byte free.
func (d *Disk) Fill() error {
	ns, err := d.host.namespace()
	if err != nil {
		return err
	}
	return ns.onKeeper(func() error {
		f, err := os.Create(filepath.Join(d.Dir, filler))
		if err != nil {
			return err
		}
		for size := 1 << 20; size > 0; { // ever smaller pieces
			if _, err = f.Write(make([]byte, size)); err != nil {
				size /= 2
			}
		}
		if !errors.Is(err, unix.ENOSPC) {
			return errors.Join(fmt.Errorf("host %s: fill its disk: %w", d.host.Name, err), f.Close())
		}
		return f.Close()
	})
}

// Free ends a Fill.
func (d *Disk) Free() error {
	ns, err := d.host.namespace()
	if err != nil {
		return err
	}
	return ns.onKeeper(func() error {
		if err := os.Remove(filepath.Join(d.Dir, filler)); !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	})
}

// Stall holds up every write and fsync until Resume, or the end of the lab: the file system is frozen (FIFREEZE,
// ioctl_fsfreeze). A program of its own does it, which thaws when it is asked to or when this process is killed: a frozen file
// system would outlive its mount.
func (d *Disk) Stall(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.freeze != nil {
		return fmt.Errorf("host %s: its disk stalls already", d.host.Name)
	}
	p, err := d.host.startRole(ctx, "freeze", freezeSettings{d.Dir}, Program{Name: "freeze", Last: syscall.SIGTERM})
	if err != nil {
		return err
	}
	d.freeze = p
	d.host.lab.log.Info("disk stalled", "node", d.host.Name)
	return nil
}

// Resume ends a Stall.
func (d *Disk) Resume() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.freeze == nil {
		return nil
	}
	err := d.freeze.Signal(syscall.SIGTERM)
	<-d.freeze.Done()
	d.freeze = nil
	if d.root != nil { // whatever became of the program
		if e := unix.IoctlSetInt(int(d.root.Fd()), fiThaw, 0); e != nil && !errors.Is(e, unix.EINVAL) {
			err = errors.Join(err, fmt.Errorf("host %s: thaw its disk: %w", d.host.Name, e))
		}
	}
	return err
}

// Requests of ioctl_fsfreeze (linux/fs.h: _IOWR('X', 119, int) and 120); golang.org/x/sys lacks them.
const (
	fiFreeze = 0xc0045877
	fiThaw   = 0xc0045878
)

type freezeSettings struct {
	Dir string `json:"dir"`
}

// freezeRole is the program that stalls a disk.
func freezeRole(ctx context.Context, args []string) error {
	var s freezeSettings
	if err := roleSettings(args, &s); err != nil {
		return err
	}
	root, err := os.Open(s.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := unix.IoctlSetInt(int(root.Fd()), fiFreeze, 0); err != nil {
		return fmt.Errorf("freeze %s: %w", s.Dir, err)
	}
	fmt.Println(readyLine)
	<-ctx.Done()
	if err := unix.IoctlSetInt(int(root.Fd()), fiThaw, 0); err != nil {
		return fmt.Errorf("thaw %s: %w", s.Dir, err)
	}
	return nil
}
