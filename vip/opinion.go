package vip

import (
	"sync"
	"time"
)

// opinion is the caller's word and how long it is good for. It has a lock of its own, so that Keep never waits for the
// kernel.
//
// until[k] is the instant of the last Reconcile or Keep plus the lifetime; told is the until that the kernel was last
// given. An address is renewed when until has moved on by a third of its lifetime since: the caller's call is
// what renews, not a timer, and so no address can outlive it.
type opinion struct {
	mu    sync.Mutex
	words map[key]*word
}

type word struct {
	lifetime time.Duration
	until    time.Time
	told     time.Time // zero: the kernel has been told nothing by this process
}

// say replaces the whole opinion. What the kernel was told of addresses that stay is kept.
func (o *opinion) say(want []Wanted, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	words := make(map[key]*word, len(want))
	for _, w := range want {
		n := &word{lifetime: w.lifetime(), until: at.Add(w.lifetime())}
		if old := o.words[w.key()]; old != nil && old.lifetime == n.lifetime {
			n.told = old.told
		}
		words[w.key()] = n
	}
	o.words = words
}

// keep extends what has not lapsed by now. ok is false when something has; due says that something has to be renewed.
func (o *opinion) keep(now time.Time) (ok, due bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	ok = true
	for _, w := range o.words {
		if !now.Before(w.until) {
			ok = false
			continue
		}
		w.until = now.Add(w.lifetime)
		due = due || w.due()
	}
	return ok, due
}

func (w *word) due() bool { return w.told.IsZero() || w.until.Sub(w.told) >= w.lifetime/3 }

// left is what remains of the word on k at now; not positive when it has lapsed or was never given.
func (o *opinion) left(k key, now time.Time) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if w := o.words[k]; w != nil {
		return w.until.Sub(now)
	}
	return 0
}

// due says whether k has to be renewed.
func (o *opinion) due(k key) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	w := o.words[k]
	return w != nil && w.due()
}

// tell notes that the kernel was given k with left still to go at now.
func (o *opinion) tell(k key, now time.Time, left time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if w := o.words[k]; w != nil {
		w.told = now.Add(left)
	}
}

// drop forgets what has lapsed by now, for good: only a new say brings it back. It returns the keys.
func (o *opinion) drop(now time.Time) []key {
	o.mu.Lock()
	defer o.mu.Unlock()
	var ks []key
	for k, w := range o.words {
		if !now.Before(w.until) {
			ks = append(ks, k)
			delete(o.words, k)
		}
	}
	return ks
}

// wakeAt is when the next word lapses; zero when there is none.
func (o *opinion) wakeAt() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	var t time.Time
	for _, w := range o.words {
		t = earlier(t, w.until)
	}
	return t
}
