package fsm

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is a service as its words say it, told one event after the other: what Apply has to agree with.
type model struct {
	met  bool
	made bool
}

// follow is what becomes of the quorum, from the state's servers and nothing else that Apply derives.
func (m *model) follow(s *State, name string) {
	svc := s.Config.Services[name]
	sum, have, alive := 0, 0, 0
	for _, server := range svc.Servers {
		sum += server.Weight
		if st := s.Servers[ServerKey{name, server.Address}]; st.Serving() && st.Admin == Enabled {
			alive++
			if !st.Asked.Is || st.Asked.Value > 0 {
				have += server.Weight
			}
		}
	}
	quorum := svc.Quorum
	if quorum == 0 {
		quorum = 1
	}
	if quorum > sum {
		quorum = sum
	}
	switch {
	case alive == 0, sum > 0 && have == 0:
		m.met = false
	case m.met && m.made:
		m.met = have >= quorum-svc.Hysteresis
	default:
		m.met = have >= quorum+svc.Hysteresis || have == sum
	}
	m.made = true
}

// TestQuorumFollowsTheModel walks through random histories of verdicts, admin states, drains that end, and configurations, and compares
// each step with a model, a second replica and a third one that was restored from a snapshot on the way.
func TestQuorumFollowsTheModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt)
		w.form(1)
		w.pass(0)
		models := map[string]*model{}
		replica := w.s
		step := func(c Command) {
			before := len(w.s.Events)
			w.apply(c)
			c.At, c.Schema = w.now, w.s.Schema
			replica, _ = replica.Apply(replica.Index+1, c)
			if rapid.IntRange(0, 9).Draw(rt, "restore") == 0 {
				restored, err := Restore(bytes.NewReader(snapshotOf(rt, replica)))
				if err != nil {
					rt.Fatalf("%v", err)
				}
				replica = restored
			}
			if !bytes.Equal(snapshotOf(rt, replica), snapshotOf(rt, w.s)) {
				rt.Fatalf("%s: the replicas differ", c.Kind())
			}
			events := w.s.Events[min(before, len(w.s.Events)):]
			for name := range models {
				if _, still := w.s.Config.Services[name]; !still {
					delete(models, name)
				}
			}
			for name, svc := range w.s.Config.Services {
				m, had := models[name]
				if !had {
					m = &model{}
					models[name] = m
				}
				was := m.met
				m.follow(w.s, name)
				if got := w.s.Services[name].Quorum; got != m.met {
					rt.Fatalf("%s: %s: met %v, want %v: %+v", c.Kind(), name, got, m.met, w.s.QuorumOf(name))
				}
				told := slices.ContainsFunc(events, func(e Event) bool {
					return e.Kind == EventService && e.Service == name && e.Reason == map[bool]ReasonCode{true: ReasonQuorumUp, false: ReasonQuorumDown}[m.met]
				})
				if told != (had && was != m.met) {
					rt.Fatalf("%s: %s: met %v → %v, and the timeline says so: %v", c.Kind(), name, was, m.met, told)
				}
				checkTable(rt, w.s, svc)
			}
		}
		step(Command{Configure: &Configure{Force: true, Config: drawServices(rt)}})
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			w.pass(time.Duration(rapid.IntRange(0, 90).Draw(rt, "pass")) * time.Second)
			step(drawServerStep(rt, w))
		}
	})
}

func drawServices(rt *rapid.T) Config {
	c := vips(1)
	c.Services = map[string]Service{}
	for i := range rapid.IntRange(1, 2).Draw(rt, "services") {
		s := Service{Name: fmt.Sprintf("s%d", i), VIP: "v0000", Port: uint16(80 + i), Protocol: TCP, Scheduler: "wrr", Forward: NAT,
			Quorum: rapid.IntRange(0, 8).Draw(rt, "quorum"), Inhibit: rapid.Bool().Draw(rt, "inhibit")}
		s.Hysteresis = rapid.IntRange(0, max(0, s.Quorum-1)).Draw(rt, "hysteresis")
		if rapid.Bool().Draw(rt, "sorry") {
			s.Sorry = &Server{Address: netip.MustParseAddrPort("10.0.1.1:80"), Weight: 1}
		}
		if rapid.Bool().Draw(rt, "check") {
			s.Checks = []Check{{Type: CheckTCP, Interval: time.Second, Timeout: time.Second, Rise: 1, Fall: 1}}
		}
		s.Health.Panic = rapid.SampledFrom([]string{"", "", "off", "all", "50%"}).Draw(rt, "panic")
		if rapid.Bool().Draw(rt, "slow") {
			s.SlowStart, s.DrainTimeout = time.Minute, time.Minute
		}
		for n := range rapid.IntRange(0, 4).Draw(rt, "servers") {
			s.Servers = append(s.Servers, Server{Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(n + 1)}), 80),
				Weight: rapid.IntRange(0, 3).Draw(rt, "weight")})
		}
		c.Services[s.Name] = s
	}
	return c
}

