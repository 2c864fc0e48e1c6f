package gate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// tcx attaches by bpf_link (kernel 6.6), pinned one per link and direction: no other program can take it off by accident,
// and it needs no qdisc. Ours is put first, because a program before it may end the chain.
type tcx struct {
	progs programs
	dir   string // of the pins
}

// linkPin is the name of the pin of one attachment.
func linkPin(index int, d Direction) string { return fmt.Sprintf("link-%d-%s", index, d) }

func tcxType(d Direction) ebpf.AttachType {
	if d == In {
		return ebpf.AttachTCXIngress
	}
	return ebpf.AttachTCXEgress
}

// probeTCX finds out whether the kernel can do it, on lo for an instant.
func probeTCX(p *ebpf.Program) error {
	l, err := link.AttachTCX(link.TCXOptions{Interface: 1, Program: p, Attach: ebpf.AttachTCXIngress})
	if err != nil {
		return err
	}
	return l.Close()
}

func (t *tcx) ensure(l Link) (added []Direction, err error) {
	var errs []error
	for _, d := range directions {
		there, err := t.there(l.Index, d)
		if err == nil && !there {
			if err = t.attach(l.Index, d); err == nil {
				added = append(added, d)
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", d, err))
		}
	}
	return added, errors.Join(errs...)
}

// there says whether the pinned link is on the network link and runs our program. It asks the network link: a pin may be of
// one that has gone to another namespace, with the same index.
func (t *tcx) there(index int, d Direction) (bool, error) {
	pin := filepath.Join(t.dir, linkPin(index, d))
	l, err := link.LoadPinnedLink(pin, nil)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the pin %s: %w", pin, err)
	}
	defer l.Close()
	info, err := l.Info()
	if err != nil {
		return false, err
	}
	on, err := link.QueryPrograms(link.QueryOptions{Target: index, Attach: tcxType(d)})
	if err != nil {
		return false, err
	}
	want := t.progs.of(d)
	id, err := programID(want)
	if err != nil {
		return false, err
	}
	for _, p := range on.Programs {
		if at, ok := p.LinkID(); !ok || at != info.ID {
			continue
		}
		if p.ID == id {
			return true, nil
		}
		// Of the process before this one, and over the same maps; replaced without a gap.
		if err := l.Update(want); err != nil {
			return false, fmt.Errorf("replace the program: %w", err)
		}
		return true, nil
	}
	return false, os.Remove(pin) // of a link that is gone
}

func (t *tcx) attach(index int, d Direction) error {
	var l link.Link
	var err error
	for range 20 {
		l, err = link.AttachTCX(link.TCXOptions{Interface: index, Program: t.progs.of(d), Attach: tcxType(d), Anchor: link.Head()})
		if !errors.Is(err, unix.EEXIST) {
			break
		}
		time.Sleep(5 * time.Millisecond) // an attachment whose pin was removed is taken off in the background
	}
	if err != nil {
		return err
	}
	defer l.Close()
	return l.Pin(filepath.Join(t.dir, linkPin(index, d)))
}

func (t *tcx) prune(links []Link) error {
	have := make(map[int]bool, len(links))
	for _, l := range links {
		have[l.Index] = true
	}
	return t.unpin(func(index int) bool { return !have[index] })
}

func (t *tcx) remove([]Link) error { return t.unpin(func(int) bool { return true }) }

// unpin removes the pins of the chosen links, and so takes the program off them: nothing else holds the attachment.
func (t *tcx) unpin(chosen func(index int) bool) error {
	pins, err := os.ReadDir(t.dir)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	}
	var errs []error
	for _, p := range pins {
		rest, ok := strings.CutPrefix(p.Name(), "link-")
		number, _, _ := strings.Cut(rest, "-")
		if index, err := strconv.Atoi(number); ok && err == nil && chosen(index) {
			errs = append(errs, os.Remove(filepath.Join(t.dir, p.Name())))
		}
	}
	return errors.Join(errs...)
}

func programID(p *ebpf.Program) (ebpf.ProgramID, error) {
	info, err := p.Info()
	if err != nil {
		return 0, fmt.Errorf("ask for the program: %w", err)
	}
	id, ok := info.ID()
	if !ok {
		return 0, errors.New("the kernel gives programs no number")
	}
	return id, nil
}
