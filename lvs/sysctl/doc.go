// Package sysctl asks for settings of the kernel, sets those that the operator allows to be set, and puts back what was there.
//
//	need ─► Need.String: the command, for whoever may not set it
//	   └──► Book.Set: note what is there (file), set ─► Book.Restore: what was there, unless another program has changed it since
//
// What is decided here: what was ours, and so may be put back. What is never decided here: which settings are needed, and whether they may be
// set. All names are those of sysctl(8) with dots; all of it is about the network namespace of the calling thread.
//
//	book, err := sysctl.Open("/var/lib/quorate/sysctls.json")
//	err = book.Set("lvs", "net.ipv4.ip_forward", "1")
//	err = book.Restore("lvs")
package sysctl
