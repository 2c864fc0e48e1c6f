// Package qemu runs a program on a stock distribution kernel: Debian's cloud image, booted by QEMU without KVM, with two processors and from memory. It is the bed for what
// neither the host's kernel nor User-Mode Linux has: IPVS beside nftables of every family, on the kernel that users have.
//
//	status, err := qemu.Run(ctx, qemu.Program{Path: "/tmp/marker.test", Args: []string{"-test.v"}, Stdout: os.Stdout})
//
// A guest boots in some seconds and computes about ten times slower than the host. It holds only the program, the tools that the program asks for, and busybox; it has no
// disk, no network to the outside and none of the host's files, and dies with this process.
//
// It needs Debian's package qemu-system-x86, and a kernel that fetch.sh ("make stock-kernel") has downloaded and unpacked into the user's cache directory; nothing of that is
// installed on the host. [Missing] says what is not there.
package qemu
