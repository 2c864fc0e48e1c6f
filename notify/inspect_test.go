package notify

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"quorate/fsm"
)

// TestInspect: what would fail when something is to be told is found before, with the key of the configuration and a cure.
func TestInspect(t *testing.T) {
	root := os.Geteuid() == 0
	dir := t.TempDir()
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program, good := filepath.Join(dir, "notify"), file(t, "a secret\n", 0o600)
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	pipe, link, open := filepath.Join(dir, "pipe"), filepath.Join(dir, "link"), filepath.Join(dir, "open")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(pipe, link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(open, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	hook := func(secret, token, ca string) fsm.Notifier {
		return fsm.Notifier{Webhook: &fsm.Webhook{URL: "https://hooks.example.org/", SecretFile: secret, TokenFile: token, CA: ca}}
	}
	mail := func(password, ca string) fsm.Notifier {
		return fsm.Notifier{Email: &fsm.Email{Server: "smtp.example.org:587", User: "u", PasswordFile: password, CA: ca}}
	}
	run := func(user string, command ...string) fsm.Notifier {
		return fsm.Notifier{Script: &fsm.Script{Command: command, User: user}}
	}
	fifo := func(path string) fsm.Notifier { return fsm.Notifier{FIFO: &fsm.FIFO{Path: path}} }
	none, readable, empty := filepath.Join(dir, "none"), file(t, "x", 0o644), file(t, "\n", 0o600)
	for name, c := range map[string]struct {
		n    fsm.Notifier
		want []string // KEY VALUE: what; cure
		root bool
	}{
		"no files":        {n: hook("", "", "")},
		"good files":      {n: hook(good, good, "")},
		"good mail":       {n: mail(good, "")},
		"good script":     {n: run("", program, "x")},
		"good pipe":       {n: fifo(pipe)},
		"a pipe to make":  {n: fifo(none)},
		"three bad files": {n: hook(none, readable, empty), want: []string{"secret_file " + none + ": no such file or directory; it has to be on", "token_file " + readable + ": everybody may read it or write to it; run: chmod 600 " + readable, "ca " + empty + ": there is no certificate in it; "}},
		"empty password":  {n: mail(empty, pipe), want: []string{"password_file " + empty + ": it is empty; write", "ca " + pipe + ": this is no file; name one"}},
		"endless ca":      {n: mail(good, "/dev/zero"), want: []string{"ca /dev/zero: this is no file; "}},
		"no script":       {n: run("", none), want: []string{"command " + none + ": script " + none + ": no such file"}},
		"open script":     {n: run("", open), want: []string{"command " + open + ": script " + open + ", which root would run: not secure: everybody may write to " + open + "; run: chmod o-w " + open}, root: true},
		"no such user":    {n: run("nobody-of-this-name", program), want: []string{"user nobody-of-this-name: script " + program + `: user "nobody-of-this-name": `}},
		"no pipe":         {n: fifo(good), want: []string{"path " + good + ": this is no named pipe; remove it, or choose another path"}},
		"a link to one":   {n: fifo(link), want: []string{"path " + link + ": this is no named pipe; "}},
		"no directory":    {n: fifo(none + "/x/pipe"), want: []string{"path " + none + "/x/pipe: there is no directory " + none + "/x for it; run: mkdir -p " + none + "/x"}},
		"a file in place": {n: fifo(good + "/pipe"), want: []string{"path " + good + "/pipe: not a directory"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.root && !root {
				t.Skip("needs root")
			}
			var got []string
			for _, f := range Inspect(c.n) {
				got = append(got, fmt.Sprintf("%s %s: %v", f.Key, f.Value, f.Err))
			}
			if len(got) != len(c.want) {
				t.Fatalf("%q, want %q", got, c.want)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], c.want[i]) {
					t.Errorf("%q, want %q", got[i], c.want[i])
				}
			}
			if len(got) > 0 && !UsesFiles(c.n) {
				t.Error("it is said to use no files")
			}
			if _, err := os.Lstat(none); err == nil {
				t.Error("it made a pipe")
			}
		})
	}
}
