package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"quorate/api"
	"quorate/config"
	"quorate/fsm"
)

// defaultAgentFile is read when it is there and --config names no other.
const defaultAgentFile = "/etc/quorate/agent.hcl"

// agentFlags are the flags of `quorate agent`; those that were given go before the file.
type agentFlags struct {
	file      string
	given     config.AgentConfig
	name      string
	role      string
	logLevel  string
	logFormat string
}

func (a *app) agentCommand() *cobra.Command {
	var f agentFlags
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Run the daemon on this node",
		Long: `Run the daemon on this node, in the foreground, until SIGINT or SIGTERM; SIGHUP is ignored. Before it ends it
hands its VIPs over to other nodes, if it can, and then the leadership, which takes about 1.5 s and never more than 12 s.
It needs NET_ADMIN and NET_RAW to carry addresses, and says at its start what it cannot do without them and how to grant them.

Its few settings come from ` + defaultAgentFile + ` (or --config FILE) and from flags, which go before the file. What concerns
the whole cluster is not set here but with ` + "`quorate apply`" + `.

A new node waits until ` + "`quorate bootstrap` or `quorate join`" + ` makes it a member; after that it finds its cluster again by itself.`,
		Example: `  quorate agent --name n1 --bind 10.0.0.1:7300
  quorate agent --config /etc/quorate/agent.hcl --log-level debug`,
		Args: needs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.agentConfig(cmd, f)
			if err != nil {
				return err
			}
			log, err := a.logger(f)
			if err != nil {
				return &usageError{cmd, err}
			}
			defer ignoreHangups(log)()
			return runAgent(cmd.Context(), cfg, log)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.file, "config", "", "file with the settings of this agent (default "+defaultAgentFile+" if it is there)")
	fl.StringVar(&f.name, "name", "", "name of this node, unique in the cluster (default: the host name)")
	fl.StringVar(&f.given.Bind, "bind", "", "ADDRESS:PORT on which the other nodes reach this one; TCP and UDP, and UDP on the next port")
	fl.StringVar(&f.given.Advertise, "advertise", "", "ADDRESS:PORT to tell the others instead of --bind, behind address translation")
	fl.StringVar(&f.given.DataDir, "data-dir", "", "directory of this node's identity and log; never copy it to another node (default /var/lib/quorate)")
	fl.StringVar(&f.given.Socket, "socket", "", "unix socket for the API (default $QUORATE_SOCKET, else /run/quorate/quorate.sock)")
	fl.StringVar(&f.given.HTTP, "http", "", "ADDRESS:PORT for the API over TCP, loopback only: every user of the machine may run the cluster (default: none)")
	fl.StringVar(&f.role, "role", "", "director, or witness: votes but owns no VIPs (default director)")
	fl.StringVar(&f.given.Zone, "zone", "", "where the node stands, e.g. a rack")
	fl.IntVar(&f.given.Weight, "weight", 1, "share of VIPs relative to the other nodes; 0 = owns none unless preferred")
	fl.StringVar(&f.given.Fence, "fence", "", "what silences addresses without a lease: auto, bpf, nft or address-lifetime (default auto)")
	fl.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	fl.StringVar(&f.logFormat, "log-format", "text", "text or json")
	for flag, values := range map[string][]string{
		"role": {string(fsm.Director), string(fsm.Witness)}, "fence": config.Fences, "log-level": {"debug", "info", "warn", "error"}, "log-format": {"text", "json"},
	} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
	return cmd
}

// ignoreHangups makes the process survive SIGHUP, which many send to make a daemon read its files again and by which a
// terminal that goes would end it with its addresses in the kernel. It returns how to stop that.
func ignoreHangups(log *slog.Logger) (stop func()) {
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		defer close(done)
		for range signals {
			log.Info("SIGHUP changes nothing: restart the agent for its own settings; those of the cluster take effect with quorate apply")
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
		<-done
	}
}

// agentConfig is the file with the given flags laid over it, completed and checked.
func (a *app) agentConfig(cmd *cobra.Command, f agentFlags) (config.AgentConfig, error) {
	cfg, err := readAgentFile(f.file)
	if err != nil {
		return cfg, err
	}
	given := cmd.Flags().Changed
	set := func(flag string, to *string, value string) {
		if given(flag) {
			*to = value
		}
	}
	set("bind", &cfg.Bind, f.given.Bind)
	set("advertise", &cfg.Advertise, f.given.Advertise)
	set("data-dir", &cfg.DataDir, f.given.DataDir)
	set("http", &cfg.HTTP, f.given.HTTP)
	set("fence", &cfg.Fence, f.given.Fence)
	set("zone", &cfg.Zone, f.given.Zone)
	if env := a.getenv("QUORATE_SOCKET"); env != "" {
		cfg.Socket = env
	}
	set("socket", &cfg.Socket, f.given.Socket)
	if given("name") {
		cfg.Name = fsm.NodeID(f.name)
	}
	if given("role") {
		cfg.Role = fsm.Role(f.role)
	}
	if given("weight") {
		cfg.Weight = f.given.Weight
	}
	if cfg.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			return cfg, fmt.Errorf("no --name, and this machine's name is not known: %w", err)
		}
		cfg.Name = fsm.NodeID(strings.ToLower(host))
	}
	if err := cfg.Complete(); err != nil {
		return cfg, &usageError{cmd, agentProblems(err)}
	}
	if cfg.HTTP != "" {
		if err := api.CheckTCP(cfg.HTTP); err != nil {
			return cfg, &usageError{cmd, fmt.Errorf("--http: %w", err)}
		}
	}
	return cfg, nil
}

// agentProblems names flags instead of keys of the file, as it is the flag that is missing or wrong.
func agentProblems(err error) error {
	var ps fsm.Problems
	if !errors.As(err, &ps) {
		return err
	}
	var lines []string
	for _, p := range ps {
		line := "--" + strings.ReplaceAll(p.Key, "_", "-")
		if p.Value != "" {
			line += fmt.Sprintf(" %q", p.Value)
		}
		line += ": " + p.What
		if p.Cure != "" {
			line += "; " + p.Cure
		}
		lines = append(lines, line)
	}
	return errors.New(strings.Join(lines, "\n"))
}

func readAgentFile(name string) (config.AgentConfig, error) {
	path := name
	if path == "" {
		path = defaultAgentFile
	}
	src, err := os.ReadFile(path)
	if name == "" && errors.Is(err, fs.ErrNotExist) {
		return config.DefaultAgent(), nil
	}
	if err != nil {
		return config.AgentConfig{}, fmt.Errorf("settings of the agent: %w", err)
	}
	return config.ParseAgent(path, src)
}

func (a *app) logger(f agentFlags) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return nil, fmt.Errorf("--log-level %q: want debug, info, warn or error", f.logLevel)
	}
	o := &slog.HandlerOptions{Level: level}
	switch f.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(a.err, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(a.err, o)), nil
	default:
		return nil, fmt.Errorf("--log-format %q: want text or json", f.logFormat)
	}
}
