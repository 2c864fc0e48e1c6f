package lab

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"time"
)

// Record writes the captured frames that claim an address, and VRRP advertisements, to a file that tcpdump and Wireshark read (draft-ietf-opsawg-pcap), until
// the capture is closed.
func (c *Capture) Record(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("record frames: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drain()
	c.record = &recorder{file: f, to: bufio.NewWriter(f)}
	header := binary.NativeEndian.AppendUint32(nil, pcapMagic)
	header = binary.NativeEndian.AppendUint16(header, 2)
	header = binary.NativeEndian.AppendUint16(header, 4)
	header = append(header, make([]byte, 8)...)
	header = binary.NativeEndian.AppendUint32(header, snapLen)
	header = binary.NativeEndian.AppendUint32(header, 1) // LINKTYPE_ETHERNET
	c.record.write(header)
	return nil
}

const pcapMagic = 0xa1b23c4d // times in nanoseconds

// recorder is the file. Its first error is that of its end.
type recorder struct {
	file *os.File
	to   *bufio.Writer
}

func (r *recorder) write(b []byte) { _, _ = r.to.Write(b) } // Flush returns the error

// frame adds one frame with its time of day.
func (r *recorder) frame(at time.Duration, b []byte) {
	header := binary.NativeEndian.AppendUint32(nil, uint32(at/time.Second))
	header = binary.NativeEndian.AppendUint32(header, uint32(at%time.Second))
	header = binary.NativeEndian.AppendUint32(header, uint32(len(b)))
	r.write(binary.NativeEndian.AppendUint32(header, uint32(len(b))))
	r.write(b)
}

func (r *recorder) close() error {
	if err := r.to.Flush(); err != nil {
		_ = r.file.Close()
		return fmt.Errorf("record frames: %w", err)
	}
	return r.file.Close()
}
