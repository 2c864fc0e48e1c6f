package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"quorate/cluster"
	"quorate/fsm"
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
	log  *slog.Logger
}

// holdsChanged takes news of what is held without a quorum; it is called by the actuator, and does not block.
func (a *Agent) holdsChanged(n holdNews) {
	a.log.Error(n.Text, "vip", n.VIP)
	n.Cluster = a.node.State().ClusterID
	select {
	case a.holdNews <- n:
	default:
		a.log.Warn("too much has happened without a quorum to keep it for the timeline", "text", n.Text)
	}
}

// chronicle puts one thing that has happened without a quorum into the timeline of its cluster.
func (a *Agent) chronicle(ctx context.Context, n holdNews) error {
	if a.actuator.Load() == nil {
		return errors.New("this node acts on no state yet")
	}
	if n.Cluster != a.node.State().ClusterID { // this node has left it
		return nil
	}
	_, err := a.node.Propose(ctx, fsm.Command{Actor: string(a.o.Name),
		Record: &fsm.Record{Event: fsm.Event{Kind: fsm.EventReported, Node: a.o.Name, VIP: n.VIP, Text: n.Text}}})
	return err
}

// openUnwritten reads what an agent before this one has left. One that cannot be read is taken to be empty, with an error that says so.
func openUnwritten(path string, log *slog.Logger) (*unwritten, error) {
	u := &unwritten{path: path, log: log}
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

// run keeps the news, and has the oldest written as soon as that is possible. The file has each at once, also while a write waits for a
// quorum: without one that is for as long as a write may take.
func (u *unwritten) run(ctx context.Context, news <-chan holdNews, write func(context.Context, holdNews) error) error {
	wrote := make(chan error, 1)
	var writing *holdNews // nil: no write is under way
	var retry <-chan time.Time
	if len(u.news) > 0 {
		retry = time.After(holdRetry)
	}
	begin := func() {
		if retry = nil; len(u.news) == 0 {
			return
		}
		n := u.news[0]
		writing = &n
		go func() {
			limit, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			wrote <- write(limit, n)
		}()
	}
	for {
		select {
		case <-ctx.Done():
			if writing != nil && <-wrote == nil {
				u.written(*writing)
			}
			return ctx.Err()
		case n := <-news:
			u.keep(u.add(n))
			if writing == nil && retry == nil {
				begin()
			}
		case <-retry:
			begin()
		case err := <-wrote:
			n := *writing
			if writing = nil; err != nil {
				retry = time.After(holdRetry)
				continue
			}
			u.written(n)
			begin()
		}
	}
}

// written forgets what is in the timeline. It is the oldest, or not there any more, when too many have come since.
func (u *unwritten) written(n holdNews) {
	if len(u.news) > 0 && u.news[0] == n {
		u.keep(u.done())
	}
}

// rest keeps what came when run had ended.
func (u *unwritten) rest(news <-chan holdNews) {
	for {
		select {
		case n := <-news:
			u.keep(u.add(n))
		default:
			return
		}
	}
}

func (u *unwritten) keep(err error) {
	if err != nil {
		u.log.Warn("what happened without a quorum is kept in memory alone", "reason", err)
	}
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
	if err != nil {
		return err
	}
	return cluster.SaveFile(u.path, b)
}
