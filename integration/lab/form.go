package lab

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/sync/errgroup"
)

// joinLine finds in the output of `quorate bootstrap` the command for the other nodes.
var joinLine = regexp.MustCompile(`(?m)^\s*quorate (join \S+ --token \S+)\s*$`)

// JoinCommand is the arguments of the join command that `quorate bootstrap` printed.
func JoinCommand(output string) ([]string, error) {
	m := joinLine.FindStringSubmatch(output)
	if m == nil {
		return nil, fmt.Errorf("no join command in: %s", output)
	}
	return strings.Fields(m[1]), nil
}

// Start starts the agents of all directors that have none running.
func (b *Bed) Start(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, d := range b.Directors {
		if p := d.Agent(); p != nil && !closed(p.Done()) {
			continue
		}
		g.Go(func() error { return d.Start(ctx) })
	}
	return g.Wait()
}

// Form makes a cluster of the directors as a user would: agents started, `quorate bootstrap` on the first, and the join
// command that it printed on the others. It returns when the cluster can bear a fault.
func (b *Bed) Form(ctx context.Context) error {
	if err := b.Join(ctx); err != nil {
		return err
	}
	return b.AwaitReady(ctx)
}

// Join is Form without the last wait: each member is ready to serve, but may have no vote yet, and it takes some leases until it grants them to others.
func (b *Bed) Join(ctx context.Context) error {
	if err := b.Start(ctx); err != nil {
		return err
	}
	bootstrap := []string{"bootstrap"}
	if b.profile != "" {
		bootstrap = append(bootstrap, "--profile", b.profile)
	}
	out, err := b.Directors[0].Quorate(ctx, bootstrap...)
	if err != nil {
		return err
	}
	join, err := JoinCommand(out)
	if err != nil {
		return err
	}
	for _, d := range b.Directors[1:] {
		if _, err := d.Quorate(ctx, join...); err != nil {
			return err
		}
	}
	for _, d := range b.Directors {
		if err := d.AwaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}
