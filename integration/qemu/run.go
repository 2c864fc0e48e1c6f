package qemu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"quorate/integration/guest"
)

// Program is what runs in the guest.
type Program struct {
	Path    string // on the host; statically linked
	Args    []string
	Env     []string  // NAME=value; nothing is inherited but PATH, HOME and TMPDIR, which the guest sets
	Tools   []string  // programs of the host that it calls, by name
	Beside  []string  // files of the host that it needs; Inside tells where it finds them
	Stdout  io.Writer // standard output and standard error, as they come; nil = discarded
	Memory  string    // of the guest, e.g. "2G"; empty = "1G"
	Modules []string  // nil = Modules
}

// Run boots a guest, runs the program in it as root and returns its exit status. When ctx ends first the guest is killed and the error is ctx's. Nothing of the guest
// outlives the call, nor this process.
func Run(ctx context.Context, p Program) (status int, err error) {
	if m := Missing(); m != "" {
		return 0, errors.New(m)
	}
	k, err := findKernel()
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "quorate-qemu-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if err := p.pack(k, filepath.Join(dir, "initramfs")); err != nil {
		return 0, fmt.Errorf("preparing the guest: %w", err)
	}
	err = p.boot(ctx, k, dir)
	console, _ := os.ReadFile(filepath.Join(dir, "console"))
	return guest.Outcome(ctx, filepath.Join(dir, "status"), err, console)
}

func (p Program) pack(k kernel, to string) error {
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	return errors.Join(p.initramfs(k, f), f.Close())
}

// boot runs the guest until it ends.
func (p Program) boot(ctx context.Context, k kernel, dir string) error {
	program, err := guest.LookPath(qemuName)
	if err != nil {
		return err
	}
	memory := p.Memory
	if memory == "" {
		memory = "1G"
	}
	cmd := exec.CommandContext(ctx, program, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-accel", "tcg,thread=multi", "-smp", "2", "-m", memory,
		"-cpu", "max,-cx16", // without it: what the host cannot do in one step stops the other processor
		"-kernel", k.image, "-initrd", filepath.Join(dir, "initramfs"), "-append", "console=ttyS0 quiet panic=-1",
		"-serial", "file:"+filepath.Join(dir, "console"), "-serial", "stdio", "-serial", "file:"+filepath.Join(dir, "status"))
	var said bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, p.Stdout, &said
	// It dies with this process: that signal is bound to the thread that forks, which therefore must stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", qemuName, err, said.Bytes())
	}
	return nil
}
