package fsm

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// UDPCheck is the part of a Check that only UDP has.
type UDPCheck struct {
	Payload string `json:"payload,omitempty"`      // hexadecimal; see Text
	Text    string `json:"payload_text,omitempty"` // in place of Payload; with neither an empty datagram is sent
	Reply   string `json:"reply,omitempty"`        // what a reply begins with: hexadecimal, X for a digit that may be any
	// RequireReply has the check fail without a reply. Else it fails only when the server's host says that nobody listens.
	RequireReply bool `json:"require_reply,omitempty"`
	MinReply     int  `json:"min_reply,omitempty"` // bytes
	MaxReply     int  `json:"max_reply,omitempty"` // bytes; 0 = any
}

// maxDatagram is the longest payload, and the longest reply that can be told from others, in bytes.
const maxDatagram = 1400

// Wants reports whether the check wants a reply.
func (u *UDPCheck) Wants() bool {
	return u.RequireReply || u.Reply != "" || u.MinReply > 0 || u.MaxReply > 0
}

func (u *UDPCheck) validate(ps *Problems, object string) {
	payload := hexDigits(u.Payload)
	if _, err := hex.DecodeString(payload); err != nil || len(payload) > 2*maxDatagram {
		ps.add(object, "payload", short(u.Payload), notHex(payload, "0123456789abcdefABCDEF"), `write two digits for each byte, like "0a0b 0c"`)
	}
	if u.Payload != "" && u.Text != "" {
		ps.add(object, "payload_text", short(u.Text), "there is a payload already", "leave one of the two out")
	}
	if len(u.Text) > maxDatagram {
		ps.add(object, "payload_text", short(u.Text), "it is too long", fmt.Sprintf("use at most %d bytes", maxDatagram))
	}
	reply := hexDigits(u.Reply)
	if strings.Trim(reply, "0123456789abcdefABCDEFxX") != "" || len(reply)%2 != 0 || len(reply) > 2*maxDatagram {
		ps.add(object, "reply", short(u.Reply), notHex(reply, "0123456789abcdefABCDEFxX"), `write two digits for each byte, like "0a0b XX", with X for a digit that may be any`)
	}
	inRange(ps, object, "min_reply", u.MinReply, 0, maxDatagram)
	inRange(ps, object, "max_reply", u.MaxReply, 0, maxDatagram)
	if u.MaxReply > 0 && u.MaxReply < max(u.MinReply, len(reply)/2) {
		ps.add(object, "max_reply", fmt.Sprint(u.MaxReply), "no reply is long enough and short enough", "use a larger one, or leave it out")
	}
}

func (u *UDPCheck) fields(f fields) {
	f.set("payload", u.Payload)
	f.set("payload_text", u.Text)
	f.set("reply", u.Reply)
	f.flag("require_reply", u.RequireReply)
	f.count("min_reply", u.MinReply)
	f.count("max_reply", u.MaxReply)
}

// hexDigits is s without the blanks between digits.
func hexDigits(s string) string { return strings.Join(strings.Fields(s), "") }

// notHex says what is wrong with digits.
func notHex(digits, allowed string) string {
	if i := strings.IndexFunc(digits, func(r rune) bool { return !strings.ContainsRune(allowed, r) }); i >= 0 {
		return fmt.Sprintf("%q is no such digit", []rune(digits[i:])[0])
	}
	if len(digits)%2 != 0 {
		return "the last byte has one digit"
	}
	return fmt.Sprintf("it has more than %d bytes", maxDatagram)
}

// short is the beginning of a value for a message.
func short(s string) string {
	if len(s) <= 60 {
		return s
	}
	return s[:60] + "…"
}
