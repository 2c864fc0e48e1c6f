package durable

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Place is where a state of the kernel's network is to be found: it does not outlive the boot, nor leave the network namespace. What a file says of
// it is worth something in its place alone.
type Place struct {
	Boot      string `json:"boot"`      // random(4), boot_id
	Namespace string `json:"namespace"` // namespaces(7), as in net:[4026531840]
}

// Here is the place of the calling thread. Not that of the process: the kernel answers a thread for the namespace that it is in, and that is what a
// page is about. In a program all of whose threads are in one namespace it is the same.
func Here() (Place, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Place{}, fmt.Errorf("identity of this boot: %w", err)
	}
	space, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		return Place{}, fmt.Errorf("identity of the network namespace: %w", err)
	}
	return Place{Boot: strings.TrimSpace(string(boot)), Namespace: space}, nil
}

// Page is what is remembered of a place: a struct that has the Place embedded.
type Page interface{ place() Place }

func (p Place) place() Place { return p }

// Recall is the page at path, JSON, if it is of the same place as the blank one. Else it is the blank one: also without a file or with "" as path,
// and beside an error, since nothing of half a page is believed.
func Recall[P Page](path string, blank P) (P, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return blank, nil
	}
	var read P
	if err == nil {
		err = json.Unmarshal(text, &read)
	}
	if err != nil || read.place() != blank.place() {
		return blank, err
	}
	return read, nil
}

// Keep puts the page at path in place of the one that there is, as [Replace] does. With "" as path it does nothing.
func Keep(path string, p Page) error {
	if path == "" {
		return nil
	}
	text, err := json.Marshal(p)
	if err == nil {
		err = Replace(path, text)
	}
	return err
}
