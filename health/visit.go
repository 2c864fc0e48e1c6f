package health

import (
	"fmt"
	"strconv"
	"time"
)

// visit is what a check by HTTP asks: its URLs one after another, each on a connection of its own, and where their redirects lead. It does no I/O.
type visit struct {
	target *Target
	scheme string
	url    URL // to be asked now
	at     int // which of the target's URLs that is, or comes from
	hop    int // how many redirects lead to it
	said   string
	note   string // of the last answer
}

func newVisit(t *Target, scheme string) *visit {
	return &visit{target: t, scheme: scheme, url: t.HTTP.URLs[0]}
}

// take takes what the URL was answered. more says that there is another to be asked; with an error there is none.
func (v *visit) take(page Page, err error) (more bool, _ error) {
	led := false
	if err == nil {
		led, err = v.lead(page)
	}
	urls := v.target.HTTP.URLs
	switch {
	case err != nil && len(urls) > 1:
		return false, fmt.Errorf("%s: %w", clipText(urls[v.at].Path, 60), err)
	case err != nil || led:
		return led, err
	}
	if v.at > 0 {
		v.said += ", "
	}
	v.said, v.note = v.said+strconv.Itoa(page.Status), page.note
	if v.at++; v.at == len(urls) {
		return false, nil
	}
	v.url, v.hop = urls[v.at], 0
	return true, nil
}

// lead judges the status of an answer, and reports whether it leads to another URL, which is then to be asked.
func (v *visit) lead(page Page) (bool, error) {
	most := v.target.HTTP.Redirects
	if v.url.accepts(page.Status) {
		return false, nil
	}
	if page.Location == "" || most == 0 {
		return false, refusal(page.Status, v.url, most)
	}
	next, err := follow(*v.target, v.url, page, v.scheme)
	switch {
	case err != nil:
		return false, err
	case v.hop == most:
		return false, fmt.Errorf("status %d after %d redirects, want %s", page.Status, v.hop, v.url.wanted())
	}
	v.url = next
	v.hop++
	return true, nil
}

// answer is that of a target whose URLs have all been answered well.
func (v *visit) answer(took time.Duration) Answer {
	return Answer{Detail: "status " + v.said + " in " + rounded(took).String() + v.note}
}
