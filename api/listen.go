package api

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// ListenUnix listens at path with mode 0660. It makes the directory when missing. A socket left behind by a dead agent is
// removed; one that somebody answers is not, and neither is anything that is no socket. The returned listener removes the
// socket when it is closed.
func ListenUnix(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("socket %s: make its directory: %w; make that directory, or name another socket with --socket", path, err)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	// Bound under a name that nobody knows, given its mode, then renamed: there is no moment at which others could
	// connect with the mode that the umask left.
	tmp := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: tmp, Net: "unix"})
	if err != nil {
		if len(tmp) > 100 {
			return nil, fmt.Errorf("socket %s: %w (unix socket paths end at 107 characters: choose a shorter one with --socket)", path, err)
		}
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	l.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(tmp, 0o660), os.Rename(tmp, path)); err != nil {
		_ = l.Close()
		_ = os.Remove(tmp)
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	return &unixListener{UnixListener: l, path: path}, nil
}

// unixListener removes its socket file on Close.
type unixListener struct {
	*net.UnixListener
	path string
	once sync.Once
	err  error
}

// Close removes the socket and stops listening, in this order: as long as somebody answers no other agent takes the path,
// so what is removed is ours.
func (l *unixListener) Close() error {
	l.once.Do(func() {
		rm := os.Remove(l.path)
		if errors.Is(rm, os.ErrNotExist) {
			rm = nil
		}
		l.err = errors.Join(rm, l.UnixListener.Close())
	})
	return l.err
}

func removeStale(path string) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("socket %s: %w", path, err)
	}
	if fi.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("socket %s: there is a %s at that path, not a socket: remove it or name another with --socket", path, fileKind(fi.Mode()))
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = c.Close()
		return fmt.Errorf("socket %s: another agent answers there: stop it, or name another socket with --socket", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("socket %s: is somebody there? %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("socket %s: remove the one left by a dead agent: %w", path, err)
	}
	return nil
}

func fileKind(m os.FileMode) string {
	switch {
	case m.IsDir():
		return "directory"
	case m.IsRegular():
		return "file"
	case m&os.ModeSymlink != 0:
		return "symbolic link"
	default:
		return "special file"
	}
}

// ListenTCP listens on a loopback address ("127.0.0.1:7302", "[::1]:7302"). Any other is refused: the API does not ask a TCP
// client who it is.
func ListenTCP(addr string) (net.Listener, error) {
	if err := CheckTCP(addr); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("http address %q: %w", addr, err)
	}
	return l, nil
}

// CheckTCP says why ListenTCP would refuse the address, whatever the machine is like.
func CheckTCP(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("http address %q: %w (write it as IP:PORT, e.g. 127.0.0.1:7302)", addr, err)
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return fmt.Errorf("http address %q: the host must be an IP address, e.g. 127.0.0.1", addr)
	}
	if !ip.IsLoopback() {
		return fmt.Errorf("http address %q is not loopback: the API does not ask TCP clients who they are yet, so anybody "+
			"who reaches that address would run the cluster; use 127.0.0.1 or [::1], and ssh or the unix socket from elsewhere", addr)
	}
	return nil
}
