package qemu

import (
	"bufio"
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"quorate/integration/guest"
)

//go:embed init.sh
var initScript []byte

// archive writes an initramfs: a cpio archive in the format "newc" (Documentation/driver-api/early-userspace/buffer-format.rst).
type archive struct {
	w     *bufio.Writer
	inode int
	made  map[string]bool // directories, and files
	err   error
}

const trailer = "TRAILER!!!"

func newArchive(w io.Writer) *archive {
	return &archive{w: bufio.NewWriterSize(w, 1<<20), made: map[string]bool{"/": true}}
}

// The types and rights of what is in it (stat.h).
const (
	directory = 0o040755
	file      = 0o100755
)

func (a *archive) entry(name string, mode int, content []byte) {
	a.inode++
	head := fmt.Sprintf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		a.inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name)+1, 0)
	a.write([]byte(head + name + "\x00"))
	a.pad(len(head) + len(name) + 1)
	a.write(content)
	a.pad(len(content))
}

func (a *archive) pad(n int) { a.write(make([]byte, (4-n%4)%4)) }

func (a *archive) write(b []byte) {
	if a.err == nil {
		_, a.err = a.w.Write(b)
	}
}

// dir makes a directory, and those above it.
func (a *archive) dir(name string) {
	if a.made[name] {
		return
	}
	a.dir(path.Dir(name))
	a.made[name] = true
	a.entry(strings.TrimPrefix(name, "/"), directory, nil)
}

// add puts in a file.
func (a *archive) add(name string, content []byte) {
	if a.made[name] {
		return
	}
	a.dir(path.Dir(name))
	a.made[name] = true
	a.entry(strings.TrimPrefix(name, "/"), file, content)
}

// copy puts in a file of the host. One that is compressed is put in as it was.
func (a *archive) copy(name, from string) {
	content, err := os.ReadFile(from)
	if err == nil && strings.HasSuffix(from, ".xz") {
		content, err = exec.Command("xz", "-dc", from).Output()
	}
	if err != nil && a.err == nil {
		a.err = fmt.Errorf("%s: %w", from, err)
	}
	a.add(name, content)
}

func (a *archive) close() error {
	a.entry(trailer, 0, nil)
	if a.err != nil {
		return a.err
	}
	return a.w.Flush()
}

// initramfs writes what the guest boots into.
func (p Program) initramfs(k kernel, w io.Writer) error {
	a := newArchive(w)
	for _, d := range []string{"/dev", "/proc", "/sys", "/tmp", "/run", "/root", "/etc", "/var", "/sbin", "/usr/bin", "/usr/sbin"} {
		a.dir(d)
	}
	a.copy("/bin/busybox", filepath.Join(k.dir, "bin/busybox"))
	a.add("/init", initScript)
	a.add("/program.sh", []byte(guest.Script("/", p.Env, append([]string{Inside(p.Path)}, p.Args...)...)))
	for _, f := range append([]string{p.Path}, p.Beside...) {
		a.copy(Inside(f), f)
	}
	names := p.Modules
	if names == nil {
		names = Modules
	}
	modules, err := k.modules(names)
	if err != nil {
		return err
	}
	var list bytes.Buffer
	for _, m := range modules {
		name := "/lib/modules/" + strings.TrimSuffix(filepath.Base(m), ".xz")
		fmt.Fprintln(&list, name)
		a.copy(name, m)
	}
	a.add("/modules", list.Bytes())
	for _, t := range p.Tools {
		if err := a.tool(t); err != nil {
			return err
		}
	}
	return a.close()
}

// tool puts in a program of the host with the libraries that it needs, as ldd(1) lists them.
func (a *archive) tool(name string) error {
	from, err := guest.LookPath(name)
	if err != nil {
		return fmt.Errorf("%s is not installed: %w", name, err)
	}
	a.copy("/usr/sbin/"+filepath.Base(name), from)
	out, err := exec.Command("ldd", from).Output()
	if err != nil {
		return nil // it needs none
	}
	for word := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(word, "/") {
			a.copy(word, word)
		}
	}
	return nil
}

// Inside is the path that the program, or a file beside it, has in the guest. It keeps its name, by which some programs know what they are to do.
func Inside(file string) string { return "/program/" + filepath.Base(file) }
