// Command quorate is the whole product in one program: `quorate agent` runs the daemon on a director, and every other
// command is a client of an agent's API.
//
// Exit codes: 0 done, 1 failed, 2 wrong usage. Answers go to standard output, as text for a person or with --output json
// as the API gave them; errors and notes go to standard error and say what, where, and what to do next.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

//go:generate go run . docs ../../docs/reference

// version is set by the linker: -X main.version=…
var version = ""

func main() { os.Exit(run()) }

// run is main without the exit, which would skip what is deferred.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv, color: wantsColor(os.Stdout, os.Getenv)}
	return a.execute(ctx, os.Args[1:])
}
