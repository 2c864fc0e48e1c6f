//go:build !linux

package api

import "net"

// socketUser is unknown here: agents run on Linux, and only they serve.
func socketUser(net.Conn) string { return "" }
