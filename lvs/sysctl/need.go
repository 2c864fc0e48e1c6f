package sysctl

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Need is a setting without which something goes wrong.
type Need struct {
	Name string `json:"name"`
	Have string `json:"have"`
	Want string `json:"want"`
	So   string `json:"so"` // what comes of Have, as the rest of a sentence
	// Unless is why it is not for a program to set it, and what to do first; empty = it may be set where that is allowed.
	Unless string `json:"unless,omitempty"`
}

// String names the setting, what is wrong and the command that cures it.
func (n Need) String() string {
	s := fmt.Sprintf("%s is %s, so %s: run sysctl -w %s=%s and keep it in /etc/sysctl.d/", n.Name, n.Have, n.So, n.Name, n.Want)
	if n.Unless != "" {
		s += "; but first: " + n.Unless
	}
	return s
}

// Ask is the need of a setting, if it has none of the values that are right; the first of them is wanted. A kernel that has no such setting has no
// such need.
func Ask(name, so string, right ...string) []Need {
	have, err := Read(name)
	if err != nil {
		return nil
	}
	for _, r := range right {
		if have == r {
			return nil
		}
	}
	return []Need{{Name: name, Have: have, Want: right[0], So: so}}
}

// Read a setting; several numbers are separated by one blank. The error of one that the kernel does not have is an fs.ErrNotExist.
func Read(name string) (string, error) {
	b, err := os.ReadFile(path(name))
	if err != nil {
		return "", fmt.Errorf("sysctl %s: %w", name, err)
	}
	return strings.Join(strings.Fields(string(b)), " "), nil
}

// ErrNotSet is wrapped by the error of a setting that the kernel, or whoever mounted /proc, does not let us set.
var ErrNotSet = errors.New("cannot be set")

func write(name, value string) error {
	if err := os.WriteFile(path(name), []byte(value), 0o644); err != nil {
		return fmt.Errorf("sysctl %s = %q %w: %w", name, value, ErrNotSet, err)
	}
	return nil
}

// path is the file of a setting. A dot in the name of an interface is a slash there, as sysctl(8) has it.
func path(name string) string {
	return "/proc/sys/" + strings.Map(func(r rune) rune {
		switch r {
		case '.':
			return '/'
		case '/':
			return '.'
		}
		return r
	}, name)
}
