package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// maxWord bounds what is read of a file, in bytes; what it may say is shorter.
const maxWord = 64

// fileProber reads a file that says up, down, drain, or a weight.
type fileProber struct{}

func (fileProber) Probe(_ context.Context, t Target) (Answer, error) {
	text, err := readWord(t.Machine.File.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && t.Machine.File.Down:
		return Answer{}, fmt.Errorf("%s is not there", t.Machine.File.Path)
	case errors.Is(err, fs.ErrNotExist):
		return Answer{Detail: t.Machine.File.Path + " is not there"}, nil
	case err != nil:
		return Answer{}, unasked(err)
	}
	return fileAnswer(t.Machine.File, text)
}

// Inspect says whether the file could be read.
func (fileProber) Inspect(t Target) error {
	_, err := readWord(t.Machine.File.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // that means something
	}
	return err
}

func readWord(path string) (string, error) {
	// Without waiting, lest it be a pipe that nobody writes to.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil {
		return "", err
	} else if !st.Mode().IsRegular() {
		return "", fmt.Errorf("%s is no regular file; name one that says up, down, drain or a weight", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxWord+1))
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return string(b), nil
}

// fileAnswer is what the text of a file means.
func fileAnswer(f File, text string) (Answer, error) {
	word := strings.TrimSpace(text)
	weight := Weight{Asked: true}
	switch {
	case len(text) > maxWord || word == "":
		// Whoever writes a file empties it first: that says nothing yet.
		return Answer{}, fmt.Errorf("%w: %s is empty or too long; write up, down, drain, or a weight like 3 or 50%%", ErrNotAsked, f.Path)
	case word == "up":
		return Answer{Detail: f.Path + " says up"}, nil
	case word == "down":
		return Answer{}, fmt.Errorf("%s says down", f.Path)
	case word == "drain":
	default:
		number, percent := strings.CutSuffix(word, "%")
		n, err := strconv.ParseUint(number, 10, 31)
		if err != nil || number[0] == '+' || percent && n > 100 {
			return Answer{}, fmt.Errorf("%w: %s says %q; write up, down, drain, or a weight like 3 or 50%%", ErrNotAsked, f.Path, word)
		}
		weight.Percent, weight.Value = percent, int(min(n, 65535))
		if f.Multiplier > 1 && !percent {
			weight.Value = min(weight.Value*f.Multiplier, 65535)
		}
	}
	if weight.Value == 0 && f.Switch {
		return Answer{}, fmt.Errorf("%s says %s", f.Path, word)
	}
	if f.Switch {
		weight = Weight{}
	}
	return Answer{Detail: fmt.Sprintf("%s says %s", f.Path, word), Weight: weight}, nil
}
