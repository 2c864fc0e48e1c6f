package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"quorate/api"
	"quorate/api/apitest"
	"quorate/cluster"
	"quorate/fsm"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"quorate": main})
}

// TestScript runs the scripts of testdata/script: the program as a process, against the API of model agents that listen on
// unix sockets. A script begins with `cluster n1 n2 n3` (sockets $WORK/n1.sock …, QUORATE_SOCKET names the first) or
// `waiting n1`, and may `lose`, `revive`, `freeze` and `thaw` nodes, let time `pass`, and set a server's `verdict`.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:         "testdata/script",
		WorkdirRoot: t.TempDir(), // by itself testscript leaves its directory behind
		Setup: func(e *testscript.Env) error {
			// Unix sockets end at 107 characters; the script's own directory may be longer.
			dir, err := os.MkdirTemp("", "q")
			if err != nil {
				return err
			}
			s := &stage{world: apitest.NewWorld(), agents: map[string]*apitest.Agent{}, dir: dir}
			s.ctx, s.stop = context.WithCancel(context.Background())
			e.Defer(func() {
				s.stop()
				s.running.Wait()
				_ = os.RemoveAll(dir)
			})
			e.Values[stageKey{}] = s
			e.Vars = append(e.Vars, "TZ=UTC", "SOCKETS="+dir)
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("there is no condition %q", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"cluster": func(ts *testscript.TestScript, _ bool, args []string) {
				s := stageOf(ts)
				var names []fsm.NodeID
				for _, n := range args {
					names = append(names, fsm.NodeID(n))
				}
				for i, a := range s.world.Cluster(names...) {
					s.serve(ts, args[i], a)
				}
				ts.Setenv("QUORATE_SOCKET", s.socket(args[0]))
			},
			"waiting": func(ts *testscript.TestScript, _ bool, args []string) {
				s := stageOf(ts)
				for _, n := range args {
					s.serve(ts, n, s.world.Agent(fsm.NodeID(n)))
				}
				ts.Setenv("QUORATE_SOCKET", s.socket(args[0]))
			},
			"lose":   func(ts *testscript.TestScript, _ bool, args []string) { each(ts, args, (*apitest.Agent).Kill) },
			"revive": func(ts *testscript.TestScript, _ bool, args []string) { each(ts, args, (*apitest.Agent).Revive) },
			"freeze": func(ts *testscript.TestScript, _ bool, args []string) { each(ts, args, (*apitest.Agent).Freeze) },
			"thaw":   func(ts *testscript.TestScript, _ bool, args []string) { each(ts, args, (*apitest.Agent).Thaw) },
			"web":    web,
			// pass DURATION
			"pass": func(ts *testscript.TestScript, _ bool, args []string) {
				d, err := time.ParseDuration(args[0])
				ts.Check(err)
				stageOf(ts).world.Pass(d)
			},
			// foreign NODE ROUTER SOURCE PRIORITY, or foreign NODE ROUTER gone: what the node as the leader has agreed.
			"foreign": func(ts *testscript.TestScript, _ bool, args []string) {
				c := fsm.SetForeign{Router: args[1]}
				if args[2] != "gone" {
					priority, err := strconv.ParseUint(args[3], 10, 8)
					ts.Check(err)
					c.Foreign = &fsm.ForeignOwner{Source: netip.MustParseAddr(args[2]), Priority: uint8(priority), Better: true, Reporters: []fsm.NodeID{"n1", "n2"}}
				}
				_, err := stageOf(ts).agents[args[0]].Propose(stageOf(ts).ctx, fsm.Command{SetForeign: &c})
				ts.Check(err)
			},
			// legacy SOURCE PRIORITY|off|gone [DIFFERENCE]: a router outside the cluster; off: its host alone is there.
			"legacy": func(ts *testscript.TestScript, _ bool, args []string) {
				l := &apitest.Legacy{Source: netip.MustParseAddr(args[0]), Off: args[1] == "off", Gone: args[1] == "gone"}
				if n, err := strconv.ParseUint(args[1], 10, 8); err == nil {
					l.Priority = uint8(n)
				}
				for _, d := range args[2:] {
					l.Differs = append(l.Differs, api.Differs{What: d, Text: "another " + d + ": set the same"})
				}
				stageOf(ts).world.Beside(l)
			},
			// count CONNECTIONS [rates|alone]: what the kernels count of each server for each unit of its weight.
			"count": func(ts *testscript.TestScript, _ bool, args []string) {
				n, err := strconv.Atoi(args[0])
				ts.Check(err)
				if len(args) > 1 && args[1] == "alone" {
					stageOf(ts).world.CountConnections(n)
					return
				}
				stageOf(ts).world.Count(n, len(args) > 1)
			},
			// verdict AGENT SERVICE/ADDRESS up|down [DETAIL]
			"verdict": func(ts *testscript.TestScript, _ bool, args []string) {
				var k fsm.ServerKey
				ts.Check(k.UnmarshalText([]byte(args[1])))
				v := fsm.ServerVerdict{Server: k, Verdict: fsm.Verdict(args[2]), Detail: strings.Join(args[3:], " ")}
				_, err := stageOf(ts).agents[args[0]].Propose(context.Background(), fsm.Command{Actor: "n1", SetHealth: &fsm.SetHealth{Verdicts: []fsm.ServerVerdict{v}}})
				ts.Check(err)
			},
			// sees NODE SERVICE/ADDRESS up|down|unknown|agreed DETAIL…
			"sees": func(ts *testscript.TestScript, _ bool, args []string) {
				var k fsm.ServerKey
				ts.Check(k.UnmarshalText([]byte(args[1])))
				sees := args[2]
				if sees == "agreed" {
					sees = ""
				}
				stageOf(ts).world.See(fsm.NodeID(args[0]), k, sees, strings.Join(args[3:], " "))
			},
			// exits CODE quorate ARGS…
			"exits": func(ts *testscript.TestScript, _ bool, args []string) {
				err := ts.Exec(args[1], args[2:]...)
				code := "0"
				if err != nil {
					code = strings.TrimPrefix(err.Error(), "exit status ")
				}
				if code != args[0] {
					ts.Fatalf("%v: exit code %s, want %s", args[1:], code, args[0])
				}
			},
			// until REGEXP quorate ARGS…: asked again until its output matches.
			"until": func(ts *testscript.TestScript, _ bool, args []string) {
				want, limit := regexp.MustCompile("(?m)"+args[0]), time.Now().Add(20*time.Second)
				for {
					err := ts.Exec(args[1], args[2:]...)
					if err == nil && want.MatchString(ts.ReadFile("stdout")) {
						return
					}
					if time.Now().After(limit) {
						ts.Fatalf("%v never says %s", args[1:], args[0])
					}
					time.Sleep(50 * time.Millisecond) // it is another process that is waited for
				}
			},
			// member DIR NAME: DIR is the data directory of the one node of a cluster; its agent does not run.
			"member": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(member(ts.MkAbs(args[0]), fsm.NodeID(args[1])))
			},
			// lock DIR, as an agent would that runs; unlock ends it.
			"lock": func(ts *testscript.TestScript, _ bool, args []string) {
				s := stageOf(ts)
				var err error
				s.unlock, err = cluster.Disk(ts.MkAbs(args[0]), slog.New(slog.DiscardHandler)).Lock()
				ts.Check(err)
			},
			"unlock": func(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(stageOf(ts).unlock()) },
			// truncate FILE to half of it.
			"truncate": func(ts *testscript.TestScript, _ bool, args []string) {
				st, err := os.Stat(ts.MkAbs(args[0]))
				ts.Check(err)
				ts.Check(os.Truncate(ts.MkAbs(args[0]), st.Size()/2))
			},
			// tidy FILE: no line ends in blanks.
			"tidy": func(ts *testscript.TestScript, _ bool, args []string) {
				for i, l := range strings.Split(ts.ReadFile(args[0]), "\n") {
					if l != strings.TrimRight(l, " \t") {
						ts.Fatalf("%s:%d: %q ends in blanks", args[0], i+1, l)
					}
				}
			},
		},
	})
}

