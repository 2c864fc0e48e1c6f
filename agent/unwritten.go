package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// unwrittenFile is its name in the data directory.
const unwrittenFile = "unwritten.json"

// maxUnwritten bounds what waits for a quorum; the latest is what an operator asks for.
const maxUnwritten = 1000

// unwritten is what has happened without a quorum and is not in the timeline yet. It outlives the process: who forced a VIP must be found there
// though the agent was restarted meanwhile. One goroutine uses it.
type unwritten struct {
	path string
	news []holdNews // oldest first
}

// openUnwritten reads what an agent before this one has left. One that cannot be read is taken to be empty, with an error that says so.
func openUnwritten(path string) (*unwritten, error) {
	u := &unwritten{path: path}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return u, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &u.news)
	}
	if err != nil {
		u.news = nil
		return u, fmt.Errorf("what happened without a quorum is not known, and will not be in the timeline: %s: %w", path, err)
	}
	return u, nil
}

// add and done keep the file as the list is.
func (u *unwritten) add(n holdNews) error {
	u.news = append(u.news, n)
	u.news = u.news[max(0, len(u.news)-maxUnwritten):]
	return u.save()
}

// done forgets the oldest.
func (u *unwritten) done() error {
	u.news = u.news[1:]
	return u.save()
}

func (u *unwritten) save() error {
	if len(u.news) == 0 {
		if err := os.Remove(u.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	b, err := json.Marshal(u.news)
	if err == nil {
		err = os.WriteFile(u.path+".new", b, 0o600)
	}
	if err == nil {
		err = os.Rename(u.path+".new", u.path)
	}
	return err
}
