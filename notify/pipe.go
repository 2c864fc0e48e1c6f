package notify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// pipe is a named pipe. It is opened for reading too, as keepalived does: so it can be opened without a reader, and what is written waits in the kernel
// (64 KiB) for one that comes, or comes again.
type pipe struct {
	path string
	file *os.File
}

// pipePatience is how long a full pipe is waited for before it is looked at again: it may have been replaced.
const pipePatience = time.Second

func (p *pipe) tell(ctx context.Context, x Transition) error {
	for {
		if err := p.open(); err != nil {
			return err
		}
		stop := context.AfterFunc(ctx, func() { _ = p.file.SetWriteDeadline(time.Unix(1, 0)) })
		_ = p.file.SetWriteDeadline(time.Now().Add(pipePatience))
		_, err := p.file.WriteString(x.Line()) // shorter than PIPE_BUF, so all of it or nothing
		stop()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.Is(err, os.ErrDeadlineExceeded):
			p.close()
			return fmt.Errorf("%s: %w", p.path, why(err))
		}
	}
}

// open opens the pipe that is at the path now, and makes it if there is none.
func (p *pipe) open() error {
	at, err := os.Lstat(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		p.close()
		if err := syscall.Mkfifo(p.path, 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make the pipe %s: %w", p.path, err)
		}
		at, err = os.Lstat(p.path)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", p.path, why(err))
	}
	if at.Mode()&fs.ModeNamedPipe == 0 {
		p.close()
		return fmt.Errorf("%s: this is no named pipe; remove it, or choose another path", p.path)
	}
	if p.file != nil {
		if now, err := p.file.Stat(); err == nil && os.SameFile(at, now) {
			return nil
		}
		p.close()
	}
	f, err := os.OpenFile(p.path, os.O_RDWR|syscall.O_NONBLOCK|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", p.path, why(err))
	}
	if st, err := f.Stat(); err != nil || st.Mode()&fs.ModeNamedPipe == 0 {
		_ = f.Close()
		return fmt.Errorf("%s: this is no named pipe any more", p.path)
	}
	p.file = f
	return nil
}

func (p *pipe) close() {
	if p.file != nil {
		_ = p.file.Close()
		p.file = nil
	}
}
