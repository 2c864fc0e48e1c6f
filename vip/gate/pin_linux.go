package gate

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

const (
	bpffs = "/sys/fs/bpf"
	// pinRoot holds a directory for each network namespace that is gated.
	pinRoot = bpffs + "/quorate"
)

// namespaceName is a name for the network namespace of the calling thread: its cookie, which the kernel never gives
// twice between two boots (5.14), or else its inode number, which it does.
func namespaceName() (string, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("open a socket: %w", err)
	}
	defer unix.Close(fd)
	if cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE); err == nil {
		return fmt.Sprintf("netns-%d", cookie), nil
	}
	var st unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &st); err != nil {
		return "", fmt.Errorf("stat /proc/thread-self/ns/net: %w", err)
	}
	return fmt.Sprintf("netns-inode-%d", st.Ino), nil
}

// mounted makes sure that bpffs is there, and says if it was this call that mounted it.
func mounted() (fresh bool, err error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(bpffs, &fs); err != nil {
		return false, fmt.Errorf("%s: %w: is /sys mounted?", bpffs, err)
	}
	if fs.Type == unix.BPF_FS_MAGIC {
		return false, shared()
	}
	// Agents that start at the same time must not mount it one over the other.
	dir, err := lock(bpffs)
	if err != nil {
		return false, err
	}
	defer dir.Close()
	if err := unix.Statfs(bpffs, &fs); err != nil || fs.Type == unix.BPF_FS_MAGIC {
		return false, errors.Join(err, shared())
	}
	if err := unix.Mount("bpf", bpffs, "bpf", 0, "mode=0700"); err != nil {
		return false, fmt.Errorf("mount %s: %w: as root: mount -t bpf bpf %[1]s", bpffs, err)
	}
	if err := shared(); err != nil {
		return true, errors.Join(err, unix.Unmount(bpffs, 0))
	}
	return true, nil
}

// shared says what is wrong when the bpffs that this process sees is not the host's: each mount is one of its own, and the
// pins in one that only this process sees are gone with it, and the fence with them.
func shared() error {
	var own, host unix.Stat_t
	if err := unix.Stat(bpffs, &own); err != nil {
		return err
	}
	if err := unix.Stat("/proc/1/root"+bpffs, &host); err != nil {
		return nil // not for us to see; a service manager's sandbox keeps the host's mounts
	}
	if own.Dev != host.Dev {
		return fmt.Errorf("%s is not the host's and would be gone with this process: mount it on the host (mount -t bpf bpf %[1]s) and let the agent see it", bpffs)
	}
	return nil
}

// lock opens a directory and locks it against other processes until it is closed.
func lock(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	for range 40 { // an agent that is ending may have it for a moment
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			return f, nil
		}
		time.Sleep(25 * time.Millisecond)
	}
	f.Close()
	return nil, fmt.Errorf("lock %s: %w", path, err)
}

// lockPins locks the directory of a namespace's pins, which its agent holds as long as it runs.
func lockPins(dir string) (*os.File, error) {
	f, err := lock(dir)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("another agent gates this network namespace: %w", err)
	}
	return f, err
}

// sweep removes the pins of network namespaces that are gone: all their links were taken off by the kernel. Directories
// that a living agent has locked, or that have no links, are left alone. Only what seems to be gone is locked, if for a moment:
// the agents of other namespaces would take that for one of their own.
func sweep(log *slog.Logger) {
	dirs, _ := filepath.Glob(pinRoot + "/netns-*") // the pattern is sound
	for _, dir := range dirs {
		if !abandoned(dir) || inUse(dir) {
			continue
		}
		log.Info("pins of a network namespace that is gone", "dir", dir)
		if err := removePins(dir); err != nil {
			log.Warn("pins cannot be removed", "dir", dir, "reason", err)
		}
	}
}

// inUse says whether an agent has locked a directory of pins, or nobody can tell.
func inUse(dir string) bool {
	f, err := os.Open(dir)
	if err != nil {
		return true
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil
}

// abandoned says whether a directory has pins of links, and the network interfaces of all of them are gone.
func abandoned(dir string) bool {
	pins, err := filepath.Glob(dir + "/link-*")
	if err != nil || len(pins) == 0 {
		return false
	}
	for _, p := range pins {
		l, err := link.LoadPinnedLink(p, nil)
		if err != nil {
			return false
		}
		info, err := l.Info()
		l.Close()
		if err != nil || info.TCX() == nil || info.TCX().Ifindex != 0 {
			return false
		}
	}
	return true
}

// makePins makes a directory of pins, and its root when it is the first. The last agent of another namespace may remove the root at any
// moment until the directory is in it, and yet another make it; so what is there already is no error, and not looked at again.
func makePins(dir string) error {
	for end := time.Now().Add(time.Second); ; {
		if err := os.Mkdir(filepath.Dir(dir), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		err := os.Mkdir(dir, 0o700)
		if err == nil || errors.Is(err, os.ErrExist) {
			return nil
		}
		if !errors.Is(err, os.ErrNotExist) || time.Now().After(end) {
			return err
		}
	}
}

// removePins removes a directory of pins, and the root when it was the last.
func removePins(dir string) error {
	err := os.RemoveAll(dir)
	if rerr := os.Remove(pinRoot); rerr != nil && !errors.Is(rerr, unix.ENOTEMPTY) && !errors.Is(rerr, os.ErrNotExist) {
		err = errors.Join(err, rerr)
	}
	return err
}

// RemoveStale removes the pins that were left by agents of network namespaces that are gone, whose directory of pins in
// bpffs is named in names. For beds that end agents by force; see also [PinsOf].
func RemoveStale(names []string) error {
	var errs []error
	for _, n := range names {
		if !strings.HasPrefix(n, "netns-") || strings.Contains(n, "/") {
			return fmt.Errorf("%q is not the name of a directory of pins", n)
		}
		errs = append(errs, removePins(filepath.Join(pinRoot, n)))
	}
	return errors.Join(errs...)
}

// PinsOf is the name of the directory of pins, in /sys/fs/bpf/quorate, of the network namespace of the calling thread.
func PinsOf() (string, error) { return namespaceName() }
