package notify

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"quorate/fsm"
	"quorate/script"
)

// Flaw is what is wrong with a file that a notifier names. Key and Value are those of its configuration; the text of Err says what, and behind a
// semicolon the cure.
type Flaw struct {
	Key, Value string
	Err        error
}

// UsesFiles reports whether a notifier needs something of the nodes that carry it out.
func UsesFiles(n fsm.Notifier) bool {
	switch {
	case n.Webhook != nil:
		return n.Webhook.SecretFile+n.Webhook.TokenFile+n.Webhook.CA != ""
	case n.Email != nil:
		return n.Email.PasswordFile+n.Email.CA != ""
	}
	return n.Script != nil || n.FIFO != nil
}

// Inspect says what of this machine the notifier needs and cannot use as it is: what would fail, and for the same reason, when something is to be told.
// It changes nothing: a pipe is made by who writes to it.
func Inspect(n fsm.Notifier) (flaws []Flaw) {
	add := func(key, value string, err error) {
		if err != nil {
			flaws = append(flaws, Flaw{key, value, err})
		}
	}
	secretly := func(key, path string) {
		if path != "" {
			_, err := secret(path)
			add(key, path, err)
		}
	}
	ca := func(path string) {
		if path != "" {
			_, err := authorities(path)
			add("ca", path, err)
		}
	}
	switch {
	case n.Webhook != nil:
		secretly("secret_file", n.Webhook.SecretFile)
		secretly("token_file", n.Webhook.TokenFile)
		ca(n.Webhook.CA)
	case n.Email != nil:
		secretly("password_file", n.Email.PasswordFile)
		ca(n.Email.CA)
	case n.Script != nil:
		err := script.Command{Args: n.Script.Command, User: n.Script.User}.Check()
		if errors.Is(err, script.ErrUser) {
			add("user", n.Script.User, err)
		} else {
			add("command", programOf(n.Script), err)
		}
	case n.FIFO != nil:
		add("path", n.FIFO.Path, inspectPipe(n.FIFO.Path))
	}
	return flaws
}

// programOf is the program of a script.
func programOf(s *fsm.Script) string {
	if len(s.Command) == 0 {
		return ""
	}
	return s.Command[0]
}

// inspectPipe says why no pipe can be made or opened at path.
func inspectPipe(path string) error {
	st, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return inspectPlace(filepath.Dir(path))
	case err != nil:
		return why(err)
	case st.Mode()&fs.ModeNamedPipe == 0:
		return errors.New("this is no named pipe; remove it, or choose another path")
	}
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%w; let the agent's user read and write it", why(err))
	}
	return f.Close()
}

// inspectPlace says why a pipe cannot be made in a directory.
func inspectPlace(dir string) error {
	st, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no directory %s for it; run: mkdir -p %s", dir, dir)
	case err != nil:
		return fmt.Errorf("%s: %w", dir, why(err))
	case !st.IsDir():
		return fmt.Errorf("%s is no directory; choose another path", dir)
	}
	return nil
}
