package fsm

import "cmp"

// Mode is whether what is decided is done. Since schema 7.
type Mode string

// The modes. The zero value is live, so that a configuration that does not ask for more is written as before.
const (
	LiveMode   Mode = ""
	ShadowMode Mode = "shadow" // it is only recorded what would be done: nothing in any kernel is touched
)

// String is the form used in configuration files and texts.
func (m Mode) String() string { return cmp.Or(string(m), "live") }

// ModeOf is the mode of the VIP: its own or, where that is live, that of the cluster.
func (c Config) ModeOf(v VIP) Mode { return cmp.Or(v.Mode, c.Settings.Mode) }

// Shadows reports whether the VIP is in shadow.
func (c Config) Shadows(v VIP) bool { return c.ModeOf(v) == ShadowMode }

// Matches reports whether v is still what the assignment was made for: the same name, address, prefix length, interface and mode.
func (c Config) Matches(a Assignment, v VIP) bool { return a.made(v) && a.Shadow == c.Shadows(v) }
