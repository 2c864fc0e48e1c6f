package keepalived

import (
	"errors"
	"fmt"
)

// What a configuration may have at most. The largest that are known have some ten thousand lines; the limits are there for includes that run in
// circles, and for sequences that make millions of lines of one.
const (
	maxDepth    = 32       // includes in one another
	maxFiles    = 4096     // read, each time that one is
	maxFileSize = 4 << 20  // bytes of one file
	maxBytes    = 64 << 20 // of all lines, after expansion
	maxLines    = 200_000  // after expansion; 65,024 instances of three lines each fit
	maxLine     = 64 << 10 // bytes, after expansion
	maxReplaced = 256      // definitions that are replaced in one line
	maxNested   = 64       // definitions of several lines, or sequences, in one another
	maxBraces   = 1024     // names that the braces of an include's pattern stand for
	maxDefined  = 10_000   // definitions
	maxFindings = 400_000
	longLine    = 1023 // bytes that keepalived itself reads of a line
)

// ErrTooMuch is what a configuration gives that is beyond the limits.
var ErrTooMuch = errors.New("too much")

// limitError says where the limit was passed.
type limitError struct {
	at         Place
	what, cure string
}

func (e *limitError) Error() string   { return fmt.Sprintf("%s: %s; %s", e.at, e.what, e.cure) }
func (e *limitError) Is(t error) bool { return t == ErrTooMuch }
