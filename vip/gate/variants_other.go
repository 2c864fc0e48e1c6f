//go:build !linux

package gate

// variants are the gates that there are: none but on Linux.
var variants []variant
