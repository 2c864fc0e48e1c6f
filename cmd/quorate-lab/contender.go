package main

import (
	"context"
	"fmt"
)

// contender is a system that is measured in turn with others: each repetition of all that is lost is made with one system after the
// other, so that what changes on this machine in an hour changes for all of them.
type contender struct {
	name   string
	series []*series
	resume func(context.Context) error // makes it run, as after a start
	pause  func() error                // ends its programs: the other system has the machine for itself
}

// series is the repetitions of one scenario with one setting.
type series struct {
	row  row
	once func(context.Context) (measured, error)
	all  []measured
}

// contest makes all repetitions, then emits the rows, also of those that there are when one fails.
func (b *bench) contest(ctx context.Context, contenders []*contender, runs int) error {
	err := b.repeat(ctx, contenders, runs)
	for _, c := range contenders {
		for _, s := range c.series {
			if len(s.all) == 0 {
				continue
			}
			if err := b.measured(s.row.of(s.all)); err != nil {
				return err
			}
		}
	}
	return err
}

func (b *bench) repeat(ctx context.Context, contenders []*contender, runs int) error {
	for i := range runs {
		for _, c := range contenders {
			if len(c.series) == 0 {
				continue
			}
			if err := c.resume(ctx); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			for _, s := range c.series {
				m, err := s.once(ctx)
				if err != nil {
					return fmt.Errorf("%s, %s, %s, repetition %d: %w", c.name, s.row.Setting, s.row.Scenario, i+1, err)
				}
				b.say("%s, %s, %s %d/%d: %s", c.name, s.row.Setting, s.row.Scenario, i+1, runs, m)
				s.all = append(s.all, m)
			}
			if err := c.pause(); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	return nil
}
