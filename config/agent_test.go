package config

import (
	"errors"
	"testing"

	"quorate/fsm"
)

func TestParseAgent(t *testing.T) {
	a, err := ParseAgent("agent.hcl", []byte(`
		name      = "lb1"
		bind      = "192.0.2.1"
		advertise = "198.51.100.1"
		data_dir  = "/srv/quorate/"
		socket    = "/tmp/q.sock"
		http      = ":7380"
		role      = "witness"
		zone      = "room-1"
		weight    = 0
		fence     = "nft"`))
	want := AgentConfig{
		Name: "lb1", Bind: "192.0.2.1:7300", Advertise: "198.51.100.1", DataDir: "/srv/quorate", Socket: "/tmp/q.sock",
		HTTP: "127.0.0.1:7380", Role: fsm.Witness, Zone: "room-1", Weight: 0, Fence: "nft",
	}
	if err != nil || a != want {
		t.Errorf("%+v, %v\nwant %+v", a, err, want)
	}
}

func TestParseAgentDefaults(t *testing.T) {
	want := AgentConfig{DataDir: "/var/lib/quorate", Socket: "/run/quorate/quorate.sock", Role: fsm.Director, Weight: 1, Fence: "auto"}
	for name, text := range map[string]string{"agent.hcl": "", "agent.json": "{}", "agent.conf": "# nothing"} {
		if a, err := ParseAgent(name, []byte(text)); err != nil || a != want {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	if a := DefaultAgent(); a != want {
		t.Errorf("DefaultAgent: %+v", a)
	}
}

func TestParseAgentAddresses(t *testing.T) {
	for _, c := range []struct{ text, bind, advertise string }{
		{`bind = "192.0.2.1:7400"`, "192.0.2.1:7400", ""},
		{`bind = "2001:db8::1"`, "[2001:db8::1]:7300", ""},
		{`bind = "[2001:db8::1]"`, "[2001:db8::1]:7300", ""},
		{`bind = "[2001:db8::1]:7400"`, "[2001:db8::1]:7400", ""},
		{`bind = "0.0.0.0:7400" advertise = "192.0.2.1"`, "0.0.0.0:7400", "192.0.2.1:7400"},
		{`bind = "192.0.2.1" advertise = "192.0.2.2:7500"`, "192.0.2.1:7300", "192.0.2.2:7500"},
	} {
		a, err := ParseAgent("agent.hcl", []byte(c.text))
		if err != nil {
			t.Error(err)
		}
		a.Name = "lb1"
		if err := a.Complete(); err != nil || a.Bind != c.bind || a.Advertise != c.advertise {
			t.Errorf("%s: bind %s advertise %s, %v", c.text, a.Bind, a.Advertise, err)
		}
	}
}

func TestComplete(t *testing.T) {
	a := AgentConfig{Name: "lb1", Bind: "192.0.2.1", Weight: 5}
	want := AgentConfig{Name: "lb1", Bind: "192.0.2.1:7300", DataDir: "/var/lib/quorate", Socket: "/run/quorate/quorate.sock", Role: fsm.Director, Weight: 5, Fence: "auto"}
	for range 2 { // what is complete stays as it is
		if err := a.Complete(); err != nil || a != want {
			t.Errorf("%+v, %v", a, err)
		}
	}

	// A flag replaces what the file says, and the port of advertise follows.
	a, err := ParseAgent("agent.hcl", []byte(`name = "lb1" bind = "0.0.0.0" advertise = "192.0.2.1"`))
	if err != nil {
		t.Fatal(err)
	}
	a.Bind = "0.0.0.0:7400"
	if err := a.Complete(); err != nil || a.Advertise != "192.0.2.1:7400" {
		t.Errorf("%+v, %v", a, err)
	}
	a.Advertise = ""
	want2 := `agent: bind = "0.0.0.0:7400": the other nodes cannot be told to reach this one at 0.0.0.0; name the address, or set advertise`
	if err := a.Complete(); err == nil || err.Error() != want2 {
		t.Errorf("%v", err)
	}

	err = (&AgentConfig{Role: "x", HTTP: "nowhere"}).Complete()
	var ps fsm.Problems
	if !errors.As(err, &ps) {
		t.Fatalf("%T", err)
	}
	keys := ""
	for _, p := range ps {
		keys += p.Object + "." + p.Key + " "
	}
	if keys != "agent.http agent.role agent.name agent.bind " {
		t.Errorf("problems with %s", keys)
	}
}
