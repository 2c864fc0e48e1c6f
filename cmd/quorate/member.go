package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate/api"
	"quorate/api/client"
	"quorate/fsm"
)

func (a *app) bootstrapCommand() *cobra.Command {
	var profile string
	cmd := &cobra.Command{
		Use:   "bootstrap",
		Short: "Make this node the first of a new cluster",
		Long: `Make this node the first of a new cluster, and print the command with which others join it.

The agent must be running and in no cluster yet. It keeps its membership over restarts, so this is done once in the life of
a cluster, on one node.

The timing profile holds until a configuration is applied, which has one of its own: write profile = "wan" there too.`,
		Example: `  quorate bootstrap
  quorate bootstrap --profile wan     # nodes far from each other
  quorate bootstrap --output json | jq -r .token`,
		Args: needs(),
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			if profile != string(fsm.LAN) && profile != string(fsm.WAN) {
				return &usageError{cmd, fmt.Errorf("--profile %q: want lan or wan; fast is for a configuration, once all nodes have joined", profile)}
			}
			b, err := c.Bootstrap(cmd.Context(), fsm.Profile(profile))
			if err != nil {
				return err
			}
			return a.print(b, func(w io.Writer) {
				fmt.Fprintf(w, "Cluster %s is formed; %s (%s) is its first node.\n", b.ClusterID, b.Node, b.Addr)
				if b.Join != "" {
					fmt.Fprintf(w, "\nOn each further node, with its agent running:\n\n  %s\n", b.Join)
				}
				fmt.Fprintf(w, "\nThen, on any node: quorate apply FILE\n")
				writeRedundancy(w, b.Redundancy)
			})
		}),
	}
	cmd.Flags().StringVar(&profile, "profile", string(fsm.LAN), "timing of the new cluster: lan, or wan for links with delays of more than some 10 ms")
	_ = cmd.RegisterFlagCompletionFunc("profile", cobra.FixedCompletions([]string{"lan", "wan"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (a *app) joinCommand() *cobra.Command {
	var token, file string
	cmd := &cobra.Command{
		Use:   "join ADDRESS",
		Short: "Add this node to a cluster",
		Long: `Add this node to the cluster of the member at ADDRESS (IP:PORT, as ` + "`quorate members`" + ` on a member shows it; without a
port, 7300).

The token comes from --token, from a file, or from QUORATE_TOKEN; the last two keep it out of the process list.`,
		Example: `  quorate join 10.0.0.1:7300 --token quorate1-…
  quorate join 10.0.0.1:7300 --token-file /root/token
  QUORATE_TOKEN=quorate1-… quorate join 10.0.0.1:7300`,
		Args: needs("the ADDRESS of a member"),
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			t, err := a.joinToken(token, file)
			if err != nil {
				return &usageError{cmd, err}
			}
			j, err := c.Join(cmd.Context(), args[0], t)
			if err != nil {
				return err
			}
			return a.print(j, func(w io.Writer) {
				fmt.Fprintf(w, "%s is now a node of cluster %s.\n", j.Node, j.ClusterID)
				writeRedundancy(w, j.Redundancy)
			})
		}),
	}
	cmd.Flags().StringVar(&token, "token", "", "the join token (default $QUORATE_TOKEN)")
	cmd.Flags().StringVar(&file, "token-file", "", "read the token from this file, - for standard input")
	cmd.MarkFlagsMutuallyExclusive("token", "token-file")
	return cmd
}

// writeRedundancy says what the cluster cannot survive, if there is something to say.
func writeRedundancy(w io.Writer, text string) {
	if text != "" {
		fmt.Fprintf(w, "\nRedundancy: %s.\n", text)
	}
}

// maxToken is far above the length of any token.
const maxToken = 4096

func (a *app) joinToken(token, file string) (string, error) {
	switch {
	case token != "":
	case file == "-":
		b, err := io.ReadAll(io.LimitReader(a.in, maxToken+1))
		if err != nil {
			return "", fmt.Errorf("read the token from standard input: %w", err)
		}
		token = string(b)
	case file != "":
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("read the token: %w", err)
		}
		defer func() { _ = f.Close() }()
		b, err := io.ReadAll(io.LimitReader(f, maxToken+1))
		if err != nil {
			return "", fmt.Errorf("read the token: %w", err)
		}
		token = string(b)
	default:
		token = a.getenv("QUORATE_TOKEN")
	}
	token = strings.TrimSpace(token)
	switch {
	case token == "":
		return "", errors.New("no token: give --token, --token-file or QUORATE_TOKEN; `quorate token` on a member prints it")
	case len(token) > maxToken:
		return "", errors.New("that is too long to be a token: `quorate token` on a member prints it")
	}
	return token, nil
}