// stage is what a script runs against.
type stage struct {
	world   *apitest.World
	agents  map[string]*apitest.Agent
	dir     string
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
	unlock  func() error
}

type stageKey struct{}

// member forms a cluster of one node and stops it.
func member(dir string, name fsm.NodeID) error {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	_ = free.Close()
	n, err := cluster.Open(cluster.Options{Name: name, Bind: free.Addr().String(), DataDir: dir})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	limit, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	_, err = n.Bootstrap(limit)
	stop()
	return errors.Join(err, <-done)
}

func stageOf(ts *testscript.TestScript) *stage { return ts.Value(stageKey{}).(*stage) }

func (s *stage) socket(name string) string { return filepath.Join(s.dir, name+".sock") }

func (s *stage) serve(ts *testscript.TestScript, name string, a *apitest.Agent) {
	s.agents[name] = a
	l, err := api.ListenUnix(s.socket(name))
	ts.Check(err)
	tcp, err := api.ListenTCP("127.0.0.1:0")
	ts.Check(err)
	ts.Setenv("HTTP_"+name, "http://"+tcp.Addr().String())
	s.running.Go(func() {
		if err := api.NewServer(a.Options()).Serve(s.ctx, l, tcp); err != nil {
			fmt.Fprintf(os.Stderr, "serve %s: %v\n", name, err)
		}
	})
}

func each(ts *testscript.TestScript, names []string, do func(*apitest.Agent)) {
	for _, n := range names {
		a, ok := stageOf(ts).agents[n]
		if !ok {
			ts.Fatalf("there is no agent %s", n)
		}
		do(a)
	}
}
