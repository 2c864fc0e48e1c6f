package health

import (
	"context"
	"errors"

	"github.com/vishvananda/netlink"
)

// links hears of every change of an interface by rtnetlink.
func (w *Watch) links(ctx context.Context, hint func(id string)) error {
	news, done := make(chan netlink.LinkUpdate, 64), make(chan struct{})
	failed := make(chan error, 1)
	err := netlink.LinkSubscribeWithOptions(news, done, netlink.LinkSubscribeOptions{ErrorCallback: func(err error) {
		select {
		case failed <- err:
		default:
		}
	}})
	if err != nil {
		return err
	}
	defer func() {
		close(done)
		for range news { // it is closed when the library's goroutine ends
		}
	}()
	w.fault(string(TypeInterface), "")
	targets, changed := w.of(TypeInterface)
	for id := range targets {
		hint(id) // what happened before
	}
	for len(targets) > 0 {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			targets, changed = w.of(TypeInterface)
		case err := <-failed:
			return err
		case u, ok := <-news:
			if !ok {
				return errors.New("rtnetlink has ended")
			}
			for id, t := range targets {
				if u.Link.Attrs().Name == t.Machine.Link {
					hint(id)
				}
			}
		}
	}
	return nil
}
