package lvstest

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Alone runs f in a network namespace of its own, which goes when f returns: there is a loopback interface, down, and the kernel's settings as it
// begins with them. It is another goroutine than the test's, which f cannot end: use t.Error there, not t.Fatal. It skips without root.
func Alone(t testing.TB, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("no root: a network namespace cannot be made")
	}
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("making a network namespace: %w", err)
		}
		f()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
