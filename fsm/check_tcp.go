package fsm

import (
	"encoding/hex"
	"fmt"
	"unicode/utf8"
)

// TCPCheck is the part of a Check by TCP that does something else than to connect: it says something, waits for something to be said, or gives up half-way. A check that only connects has none. Since schema 6.
type TCPCheck struct {
	Send        string `json:"send,omitempty"`
	SendHex     string `json:"send_hex,omitempty"`     // in place of Send
	Expect      string `json:"expect,omitempty"`       // that the answer contains
	ExpectRegex string `json:"expect_regex,omitempty"` // that it matches; RE2
	HalfOpen    bool   `json:"half_open,omitempty"`    // the connection is given up before it stands
}

func (c *TCPCheck) validate(ps *Problems, object string) {
	for _, x := range []struct{ key, text string }{{"send", c.Send}, {"expect", c.Expect}, {"expect_regex", c.ExpectRegex}} {
		switch {
		case len(x.text) > maxPattern:
			ps.add(object, x.key, short(x.text), fmt.Sprintf("it has %d bytes", len(x.text)), fmt.Sprintf("use at most %d", maxPattern))
		case !utf8.ValidString(x.text):
			ps.add(object, x.key, short(x.text), "it is not UTF-8", "write it in hexadecimal, where that may be")
		}
	}
	digits := hexDigits(c.SendHex)
	if _, err := hex.DecodeString(digits); err != nil || len(digits) > 2*maxPattern {
		ps.add(object, "send_hex", short(c.SendHex), notHex(digits, "0123456789abcdefABCDEF"), `write two digits for each byte, like "0a0b 0c"`)
	}
	if c.Send != "" && c.SendHex != "" {
		ps.add(object, "send_hex", short(c.SendHex), "there is a send already", "leave one of the two out")
	}
}

// validateHalfOpen refuses what needs a connection beside a check that opens none.
func (c Check) validateHalfOpen(ps *Problems, object string) {
	if c.TCP == nil || !c.TCP.HalfOpen {
		return
	}
	besides := ""
	switch {
	case c.Through != "":
		besides = "through"
	case c.TLS != nil && *c.TLS != TLSCheck{}:
		besides = "tls"
	case c.TCP.Send != "":
		besides = "send"
	case c.TCP.SendHex != "":
		besides = "send_hex"
	case c.TCP.Expect != "":
		besides = "expect"
	case c.TCP.ExpectRegex != "":
		besides = "expect_regex"
	default:
		return
	}
	ps.add(object, "half_open", "true", "the connection is never opened, and "+besides+" needs one", "leave one of the two out")
}

// unaskable says that a regular expression does not compile, see HTTPCheck.unaskable.
func (c *TCPCheck) unaskable(ps *Problems, object string) {
	validateExpression(ps, object, "expect_regex", c.ExpectRegex)
}

func (c *TCPCheck) fields(f fields) {
	f.set("send", c.Send)
	f.set("send_hex", c.SendHex)
	f.set("expect", c.Expect)
	f.set("expect_regex", c.ExpectRegex)
	f.flag("half_open", c.HalfOpen)
}

// Spared is the check of a type that may do without some parts (tcp) without those that say nothing, so that a check which only connects is
// written as it always was.
func (c Check) Spared() Check {
	if c.Type != CheckTCP {
		return c
	}
	if c.TCP != nil && *c.TCP == (TCPCheck{}) {
		c.TCP = nil
	}
	if c.TLS != nil && *c.TLS == (TLSCheck{}) {
		c.TLS = nil
	}
	return c
}
