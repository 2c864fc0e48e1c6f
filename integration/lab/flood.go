package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// floodBatch is how many packets one system call sends.
const floodBatch = 64

// Flood sends IPv4 packets, with their headers, from the host in turn, at a rate a second, until ctx ends. It returns how many were sent: a machine that is
// too slow sends fewer.
func (h *Host) Flood(ctx context.Context, packets [][]byte, rate int) (sent int, err error) {
	var conn net.PacketConn
	err = h.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		if err != nil {
			return err
		}
		file := os.NewFile(uintptr(fd), "flood")
		defer file.Close() // FilePacketConn has its own copy
		if err := unix.BindToDevice(fd, "eth0"); err != nil {
			return err
		}
		conn, err = net.FilePacketConn(file)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("flood from %s: %w", h.Name, err)
	}
	defer conn.Close()
	batch := ipv4.NewPacketConn(conn)
	messages := make([]ipv4.Message, floodBatch)
	for i := range messages {
		messages[i].Buffers = make([][]byte, 1)
	}
	for start := time.Now(); ctx.Err() == nil; {
		due := int(time.Since(start).Seconds()*float64(rate)) - sent
		if due < floodBatch/2 {
			select {
			case <-time.After(time.Millisecond):
			case <-ctx.Done():
			}
			continue
		}
		n := min(due, floodBatch)
		for i := range n {
			p := packets[(sent+i)%len(packets)]
			messages[i].Buffers[0] = p
			messages[i].Addr = &net.IPAddr{IP: net.IP(p[16:20])}
		}
		n, err := batch.WriteBatch(messages[:n], 0)
		if err != nil && !errors.Is(err, unix.ENOBUFS) {
			return sent, fmt.Errorf("flood from %s: %w", h.Name, err)
		}
		sent += max(n, 0)
	}
	return sent, nil
}
