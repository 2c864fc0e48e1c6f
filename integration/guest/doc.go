// Package guest holds what is the same for all beds that are another kernel than the host's (integration/uml, integration/qemu): how a machine is asked for the programs
// that a bed needs, how the guest's first process is told what to run, how the guest's end becomes an exit status, and the command that runs one program in a guest. How a
// kernel is booted, and what it sees of the host, is each bed's own. Package guesttest runs the tests of a package in a guest.
package guest
