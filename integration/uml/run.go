package uml

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"quorate/integration/guest"
)

const (
	kernelName = "linux.uml"
	modulesDir = "/usr/lib/uml/modules"
)

//go:embed init.sh
var initScript []byte

// Modules that every guest loads, if no others are asked for: IPVS with all its schedulers, tunnels, what makes
// networks inside the guest, what the ownership gate is attached by, and what sets firewall marks.
var Modules = []string{
	"ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_lc", "ip_vs_wlc", "ip_vs_sh", "ip_vs_dh", "ip_vs_mh", "ip_vs_sed", "ip_vs_nq",
	"ip_vs_lblc", "ip_vs_lblcr", "ip_vs_fo", "ip_vs_ovf", "ip_vs_pe_sip", "ipip", "ip6_tunnel", "ip_gre", "ip6_gre", "fou", "fou6",
	"veth", "bridge", "dummy", "sch_netem", "sch_ingress", "cls_bpf", "cls_flower", "act_skbedit",
}

// Program is what runs in the guest.
type Program struct {
	Path   string // on the host; statically linked, or its libraries are the host's
	Args   []string
	Env    []string  // NAME=value; nothing is inherited but PATH, which the guest sets
	Dir    string    // working directory; empty = the host's current one
	Stdout io.Writer // standard output and standard error, as they come; nil = discarded
	// Console gets the guest kernel's messages; nil = they are shown only as part of an error.
	Console io.Writer
	Memory  string   // of the guest, e.g. "512M"; empty = "1G". The host gives only what is used.
	Modules []string // nil = Modules
}

// Missing names what this machine lacks for Run, with the cure; empty when it lacks nothing.
func Missing() string {
	if runtime.GOARCH != "amd64" || runtime.GOOS != "linux" {
		return "User-Mode Linux runs on linux/amd64 only"
	}
	if m := guest.Missing(guest.Tool{Name: kernelName, Package: "user-mode-linux"}, guest.Tool{Name: "modprobe", Package: "kmod"},
		guest.Tool{Name: "depmod", Package: "kmod"}); m != "" {
		return m
	}
	if _, err := modulesVersion(); err != nil {
		return err.Error()
	}
	return ""
}

func modulesVersion() (string, error) {
	versions, err := filepath.Glob(modulesDir + "/*/kernel")
	if err != nil || len(versions) == 0 {
		return "", fmt.Errorf("no modules in %s: run apt-get install --reinstall user-mode-linux", modulesDir)
	}
	slices.Sort(versions)
	return filepath.Base(filepath.Dir(versions[len(versions)-1])), nil
}

// Run boots a guest, runs the program in it and returns its exit status. When ctx ends first the guest is killed and
// the error is ctx's. Nothing of the guest outlives the call, nor this process.
func Run(ctx context.Context, p Program) (status int, err error) {
	if m := Missing(); m != "" {
		return 0, errors.New(m)
	}
	dir, err := os.MkdirTemp("", "quorate-uml-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if err := p.prepare(ctx, dir); err != nil {
		return 0, fmt.Errorf("preparing the guest: %w", err)
	}
	console, err := p.boot(ctx, dir)
	return guest.Outcome(ctx, filepath.Join(dir, "status"), err, console)
}

// prepare fills the directory that the guest's first process reads.
func (p Program) prepare(ctx context.Context, dir string) error {
	path, err := filepath.Abs(p.Path)
	if err != nil {
		return err
	}
	cwd := p.Dir
	if cwd == "" {
		if cwd, err = os.Getwd(); err != nil {
			return err
		}
	}
	script := guest.Script(cwd, p.Env, append([]string{path}, p.Args...)...)
	modules := p.Modules
	if modules == nil {
		modules = Modules
	}
	for name, content := range map[string]string{
		"init": string(initScript), "program": script, "modules": strings.Join(modules, "\n") + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755); err != nil {
			return err
		}
	}
	return indexModules(ctx, dir)
}

// indexModules makes DIR/lib/modules/VERSION for modprobe -d: links to the package's modules beside an index of our own.
func indexModules(ctx context.Context, dir string) error {
	version, err := modulesVersion()
	if err != nil {
		return err
	}
	to := filepath.Join(dir, "lib/modules", version)
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	from, err := filepath.Glob(filepath.Join(modulesDir, version, "*"))
	if err != nil {
		return err
	}
	indexed := false
	for _, f := range from {
		indexed = indexed || filepath.Base(f) == "modules.dep"
		if err := os.Symlink(f, filepath.Join(to, filepath.Base(f))); err != nil {
			return err
		}
	}
	if indexed {
		return nil
	}
	depmod, err := guest.LookPath("depmod")
	if err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, depmod, "-b", dir, version).CombinedOutput(); err != nil {
		return fmt.Errorf("depmod: %w: %s", err, out)
	}
	return nil
}

// boot runs the guest until it ends and returns its console.
func (p Program) boot(ctx context.Context, dir string) (console []byte, err error) {
	kernel, err := guest.LookPath(kernelName)
	if err != nil {
		return nil, err
	}
	memory := p.Memory
	if memory == "" {
		memory = "1G"
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, kernel,
		"mem="+memory, "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw", "quiet",
		"init="+filepath.Join(dir, "init"), "QUORATE_UML="+dir, "uml_dir="+filepath.Join(dir, "umid"),
		"con=null", "con0=null,fd:1", "con1=null,fd:3", // fd 3 is the first of ExtraFiles
	)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = &said, &said
	if p.Console != nil {
		cmd.Stdout = io.MultiWriter(&said, p.Console)
		cmd.Stderr = cmd.Stdout
	}
	cmd.ExtraFiles = []*os.File{write}
	// A guest is many processes. As root they get a PID namespace of their own, whose other members die with its first
	// one, without root at least a process group. The first one dies with this process: that signal is bound to the
	// thread that forks, which therefore must stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	err = onOneCPU(cmd.Start)
	write.Close()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", kernel, err)
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		out := p.Stdout
		if out == nil {
			out = io.Discard
		}
		io.Copy(out, read) // ends when the last process of the guest has closed the other end
	}()
	err = cmd.Wait()
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what the kernel's end has left of the group; usually nothing
	<-copied
	return said.Bytes(), err
}