func drawServerStep(rt *rapid.T, w *world) Command {
	var keys []ServerKey
	for k := range w.s.Servers {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, ServerKey.Compare)
	what := rapid.IntRange(0, 9).Draw(rt, "what")
	if len(keys) == 0 || what == 0 {
		return Command{Configure: &Configure{Force: true, Config: drawServices(rt)}}
	}
	key := rapid.SampledFrom(keys).Draw(rt, "server")
	switch {
	case what <= 5:
		var vs []ServerVerdict
		for _, k := range rapid.SliceOfN(rapid.SampledFrom(keys), 1, 3).Draw(rt, "servers") {
			v := ServerVerdict{Server: k, Verdict: rapid.SampledFrom([]Verdict{Up, Up, Down, Unknown}).Draw(rt, "verdict")}
			if v.Verdict == Up && rapid.IntRange(0, 3).Draw(rt, "asks") == 0 {
				v.Asked = Asked{Is: true, Percent: rapid.Bool().Draw(rt, "percent"), Value: rapid.IntRange(0, 200).Draw(rt, "asked")}
			}
			vs = append(vs, v)
		}
		return Command{SetHealth: &SetHealth{vs}}
	case what <= 7:
		return Command{SetAdmin: &SetAdmin{Server: key, Admin: rapid.SampledFrom([]Admin{Enabled, Enabled, Drain, Disabled}).Draw(rt, "admin")}}
	case what == 8:
		return Command{EndDrain: &EndDrain{[]DrainOver{{key, w.s.Servers[key].Drain, ReasonTimeout, ""}}}}
	default:
		return Command{EndDrain: &EndDrain{w.s.DrainsOver(w.now, 10)}}
	}
}

// checkTable fails unless the servers that a node gets are those that the agreed states say.
func checkTable(t tb, s *State, svc Service) {
	t.Helper()
	got := map[netip.AddrPort]int{}
	for _, x := range s.localService(svc, svc.On()).Servers {
		got[x.Address] = x.Weight
	}
	q := s.QuorumOf(svc.Name)
	if svc.Sorry != nil {
		weight, there := got[svc.Sorry.Address]
		if there == q.Met || there && weight != 1 {
			t.Fatalf("%s: met %v, sorry server %v with weight %d", svc.Name, q.Met, there, weight)
		}
		delete(got, svc.Sorry.Address)
	}
	for _, server := range svc.Servers {
		st := s.Servers[ServerKey{svc.Name, server.Address}]
		weight, there := got[server.Address]
		switch {
		case st.Admin == Disabled, st.Verdict == Unknown, st.Verdict == Down && !svc.Inhibit && !st.Kept:
			if there {
				t.Fatalf("%s: %v is in the table: %+v", svc.Name, server.Address, st)
			}
		case weight > 0 && (!q.Met || st.Admin != Enabled || !st.Serving()):
			t.Fatalf("%s: %v has weight %d: %+v, quorum %+v", svc.Name, server.Address, weight, st, q)
		case q.Met && st.in() && (!there || weight != st.Asked.Of(server.Weight)):
			t.Fatalf("%s: %v is not as it should be: %+v, quorum %+v", svc.Name, server.Address, st, q)
		case !there && (svc.Inhibit || st.Verdict == Up && (st.Admin == Drain || st.Asked.Of(server.Weight) == 0)):
			t.Fatalf("%s: %v keeps its connections, and is not in the table: %+v, quorum %+v", svc.Name, server.Address, st, q)
		}
	}
}

