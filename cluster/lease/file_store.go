package lease

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"quorate/fsm"
)

// FileStore keeps a Durable in one file. The file is a line "quorate-lease 1 SHA256-OF-THE-REST" and JSON. Each Save writes
// a new file beside it, flushes it, renames it into place and flushes the directory, so that a crash at any point leaves
// the old value or the new one. The data directory's lock keeps a second process out.
type FileStore struct{ path string }

// NewFileStore names the file; it reads and writes nothing.
func NewFileStore(path string) *FileStore { return &FileStore{path: path} }

const (
	fileMagic = "quorate-lease 1 "
	maxFile   = 1 << 20 // bytes: maxNodes floors are a tenth of that
)

// cure for a file that is missing, damaged or of another version: its promises cannot be made up.
const cure = "the node's promises are lost: remove the node from the cluster, then join it again with an empty data directory"

// Create writes the first value of a new data directory: no promises. It fails when the file exists.
func (s *FileStore) Create() error {
	if _, err := os.Lstat(s.path); err == nil {
		return fmt.Errorf("create lease file %s: %w", s.path, fs.ErrExist)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("create lease file: %w", err)
	}
	return s.Save(Durable{})
}

// fileDurable is the JSON form.
type fileDurable struct {
	Floors   map[fsm.NodeID]fsm.Epoch `json:"floors,omitempty"`
	SetFloor uint64                   `json:"set_floor,omitempty"`
	CapNS    time.Duration            `json:"cap_ns,omitempty"`
	Promises uint64                   `json:"promises,omitempty"`
}

// Load implements DurableStore. A missing file is an error (fs.ErrNotExist) as a damaged one is: only Create begins anew.
func (s *FileStore) Load() (Durable, error) {
	f, err := os.Open(s.path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return Durable{}, fmt.Errorf("lease file: %w; %s", err, cure)
		}
		return Durable{}, fmt.Errorf("lease file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Durable{}, fmt.Errorf("lease file: %w", err)
	}
	d, err := parseFile(b)
	if err != nil {
		return Durable{}, fmt.Errorf("lease file %s: %w; %s", s.path, err, cure)
	}
	return d, nil
}

func parseFile(b []byte) (Durable, error) {
	if len(b) > maxFile {
		return Durable{}, fmt.Errorf("longer than %d bytes", maxFile)
	}
	line, rest, ok := bytes.Cut(b, []byte("\n"))
	if !ok || !bytes.HasPrefix(line, []byte(fileMagic)) {
		return Durable{}, fmt.Errorf("does not begin with %q", fileMagic)
	}
	sum := sha256.Sum256(rest)
	if string(line[len(fileMagic):]) != hex.EncodeToString(sum[:]) {
		return Durable{}, errors.New("checksum does not match: cut short or damaged")
	}
	var x fileDurable
	d := json.NewDecoder(bytes.NewReader(rest))
	d.DisallowUnknownFields()
	if err := d.Decode(&x); err != nil {
		return Durable{}, err
	}
	if x.CapNS < 0 || x.CapNS > maxTTL {
		return Durable{}, fmt.Errorf("cap %v is out of range", x.CapNS)
	}
	return Durable{Floors: x.Floors, SetFloor: x.SetFloor, Cap: x.CapNS, Promises: x.Promises}, nil
}

// Save implements DurableStore.
func (s *FileStore) Save(d Durable) error {
	if err := s.save(d); err != nil {
		return fmt.Errorf("write lease file %s: %w", s.path, err)
	}
	return nil
}

func (s *FileStore) save(d Durable) error {
	body, err := json.Marshal(fileDurable{Floors: d.Floors, SetFloor: d.SetFloor, CapNS: d.Cap, Promises: d.Promises})
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	next := s.path + ".new"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s%x\n%s", fileMagic, sum, body)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, s.path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(s.path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

var _ DurableStore = (*FileStore)(nil)
