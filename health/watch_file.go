package health

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// files watches the directories of the files, as a file may come later or be replaced. One that is not there is looked for again at watchRetry.
func (w *Watch) files(ctx context.Context, hint func(id string)) error {
	n, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer n.Close()
	tick := time.NewTicker(watchRetry)
	defer tick.Stop()
	has := map[string]bool{}
	for {
		targets, changed := w.of(TypeFile)
		if len(targets) == 0 {
			return nil
		}
		dirs := map[string]bool{}
		for _, t := range targets {
			dirs[filepath.Dir(t.Machine.File.Path)] = true
		}
		for dir := range has {
			if !dirs[dir] {
				_ = n.Remove(dir) // it may be gone already
				delete(has, dir)
			}
		}
		for dir := range dirs {
			if has[dir] {
				continue
			}
			if has[dir] = n.Add(dir) == nil; !has[dir] {
				delete(has, dir)
			}
			for id, t := range targets { // what happened before it was watched
				if filepath.Dir(t.Machine.File.Path) == dir && has[dir] {
					hint(id)
				}
			}
		}
		w.fault(string(TypeFile), "")
		if err := w.hearFiles(ctx, n, tick.C, changed, has, hint); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

// hearFiles hints until the targets change, or it is time to look at the directories again.
func (w *Watch) hearFiles(ctx context.Context, n *fsnotify.Watcher, tick <-chan time.Time, changed <-chan struct{}, has map[string]bool, hint func(id string)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			return nil
		case <-tick:
			return nil
		case err, ok := <-n.Errors:
			if !ok {
				return errors.New("inotify has ended")
			}
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return err
			}
			clear(has) // all of them are asked again
			return nil
		case e, ok := <-n.Events:
			if !ok {
				return errors.New("inotify has ended")
			}
			if has[e.Name] && e.Has(fsnotify.Remove|fsnotify.Rename) {
				delete(has, e.Name) // the directory itself
				return nil
			}
			targets, _ := w.of(TypeFile)
			for id, t := range targets {
				if t.Machine.File.Path == e.Name {
					hint(id)
				}
			}
		}
	}
}
