package qemu

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"quorate/integration/guest"
)

const qemuName = "qemu-system-x86_64"

// Dir is where the kernel is unpacked: the directory that the environment's QUORATE_STOCK_KERNEL names, or one in the user's cache.
func Dir() (string, error) {
	if d := os.Getenv("QUORATE_STOCK_KERNEL"); d != "" {
		return d, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("a place for the kernel: %w: set QUORATE_STOCK_KERNEL", err)
	}
	return filepath.Join(cache, "quorate", "stock-kernel"), nil
}

// Modules that every guest loads, if no others are asked for: IPVS with its schedulers, tunnels, nftables, and what makes networks inside the guest. One that the kernel does
// not have is left out.
var Modules = []string{
	"veth", "bridge", "dummy", "af_packet", "ipv6", "ipip", "ip6_tunnel", "sctp",
	"nf_tables", "nft_ct", "nft_numgen", "nft_hash", "nft_reject_inet", "nft_chain_nat", "nft_nat", "nft_masq", "nft_counter", "nf_conntrack", "nf_conntrack_netlink",
	"ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_lc", "ip_vs_wlc", "ip_vs_sh", "ip_vs_dh", "ip_vs_mh", "ip_vs_sed", "ip_vs_nq", "ip_vs_fo", "ip_vs_ovf", "ip_vs_twos",
}

// Missing names what this machine lacks for Run, with the cure; empty when it lacks nothing.
func Missing() string {
	if runtime.GOARCH != "amd64" || runtime.GOOS != "linux" {
		return "the guest's program is made for linux/amd64, and so must be this machine"
	}
	if m := guest.Missing(guest.Tool{Name: qemuName, Package: "qemu-system-x86"}, guest.Tool{Name: "modprobe", Package: "kmod"}); m != "" {
		return m
	}
	if _, err := findKernel(); err != nil {
		return err.Error()
	}
	return ""
}

// kernel is one that is unpacked.
type kernel struct {
	dir, image, release string
}

func findKernel() (k kernel, err error) {
	if k.dir, err = Dir(); err != nil {
		return k, err
	}
	images, err := filepath.Glob(filepath.Join(k.dir, "boot", "vmlinuz-*"))
	if err != nil || len(images) != 1 {
		return k, fmt.Errorf("no kernel is unpacked in %s: run make stock-kernel", k.dir)
	}
	k.image = images[0]
	k.release = strings.TrimPrefix(filepath.Base(k.image), "vmlinuz-")
	if _, err := os.Stat(filepath.Join(k.dir, "bin/busybox")); err != nil {
		return k, fmt.Errorf("%w: remove %s and run make stock-kernel", err, k.dir)
	}
	return k, nil
}

// modules are the files of the named ones and of those that they need, in the order in which they can be loaded.
func (k kernel) modules(names []string) (files []string, err error) {
	modprobe, err := guest.LookPath("modprobe")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		// One that is built in, or that this kernel does not have, is no error: the program will say what it misses.
		out, _ := exec.Command(modprobe, "-C", "/dev/null", "-d", k.dir, "-S", k.release, "--show-depends", name).Output()
		for line := range strings.Lines(string(out)) {
			f, found := strings.CutPrefix(strings.TrimSpace(line), "insmod ")
			if f = strings.TrimSpace(f); found && !slices.Contains(files, f) {
				files = append(files, f)
			}
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s has none of the modules %v: remove it and run make stock-kernel", k.dir, names)
	}
	return files, nil
}
