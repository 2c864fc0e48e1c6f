package lvstest

import (
	"testing"

	"github.com/google/nftables"
)

// Nftables changes the host's nftables as another program would, all that f asks for in one transaction; f may also look at what there is. It ends the
// test on an error.
func (h *Host) Nftables(t testing.TB, f func(*nftables.Conn) error) {
	t.Helper()
	err := h.Do(func() error {
		c, err := nftables.New()
		if err == nil {
			err = f(c)
		}
		if err == nil {
			err = c.Flush()
		}
		return err
	})
	if err != nil {
		t.Fatalf("nftables of host %s: %v", h.Name, err)
	}
}
