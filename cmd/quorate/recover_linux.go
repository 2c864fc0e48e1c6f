package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"syscall"
	"time"

	"quorate/agent"
)

// salvage reads a data directory and, where sure, makes a new cluster of it.
func salvage(dir string, sure bool, actor string) (r remains, err error) {
	if err := ownDirectory(dir); err != nil {
		return r, err
	}
	s, err := agent.OpenSalvage(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	x := s.Remains()
	r = remains{DataDir: dir, Node: x.Node, Cluster: x.Cluster, Index: x.Index, At: x.At, Version: x.Version, Config: x.Config,
		Members: x.Members, Owners: x.Owners}
	if sure {
		r.Recovered, err = s.Recover(actor, time.Now())
	}
	return r, err
}

// ownDirectory refuses to work in the directory of another user, whose agent could not read what is written.
func ownDirectory(dir string) error {
	st, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("data directory: %w; name the right one with --data-dir", err)
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok || int(sys.Uid) == os.Geteuid() {
		return nil
	}
	return fmt.Errorf("%s belongs to the user with id %s, and its agent could not read what another writes: run this as that user", dir,
		strconv.FormatUint(uint64(sys.Uid), 10))
}
