package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// rolePrefix begins the hidden commands by which a program that imports this package becomes a web server or client of
// the lab: it starts itself again on a host.
const rolePrefix = "internal-"

// roles are the hidden commands.
var roles = map[string]func(ctx context.Context, args []string) error{
	"internal-serve":  serveRole,
	"internal-load":   loadRole,
	"internal-freeze": freezeRole,
}

// RunRole carries out a hidden command when args (without the program's name) name one. A main function and a TestMain
// that build labs call it first:
//
//	if ran, err := lab.RunRole(os.Args[1:]); ran { … exit … }
func RunRole(args []string) (ran bool, err error) {
	if len(args) == 0 || !strings.HasPrefix(args[0], rolePrefix) {
		return false, nil
	}
	role, ok := roles[args[0]]
	if !ok {
		return true, fmt.Errorf("unknown command %q", args[0])
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return true, role(ctx, args[1:])
}

// startRole starts this program again on the host in a role; settings become its only argument, as JSON. prog has the rest:
// its Lines get what the program says after that it is ready.
func (h *Host) startRole(ctx context.Context, role string, settings any, prog Program) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	arg, err := json.Marshal(settings)
	if err != nil {
		return nil, err
	}
	ready := make(chan struct{})
	lines := prog.Lines
	prog.Path, prog.Args = self, []string{rolePrefix + role, string(arg)}
	prog.Lines = func(line []byte) {
		select {
		case <-ready:
			if lines != nil {
				lines(line)
			}
		default:
			if string(line) == readyLine {
				close(ready)
			}
		}
	}
	p, err := h.Start(ctx, prog)
	if err != nil {
		return nil, err
	}
	select {
	case <-ready:
		return p, nil
	case <-p.done:
		return nil, fmt.Errorf("%s on %s ended: %v: %s", p.Name, h.Name, p.err, strings.TrimSpace(p.Output()))
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), p.Kill())
	}
}

// readyLine is the first line of a role's output: what was asked for is listening, or about to send.
const readyLine = "ready"

// roleSettings reads a role's only argument.
func roleSettings(args []string, into any) error {
	if len(args) != 1 {
		return fmt.Errorf("want one argument, got %d", len(args))
	}
	if err := json.Unmarshal([]byte(args[0]), into); err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	return nil
}