// A cluster that moves up to the schema with states of services derives them in that entry, without news of what did not happen.
func TestServicesAtTheNewSchema(t *testing.T) {
	w := newWorld(t)
	w.schema = schemaHold
	w.form(1)
	c := good()
	delete(c.VIPs, "p2p")
	delete(c.Services, "dns")
	w.configure(c)
	if len(w.s.Services) != 0 {
		t.Fatalf("services before the schema: %v", w.s.Services)
	}
	before := len(w.s.Events)
	w.must(Command{SetSchema: &SetSchema{Schema: schemaLVS}})
	if len(w.s.Services) != len(c.Services) {
		t.Errorf("services: %v", w.s.Services)
	}
	for _, e := range w.s.Events[before:] {
		if e.Kind == EventService {
			t.Errorf("%+v", e)
		}
	}
}

// The weight of a server that comes back grows from a tenth to all of it, in steps of a second at least, at most twenty.
func TestRamp(t *testing.T) {
	for _, total := range []time.Duration{time.Second, 1500 * time.Millisecond, 7 * time.Second, 30 * time.Second, 61 * time.Second, time.Hour} {
		last, steps := 0, 0
		for at := time.Duration(0); ; {
			percent, next := Ramp(total, at)
			if percent <= last || at == 0 && percent != 10 {
				t.Fatalf("%v: %d %% after %d %% at %v", total, percent, last, at)
			}
			if last = percent; next == 0 {
				if percent != 100 || at != total {
					t.Errorf("%v: it ends at %v with %d %%", total, at, percent)
				}
				break
			}
			if again, _ := Ramp(total, at+next-1); next < time.Second || again != percent {
				t.Fatalf("%v: at %v the next step is %v away, and before it there are %d %%", total, at, next, again)
			}
			at += next
			steps++
		}
		if steps > rampSteps {
			t.Errorf("%v: %d steps", total, steps)
		}
	}
	for _, x := range []struct{ weight, percent, want int }{{0, 10, 0}, {1, 10, 1}, {5, 10, 1}, {100, 10, 10}, {65535, 50, 32767}, {3, 100, 3}} {
		if got := Ramped(x.weight, x.percent); got != x.want {
			t.Errorf("%d %% of %d: %d, want %d", x.percent, x.weight, got, x.want)
		}
	}
}

// A cluster that is made of a lost one takes the admin states over, and of a drain what was left of its limit.
func TestAdmins(t *testing.T) {
	w := newWorld(t)
	w.form(1)
	w.pass(0)
	w.configure(config(strings.Split("vip web 192.0.2.11/24\nservice http vip=web servers=10.0.0.1:80,10.0.0.2:80,10.0.0.3:80,10.0.0.4:80", "\n")))
	k := func(n int) ServerKey { return server(fmt.Sprintf("http/10.0.0.%d:80", n)) }
	limit := 5 * time.Minute
	w.must(Command{SetAdmin: &SetAdmin{Server: k(1), Admin: Drain, Timeout: &limit}})
	w.must(Command{SetAdmin: &SetAdmin{Server: k(2), Admin: Drain}})
	w.must(Command{SetAdmin: &SetAdmin{Server: k(3), Admin: Disabled}})
	var got []string
	for _, c := range w.s.Admins(w.now.Add(2 * time.Minute)) {
		text := fmt.Sprint(c.Server, " ", c.Admin)
		if c.Timeout != nil {
			text += fmt.Sprint(" ", *c.Timeout)
		}
		got = append(got, text)
	}
	want := []string{"http/10.0.0.1:80 drain 3m0s", "http/10.0.0.2:80 drain", "http/10.0.0.3:80 disabled"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	// One that is over has an end all the same: 0 would be none.
	if c := w.s.Admins(w.now.Add(time.Hour))[0]; c.Timeout == nil || *c.Timeout != time.Second {
		t.Errorf("%+v", c)
	}
}

// Who comes back begins slowly only beside another one that takes new connections.
func TestRecoversBesideOthers(t *testing.T) {
	for weight, slowly := range map[string]bool{"0": false, "100": true} {
		w := newWorld(t)
		w.form(1)
		w.configure(config(strings.Split("vip web 192.0.2.11/24\nservice http vip=web check slow_start=30s servers=10.0.0.1:80*100,10.0.0.2:80*"+weight, "\n")))
		back := server("http/10.0.0.1:80")
		for _, v := range []Verdict{Up, Down, Up} {
			w.must(Command{SetHealth: &SetHealth{Verdicts: []ServerVerdict{{Server: back, Verdict: v}, {Server: server("http/10.0.0.2:80"), Verdict: Up}}}})
		}
		if st := w.s.Servers[back]; st.Recovered.IsZero() == slowly {
			t.Errorf("beside a server of weight %s: %+v", weight, st)
		}
	}
}
