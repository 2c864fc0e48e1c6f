package ipvs

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"io"
	"os"
)

// tableFile is the table of the calling thread's network namespace as text: addresses, schedulers, persistence, forwarding methods, weights, and numbers of
// connections; not thresholds, tunnels, nor a scheduler's flags.
const tableFile = "/proc/thread-self/net/ip_vs"

// tableColumns are what the two last numbers of a destination's line are, by the second line that says so (ip_vs_ctl.c, ip_vs_info_seq_show).
const tableColumns = "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn"

// glance remembers how the text of the table was, but for the numbers of connections. It costs a fifth of a look at the table by netlink, which takes a system
// call and its answer for each service.
type glance struct {
	file  io.ReadSeekCloser // nil: there is none
	seed  maphash.Seed
	asked bool   // there is one who wants to know: for a small table nobody does, because a look at it costs no more
	print uint64 // of the text when the table was last right
	known bool   // print is
}

// openGlance opens the text; without one, which is no error, nothing is ever known.
func openGlance() glance {
	g := glance{seed: maphash.MakeSeed()}
	if f, err := os.Open(tableFile); err == nil {
		g.file = f
	}
	return g
}

func (g *glance) close() error {
	if g.file == nil {
		return nil
	}
	return g.file.Close()
}

// read returns a print of the text as it is now; false when it cannot be read, is not as we know it, or nobody has asked yet.
func (g *glance) read() (print uint64, ok bool) {
	if g.file == nil || !g.asked {
		return 0, false
	}
	if _, err := g.file.Seek(0, io.SeekStart); err != nil {
		return 0, false
	}
	print, err := g.printOf(g.file)
	return print, err == nil
}

func (g *glance) printOf(r io.Reader) (uint64, error) {
	var h maphash.Hash
	h.SetSeed(g.seed)
	buf, lines := make([]byte, 16<<10), 0
	for kept := 0; ; {
		n, err := r.Read(buf[kept:])
		rest := buf[:kept+n]
		for {
			line, after, whole := bytes.Cut(rest, []byte("\n"))
			if !whole {
				break
			}
			if lines++; lines == 3 && string(bytes.TrimRight(line, " ")) != tableColumns {
				return 0, fmt.Errorf("%s: its columns are %q", tableFile, line)
			}
			_, _ = h.Write(withoutCounts(line))
			_ = h.WriteByte('\n')
			rest = after
		}
		switch kept = copy(buf, rest); {
		case err == io.EOF && kept == 0 && lines >= 3:
			return h.Sum64(), nil
		case err == io.EOF:
			return 0, io.ErrUnexpectedEOF
		case err != nil:
			return 0, err
		case kept == len(buf):
			return 0, fmt.Errorf("%s: a line is longer than %d bytes", tableFile, len(buf))
		}
	}
}

// withoutCounts cuts the two last numbers off the line of a destination.
func withoutCounts(line []byte) []byte {
	if !bytes.HasPrefix(line, []byte("  -> ")) {
		return line
	}
	for range 2 {
		line = bytes.TrimRight(line, " ")
		line = line[:bytes.LastIndexByte(line, ' ')+1]
	}
	return line
}

// Differs reports whether the kernel's table looks otherwise than before Reconcile last found it right. It is cheap, and sees what addresses, schedulers,
// persistence, forwarding methods and weights there are, of all programs, but not thresholds, tunnels and flags. known is false where it cannot tell: before the first
// Reconcile after the first call, after Update has changed something, where the last Reconcile did not find everything as wanted, and on a kernel that does not
// show its table.
func (p *Plane) Differs() (differs, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.glance.asked = true; !p.glance.known {
		return false, false
	}
	print, ok := p.glance.read()
	return print != p.glance.print, ok
}
