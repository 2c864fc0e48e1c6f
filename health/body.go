package health

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"sync"
	"time"
)

// How much of a body is read, in bytes. What need not be known is not read: a server may send more.
const (
	maxPlain  = 64 << 10  // where nothing is asked of it
	maxText   = 256 << 10 // where it is searched
	maxDigest = 16 << 20  // where its digest is made
)

// bodyRules are a Body with its expressions compiled.
type bodyRules struct {
	Body
	regex, notRegex *expression
	digests         bool // make both, whatever is wanted
}

func (r bodyRules) searches() bool { return r.Contains != "" || r.regex != nil || r.notRegex != nil }

// slow reports whether it may take long to judge a body of so many bytes.
func (r bodyRules) slow(bytes int) bool { return r.regex.slow(bytes) || r.notRegex.slow(bytes) }

// limit is how much of the body is read.
func (r bodyRules) limit() int64 {
	switch {
	case r.digests || r.MD5 != "" || r.SHA256 != "":
		return maxDigest
	case r.searches():
		return maxText
	}
	return maxPlain
}

// read reads a body as far as the rules need it. A body that goes on after that is cut, which is no error yet.
func (d *desk) read(page *Page, body io.Reader, rules bodyRules) error {
	var sums []hash.Hash
	var md, sha hash.Hash
	if rules.MD5 != "" || rules.digests {
		md = md5.New()
		sums = append(sums, md)
	}
	if rules.SHA256 != "" || rules.digests {
		sha = sha256.New()
		sums = append(sums, sha)
	}
	limit := rules.limit()
	for {
		n, err := body.Read(d.chunk)
		chunk := d.chunk[:n]
		if over := page.Size + int64(n) - limit; over > 0 {
			chunk, page.cut = chunk[:int64(n)-over], true
		}
		page.Size += int64(len(chunk))
		for _, h := range sums {
			_, _ = h.Write(chunk) // never fails
		}
		if rules.searches() {
			d.text = append(d.text, chunk[:min(len(chunk), maxText-len(d.text))]...)
		}
		if page.cut {
			break
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	page.text = d.text
	page.cut = page.cut || rules.searches() && page.Size > int64(len(d.text))
	if md != nil {
		page.MD5 = hex.EncodeToString(md.Sum(nil))
	}
	if sha != nil {
		page.SHA256 = hex.EncodeToString(sha.Sum(nil))
	}
	return nil
}

// judge says what the body of a page is not. It ends with ctx.
func (r bodyRules) judge(ctx context.Context, page Page) error {
	if limit := r.limit(); limit == maxDigest && page.cut && page.Size == limit {
		return fmt.Errorf("the body is longer than the %d bytes that a digest is made of", limit)
	}
	part := ""
	if page.cut {
		part = fmt.Sprintf(" in its first %d bytes", len(page.text))
	}
	switch {
	case r.MD5 != "" && !strings.EqualFold(r.MD5, page.MD5):
		return fmt.Errorf("the MD5 of its %d bytes is %s, want %s", page.Size, page.MD5, strings.ToLower(r.MD5))
	case r.SHA256 != "" && !strings.EqualFold(r.SHA256, page.SHA256):
		return fmt.Errorf("the SHA-256 of its %d bytes is %.16s…, want %.16s…", page.Size, page.SHA256, strings.ToLower(r.SHA256))
	case r.Contains != "" && !bytes.Contains(page.text, []byte(r.Contains)):
		return fmt.Errorf("the body does not contain %q%s%s", clipText(r.Contains, 40), part, begins(page))
	}
	if r.regex != nil {
		switch at, err := r.regex.find(ctx, page.text); {
		case err != nil:
			return slow("regex", r.Regex, page, err)
		case at == nil:
			return fmt.Errorf("the body does not match regex %q%s%s", clipText(r.Regex, 40), part, begins(page))
		}
	}
	if r.notRegex == nil {
		return nil
	}
	switch at, err := r.notRegex.find(ctx, page.text); {
	case err != nil:
		return slow("not_regex", r.NotRegex, page, err)
	case at != nil:
		return fmt.Errorf("the body matches not_regex %q with %q", clipText(r.NotRegex, 40), clipText(string(page.text[at[0]:at[1]]), 40))
	}
	if page.cut {
		return fmt.Errorf("the body is longer than the %d bytes that are searched for not_regex", maxText)
	}
	return nil
}

// slow is the error of an expression that was not through the body when time was up.
func slow(key, text string, page Page, err error) error {
	return fmt.Errorf("%s %q was not through the %d bytes of the body when time was up (%w): repeat less in it, or use a longer timeout", key, clipText(text, 40), len(page.text), err)
}

// begins is how a body begins, for a message.
func begins(page Page) string {
	if len(page.text) == 0 {
		return ": it is empty"
	}
	return fmt.Sprintf(": it begins with %q", clipText(string(page.text[:min(len(page.text), 100)]), 40))
}

// patterns are the compiled expressions of all targets.
type patterns struct {
	mu    sync.Mutex
	known map[string]*pattern
	swept time.Time
}

func newPatterns() *patterns { return &patterns{known: map[string]*pattern{}} }

type pattern struct {
	re   *expression
	err  error
	used time.Time
}

// rules compiles what has not been compiled yet.
func (x *patterns) rules(b Body) (r bodyRules, err error) {
	r.Body = b
	var err2 error
	r.regex, err = x.compile(b.Regex)
	r.notRegex, err2 = x.compile(b.NotRegex)
	if err = errors.Join(err, err2); err != nil {
		err = fmt.Errorf("%w: %w", ErrNotAsked, err)
	}
	return r, err
}

func (x *patterns) compile(text string) (*expression, error) {
	if text == "" {
		return nil, nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	now := time.Now()
	if now.Sub(x.swept) > forgotten/4 {
		x.swept = now
		for t, p := range x.known {
			if now.Sub(p.used) > forgotten {
				delete(x.known, t)
			}
		}
	}
	p, ok := x.known[text]
	if !ok {
		p = &pattern{}
		p.re, p.err = newExpression(text)
		x.known[text] = p
	}
	p.used = now
	return p.re, p.err
}
