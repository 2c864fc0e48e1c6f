package fsm

import "strings"

// SMTPCheck is the part of a Check that only SMTP has.
type SMTPCheck struct {
	Helo     string `json:"helo,omitempty"` // what the probe calls itself; "" = DefaultHelo
	StartTLS bool   `json:"starttls,omitempty"`
}

// DefaultHelo is what a probe calls itself when nothing else is said: a name that nobody has.
const DefaultHelo = "quorate.invalid"

func (s *SMTPCheck) validate(ps *Problems, object string) {
	if !plainText(s.Helo) || strings.ContainsAny(s.Helo, " <>") || len(s.Helo) > 255 {
		ps.add(object, "helo", s.Helo, "this is no host name", `write it like "lb1.example.org"`)
	}
}

func (s *SMTPCheck) fields(f fields) {
	f.set("helo", s.Helo)
	f.flag("starttls", s.StartTLS)
}
