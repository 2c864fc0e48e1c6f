package lab

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// startWithout calls start on a thread of its own in the namespace, from whose bounding set some capabilities were taken:
// what a program of root has is what that set leaves it (capabilities(7)). A bounding set cannot be widened again, so the
// thread is used up; it stays until ended is closed, because the program dies with the thread that started it.
func (n *namespace) startWithout(caps []uintptr, start func() error, ended <-chan struct{}) error {
	result := make(chan error, 1)
	go onOwnThread(func() {
		err := unix.Setns(n.fd, unix.CLONE_NEWNET)
		for _, c := range caps {
			if err == nil {
				err = unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
			}
		}
		if err != nil {
			result <- fmt.Errorf("drop capabilities: %w", err)
			return
		}
		if err = start(); err == nil {
			defer func() { <-ended }()
		}
		result <- err
	})
	return <-result
}
