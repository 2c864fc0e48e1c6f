package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"quorate/integration/lab"
)

// console lets a person break the lab that `up` keeps, by typing at it.
type console struct {
	bed  *lab.Bed
	load *lab.Load // nil without a client
	out  io.Writer
}

// fault is a command of the console that does something to a director.
type fault struct {
	name, what string
	do         func(context.Context, *lab.Director) error
}

var faults = []fault{
	{"off", "cut its power: link and processes at once", func(_ context.Context, d *lab.Director) error { return d.PowerOff() }},
	{"on", "switch it on and start its agent", func(ctx context.Context, d *lab.Director) error { return d.Reboot(ctx) }},
	{"kill", "kill its agent with SIGKILL; the machine stays", func(_ context.Context, d *lab.Director) error { return d.Kill() }},
	{"start", "start its agent again", func(ctx context.Context, d *lab.Director) error { return d.Start(ctx) }},
	{"freeze", "stop its agent with SIGSTOP", func(_ context.Context, d *lab.Director) error { return d.Agent().Stop() }},
	{"thaw", "let a frozen agent go on", func(_ context.Context, d *lab.Director) error { return d.Agent().Continue() }},
	{"unplug", "take it off the network; its carrier stays", func(_ context.Context, d *lab.Director) error { return d.Unplug() }},
	{"plug", "put it back", func(_ context.Context, d *lab.Director) error { return d.Plug() }},
	{"deaf", "lose all frames to it, none from it", func(_ context.Context, d *lab.Director) error { return d.Drop(lab.In, nil) }},
	{"heal", "lose no frames any more", func(_ context.Context, d *lab.Director) error { return d.Heal() }},
}

func (c *console) help() {
	fmt.Fprintf(c.out, "\nHere you can type, with the name of a director:\n")
	for _, f := range faults {
		fmt.Fprintf(c.out, "  %-6s n1   %s\n", f.name, f.what)
	}
	fmt.Fprintf(c.out, "  client      what the client saw in the last ten seconds\nCtrl-C, or quorate-lab down elsewhere, ends it.\n")
}

// run carries out what is typed until ctx ends. Without a terminal it just waits.
func (c *console) run(ctx context.Context, in io.Reader) error {
	c.help()
	lines := make(chan string)
	go func() { // ends with the program: a read from a terminal cannot be called off
		for sc := bufio.NewScanner(in); sc.Scan(); {
			select {
			case lines <- sc.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case line := <-lines:
			if err := c.command(ctx, strings.Fields(line)); err != nil {
				fmt.Fprintln(c.out, err)
			}
		}
	}
}

func (c *console) command(ctx context.Context, words []string) error {
	if len(words) == 0 {
		return nil
	}
	if words[0] == "client" && c.load != nil {
		to := lab.Now().Add(-c.load.Timeout) // what was sent later may not be answered yet
		from := max(to.Add(-10*time.Second), c.load.Started)
		fmt.Fprintln(c.out, c.load.Summary(lab.Span{From: from, To: max(from, to)}))
		return nil
	}
	i := slices.IndexFunc(faults, func(f fault) bool { return f.name == words[0] })
	if i < 0 || len(words) != 2 {
		c.help()
		return nil
	}
	d := c.bed.Director(words[1])
	if d == nil {
		return fmt.Errorf("there is no director %q", words[1])
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := faults[i].do(ctx, d); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "done: %s %s\n", words[0], words[1])
	return nil
}
