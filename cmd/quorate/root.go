package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"quorate/api"
	"quorate/api/client"
)

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// app is one run of the program: where it reads and writes, and the flags that all commands share.
type app struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
	color    bool

	socket string
	output string
}

// execute runs one command line and returns the exit code.
func (a *app) execute(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	if wantsJSON(args) {
		a.output = "json" // also where the command line went wrong before that flag was read
	}
	a.report(err)
	if errors.As(err, new(*usageError)) {
		return exitUsage
	}
	return exitFailed
}

// wantsJSON finds --output json in a command line that may not make sense otherwise.
func wantsJSON(args []string) bool {
	for i, arg := range args {
		switch arg {
		case "--":
			return false
		case "--output=json", "-ojson", "-o=json":
			return true
		case "--output", "-o":
			return i+1 < len(args) && args[i+1] == "json"
		}
	}
	return false
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "quorate",
		Short: "Virtual IPs and load balancing for a group of Linux directors that agree by majority",
		Long: `quorate keeps each virtual IP on exactly one of a group of Linux load balancers ("directors").

The nodes agree by majority on who owns each virtual IP and on the table of real servers, and each node makes its own
kernel match: addresses, ARP and neighbour announcements, IPVS or nftables services.

Start with:
  quorate agent --name n1 --bind 10.0.0.1:7300   on every node
  quorate bootstrap                              on the first node
  quorate join 10.0.0.1:7300 --token T           on the others, with the token that bootstrap printed
  quorate apply FILE                             the configuration of the whole cluster, on any node
  quorate status                                 who owns what, and why`,
		Example: `  quorate status
  quorate plan cluster.hcl
  quorate vip move web n2`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.checkFlags(cmd) },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return &usageError{cmd, flagError(err)} })
	root.PersistentFlags().StringVar(&a.socket, "socket", "", "the agent to talk to: path of its unix socket, or http://ADDRESS:PORT (default $QUORATE_SOCKET, else "+api.DefaultSocket+")")
	root.PersistentFlags().StringVarP(&a.output, "output", "o", "text", "text for people, json for the API's own answer")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	root.AddGroup(
		&cobra.Group{ID: "member", Title: "Cluster:"},
		&cobra.Group{ID: "config", Title: "Configuration:"},
		&cobra.Group{ID: "operate", Title: "Operation:"},
		&cobra.Group{ID: "other", Title: "Other:"},
	)
	// A command that only has subcommands is runnable just to refuse what is no subcommand.
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .Runnable}}", "{{if and .Runnable (not .HasAvailableSubCommands)}}", 1))
	root.SetHelpCommandGroupID("other")
	root.SetCompletionCommandGroupID("other")
	add(root, "member", a.agentCommand(), a.bootstrapCommand(), a.joinCommand(), a.leaveCommand(), a.recoverCommand(), a.tokenCommand(), a.membersCommand())
	add(root, "config", a.planCommand(), a.applyCommand(), a.exportCommand(), a.importCommand(), a.checkCommand(), a.genhashCommand())
	add(root, "operate", a.statusCommand(), a.explainCommand(), a.vipCommand(), a.serviceCommand(), a.serverCommand(), a.connCommand(), a.nodeCommand(), a.realServerCommand(), a.eventsCommand(), a.notifyCommand(), a.vrrpCommand())
	add(root, "other", a.versionCommand(), a.docsCommand())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	family(root)
	for _, c := range root.Commands() {
		if c.HasSubCommands() {
			family(c)
		}
	}
	return root
}

func add(root *cobra.Command, group string, cmds ...*cobra.Command) {
	for _, c := range cmds {
		c.GroupID = group
		root.AddCommand(c)
	}
}

// family makes a command that only has subcommands answer a wrong or missing one as wrong usage, with a suggestion.
func family(c *cobra.Command) {
	c.SuggestionsMinimumDistance = 2
	if c.RunE != nil || c.Run != nil {
		return
	}
	c.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		text := fmt.Sprintf("there is no command %q", strings.TrimSpace(cmd.CommandPath()+" "+args[0]))
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			text += ": did you mean " + strings.Join(near, " or ") + "?"
		} else if cmd.HasParent() {
			text += ": there " + thereAre(cmd)
		}
		return &usageError{cmd, errors.New(text)}
	}
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if asJSON, _ := cmd.Flags().GetString("output"); asJSON != "json" {
			cmd.SetOut(cmd.ErrOrStderr())
			_ = cmd.Help()
		}
		return &usageError{cmd, errors.New("which command? There " + thereAre(cmd))}
	}
}

// thereAre is like "are list, show" and "is only list".
func thereAre(c *cobra.Command) string {
	names := commandsOf(c)
	if len(names) == 1 {
		return "is only " + names[0]
	}
	return "are " + strings.Join(names, ", ")
}

// commandsOf names the subcommands that help lists.
func commandsOf(c *cobra.Command) (names []string) {
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return names
}

// flagError says what is wrong with a flag's value, not which function of the standard library found it.
func flagError(err error) error {
	var number *strconv.NumError
	var value *pflag.InvalidValueError
	switch {
	case errors.As(err, &number):
		return errors.New(strings.Replace(err.Error(), number.Error(), number.Err.Error(), 1))
	case errors.As(err, &value) && value.GetFlag().Value.Type() == "duration":
		return fmt.Errorf("--%s %q: that is no duration; write it like 30s or 2m", value.GetFlag().Name, value.GetValue())
	default:
		return err
	}
}

// checkFlags refuses as wrong usage what cobra would report like any failure.
func (a *app) checkFlags(cmd *cobra.Command) error {
	if err := cmd.ValidateFlagGroups(); err != nil {
		return &usageError{cmd, err}
	}
	switch a.output {
	case "text", "json":
		return nil
	default:
		if cmd.Annotations[outputTakesDir] != "" {
			return nil
		}
		return &usageError{cmd, fmt.Errorf("--output %q: want text or json", a.output)}
	}
}

// client is one for the agent that --socket, QUORATE_SOCKET or the default names.
func (a *app) client() (*client.Client, error) {
	at := a.socket
	if at == "" {
		at = a.getenv("QUORATE_SOCKET")
	}
	if at == "" {
		at = api.DefaultSocket
	}
	return client.New(at)
}

// ask makes a client for the run function of a command that needs one.
func (a *app) ask(run func(cmd *cobra.Command, c *client.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := a.client()
		if err != nil {
			return &usageError{cmd, err}
		}
		defer c.Close()
		return run(cmd, c, args)
	}
}

// needs demands one argument for each name; a last name that ends in … takes one or more.
func needs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		many := len(names) > 0 && strings.HasSuffix(names[len(names)-1], "…")
		switch {
		case len(args) < len(names):
			return &usageError{cmd, fmt.Errorf("%s needs %s", cmd.CommandPath(), strings.TrimSuffix(strings.Join(names[len(args):], " and "), "…"))}
		case len(args) > len(names) && !many:
			return &usageError{cmd, fmt.Errorf("%s takes no argument %q", cmd.CommandPath(), args[len(names)])}
		}
		if i := slices.Index(args, ""); i >= 0 { // a variable of a script that is not set
			return &usageError{cmd, fmt.Errorf("%s needs %s, not an empty argument", cmd.CommandPath(), strings.TrimSuffix(names[min(i, len(names)-1)], "…"))}
		}
		return nil
	}
}

// buildVersion is the linker's version, else the module's, else what the version control says.
func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}
