package cluster

import (
	"bytes"
	"fmt"
	"runtime"

	"github.com/hashicorp/raft"
)

// termGuard ends the node where Raft would end the process. Raft panics when it cannot store its term (raft.go,
// setCurrentTerm), in a goroutine of its own, so that on a full disk nothing would be said but a trace, and addresses would stay
// until their lease ends. Here failed gets the reason, and the goroutine that was about to take the new term ends: with its
// deferred functions, which refuse the request that it was about, and without another step of Raft's.
type termGuard struct {
	raft.StableStore
	failed func(error)
}

// SetUint64 implements raft.StableStore.
func (g termGuard) SetUint64(key []byte, val uint64) error {
	err := g.StableStore.SetUint64(key, val)
	if err != nil && bytes.Equal(key, keyTerm) {
		g.failed(fmt.Errorf("the data directory cannot be written, Raft's term %d is not stored: %w; is the disk full, or mounted read-only?", val, err))
		runtime.Goexit()
	}
	return err
}
