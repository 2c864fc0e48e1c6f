package survey

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"quorate/vip"
	"quorate/vip/vrrp"
)

// maxLinks bounds the links that are listened on unless they are named: each takes some ten file descriptors.
const maxLinks = 64

// Listen hears for as long as is asked, or until ctx ends, and says what was heard.
func Listen(ctx context.Context, o Options) (*Report, error) {
	names, err := links(o.Links)
	if err != nil {
		return nil, err
	}
	var all []*listener
	defer func() {
		for _, l := range all {
			for _, c := range l.conns {
				c.Close()
			}
		}
	}()
	for _, name := range names {
		for _, family := range []vrrp.Family{vrrp.IPv4, vrrp.IPv6} {
			e, err := newEar(name, family, o.Known)
			if err != nil {
				return nil, err
			}
			l := &listener{ear: e}
			if err := l.open(); err != nil {
				switch {
				case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
					return nil, err
				case family == vrrp.IPv6 && errors.Is(err, syscall.EAFNOSUPPORT): // this kernel has none
					continue
				}
				e.problem = err.Error() // a link without IPv6, or one that has just gone; the others are heard
			}
			all = append(all, l)
		}
	}
	if !slices.ContainsFunc(all, func(l *listener) bool { return len(l.conns) > 0 }) {
		var errs []error
		for _, l := range all {
			errs = append(errs, errors.New(l.ear.problem))
		}
		return nil, fmt.Errorf("no link can be listened on: %w", errors.Join(errs...))
	}
	begin := time.Now()
	limit, cancel := context.WithTimeout(ctx, o.For)
	defer cancel()
	g, limit := errgroup.WithContext(limit)
	for _, l := range all {
		g.Go(func() error { return l.run(limit, begin) })
	}
	_ = g.Wait() // a link that failed says so in its report
	now := time.Since(begin)
	r := &Report{Cluster: o.Known.Cluster, ForMS: now.Milliseconds(), Links: []Link{}, Routers: []Router{}, Findings: []Finding{}}
	for _, l := range all {
		l.ear.report(r, now)
	}
	sortFindings(r.Findings)
	return r, nil
}

// links are those that are named, or all that are up.
func links(named []string) ([]string, error) {
	have, err := vip.Links()
	if err != nil {
		return nil, err
	}
	var up []string
	for _, l := range have {
		if l.Up {
			up = append(up, l.Name)
		}
	}
	if len(named) == 0 {
		switch {
		case len(up) == 0:
			return nil, errors.New("no link of this machine is up: bring one up, or run this where the routers are")
		case len(up) > maxLinks:
			return nil, fmt.Errorf("%d links are up, and at most %d are listened on at once: name those that you mean", len(up), maxLinks)
		}
		return up, nil
	}
	for _, n := range named {
		if !slices.Contains(up, n) {
			return nil, fmt.Errorf("link %q is not there or not up: up are %s", n, strings.Join(up, ", "))
		}
	}
	out := slices.Clone(named)
	slices.Sort(out)
	return slices.Compact(out), nil
}

// listener is the sockets of one ear.
type listener struct {
	mu    sync.Mutex
	ear   *ear
	conns []*vrrp.Conn
}

func (l *listener) open() error {
	for _, ah := range []bool{false, true} {
		if ah && l.ear.family != vrrp.IPv4 {
			continue
		}
		c, err := vrrp.Open(vrrp.ConnOptions{Link: l.ear.link, Family: l.ear.family, AH: ah})
		if err != nil {
			return err
		}
		l.conns = append(l.conns, c)
		if err := c.Join(l.ear.groups()); err != nil {
			return err
		}
	}
	return nil
}

// run hears until ctx ends. A link that fails is heard no more, and says why.
func (l *listener) run(ctx context.Context, begin time.Time) error {
	defer context.AfterFunc(ctx, func() {
		for _, c := range l.conns {
			_ = c.SetReadDeadline(time.Now())
		}
	})()
	var g errgroup.Group
	for _, c := range l.conns {
		g.Go(func() error {
			for ctx.Err() == nil {
				heard, err := c.Receive()
				switch {
				case ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded):
					return nil
				case err != nil && !errors.Is(err, syscall.ENETDOWN):
					l.failed(err)
					return nil
				case err != nil:
					l.failed(err) // it may come up again
				}
				l.take(heard, time.Since(begin))
			}
			return nil
		})
	}
	return g.Wait()
}

func (l *listener) take(heard []vrrp.Datagram, at time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wall := time.Now()
	for _, d := range heard {
		l.ear.hear(d, at, wall)
	}
}

func (l *listener) failed(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ear.problem = err.Error()
}
