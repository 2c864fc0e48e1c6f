package integration

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"quorate/integration/lab"
)

// told is what the directors' own notifiers are told of the VIP: by a script, which writes down its arguments and environment, and by a pipe each.
type told struct {
	dir   string
	pipes map[*lab.Director]*bufio.Reader
}

// newTold makes the script and the pipes. Somebody reads these from the beginning, so that nothing of an earlier agent is lost with it.
func newTold(t *testing.T, bed *lab.Bed) *told {
	t.Helper()
	n := &told{dir: t.TempDir(), pipes: map[*lab.Director]*bufio.Reader{}}
	const text = "#!/bin/sh\necho \"$* [$QUORATE_NOTIFIER $QUORATE_NODE $QUORATE_TYPE $QUORATE_NAME $QUORATE_STATE $QUORATE_VIP]\" >> \"${0%/*}/$QUORATE_NODE.log\"\n"
	must(t, os.WriteFile(filepath.Join(n.dir, "notify"), []byte(text), 0o755))
	for _, d := range bed.Directors {
		must(t, syscall.Mkfifo(n.pipe(d), 0o600))
		f, err := os.OpenFile(n.pipe(d), os.O_RDWR|syscall.O_NONBLOCK, 0)
		must(t, err)
		t.Cleanup(func() { _ = f.Close() })
		must(t, f.SetReadDeadline(time.Now().Add(2*time.Minute*paceOf().times)))
		n.pipes[d] = bufio.NewReader(f)
	}
	return n
}

func (n *told) pipe(d *lab.Director) string { return filepath.Join(n.dir, d.Name+".fifo") }

func (n *told) config() string {
	var b strings.Builder
	fmt.Fprintf(&b, "notify \"run\" {\n  script { command = [%q, \"more\"] }\n}\n", filepath.Join(n.dir, "notify"))
	for d := range n.pipes {
		fmt.Fprintf(&b, "notify \"pipe-%s\" {\n  nodes = [%q]\n  fifo { path = %q }\n}\n", d.Name, d.Name, n.pipe(d))
	}
	return b.String()
}

// await waits until the last that a director was told is that the VIP is in that state there.
func (n *told) await(t *testing.T, d *lab.Director, state string) {
	t.Helper()
	want := fmt.Sprintf("more INSTANCE web %s 100 [run %s INSTANCE web %s web]", state, d.Name, state)
	must(t, lab.Await(within(t, 20*time.Second), 5*time.Millisecond, func(context.Context) error {
		if all := n.lines(t, d); all[len(all)-1] != want {
			return fmt.Errorf("the script of %s was told last %q, want %q", d.Name, all[len(all)-1], want)
		}
		return nil
	}))
	for line := ""; line != fmt.Sprintf("INSTANCE \"web\" %s 100\n", state); {
		var err error
		if line, err = n.pipes[d].ReadString('\n'); err != nil || !strings.HasPrefix(line, `INSTANCE "web" `) {
			t.Fatalf("the pipe of %s has %q and not that the VIP is %s: %v", d.Name, line, state, err)
		}
	}
}

// lines are all that the script of a director was told.
func (n *told) lines(t *testing.T, d *lab.Director) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(n.dir, d.Name+".log"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}
