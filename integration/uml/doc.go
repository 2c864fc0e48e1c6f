// Package uml runs a program inside User-Mode Linux: a kernel with IPVS, veth, bridges, network namespaces and netem
// that is itself a process of the host, needs neither KVM nor an image, and boots in about two seconds on the host's own
// file system. It is the bed for what the host's kernel lacks.
//
//	status, err := uml.Run(ctx, uml.Program{Path: "/tmp/ipvs.test", Args: []string{"-test.v"}, Stdout: os.Stdout})
//
// The program runs as root of the guest, sees the host's files under their own paths (with the rights of the user who
// started it), and its output and exit status come back. There is one virtual CPU, HZ is 100, and system calls are several times
// slower than the host's. The guest has no network to the outside and cannot harm the host's.
//
// It needs Debian's packages user-mode-linux (kernel and modules) and kmod; [Missing] says which one is not there.
package uml