func (a *app) leaveCommand() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "leave",
		Short: "Hand this node's VIPs over and take it out of the cluster",
		Long: `Hand this node's VIPs over to the others, then take it out of the cluster. It returns when the node is no member any more.

When that has not come about in time, it says what keeps the node, e.g. that no other can carry its VIPs; leaving goes on by
itself.

A node that has asked to join and waits to become a member gives that up.

A majority of the voters, this one included, must answer. A node that is lost cannot leave by itself and goes on counting for
the majority: ` + "`quorate node remove`" + ` on another node takes it out.`,
		Example: `  quorate leave`,
		Args:    needs(),
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			if err := checkWait(cmd, wait); err != nil || wait == 0 {
				return &usageError{cmd, fmt.Errorf("--wait %s: want 1s to %s", wait, api.MaxWait)}
			}
			j, err := c.Leave(cmd.Context(), wait)
			if err != nil {
				return err
			}
			return a.print(j, func(w io.Writer) {
				if j.ClusterID == "" {
					fmt.Fprintf(w, "%s has given up joining.\n", j.Node)
				} else {
					fmt.Fprintf(w, "%s has left cluster %s.\n", j.Node, j.ClusterID)
				}
				if j.Note != "" {
					fmt.Fprintf(w, "\n%s.\n", j.Note)
				}
				writeRedundancy(w, j.Redundancy)
			})
		}),
	}
	cmd.Flags().DurationVar(&wait, "wait", time.Minute, "how long to wait until it is done")
	return cmd
}

func (a *app) tokenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "token",
		Short: "Print the token with which nodes join",
		Long: `Print the token with which nodes join, and nothing else.

Whoever has it can add nodes and read what the nodes tell each other: treat it like a password. Agents give it out over
their unix socket only.`,
		Example: `  quorate token
  ssh n2 quorate join 10.0.0.1:7300 --token-file - <<< "$(quorate token)"`,
		Args: needs(),
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			t, err := c.Token(cmd.Context())
			if err != nil {
				return err
			}
			return a.print(t, func(w io.Writer) { fmt.Fprintln(w, t.Token) })
		}),
	}
}

func (a *app) membersCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "members",
		Short: "List the nodes of the cluster",
		Example: `  quorate members
  quorate members --output json | jq -r '.members[] | select(.alive | not) | .id'`,
		Long: `List the nodes of the cluster as the agent sees them. The node marked * is the one that answers.`,
		Args: needs(),
		RunE: a.members(),
	}
}

// members is shared by `members` and `node list`.
func (a *app) members() func(*cobra.Command, []string) error {
	return a.ask(func(cmd *cobra.Command, c *client.Client, _ []string) error {
		ms, err := c.Members(cmd.Context())
		if err != nil {
			return err
		}
		return a.print(ms, func(w io.Writer) {
			t := a.table("NODE", "ADDRESS", "STATE", "RAFT", "ROLE", "WEIGHT", "ZONE", "VERSION")
			for _, m := range ms.Members {
				name := string(m.ID)
				if m.ID == ms.Node {
					name += "*"
				}
				t.row(name, m.Addr, memberState(m), raftRole(m), m.Role, m.Weight, m.Zone, m.Version)
			}
			t.write(w, "")
		})
	})
}

func memberState(m api.Member) cell {
	switch {
	case !m.Alive:
		return cell{"silent", bad}
	case m.Leaving:
		return cell{"leaving", warn}
	case m.Draining:
		return cell{"drained", warn}
	default:
		return cell{"alive", good}
	}
}

func raftRole(m api.Member) string {
	switch {
	case m.Leader:
		return "leader"
	case m.Voter && !m.Grantor:
		return "voter, grants leases soon"
	case m.Voter:
		return "voter"
	default:
		return "non-voter"
	}
}
