package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate/fsm"
)

// remains is what a data directory knows of its cluster, and with Recovered what was made of it.
type remains struct {
	DataDir string           `json:"data_dir"`
	Node    fsm.NodeID       `json:"node"`
	Cluster string           `json:"cluster_id"`
	Index   uint64           `json:"index"`
	At      time.Time        `json:"last_event,omitzero"`
	Version uint64           `json:"config_version"`
	Config  fsm.Config       `json:"config"`
	Members []fsm.Node       `json:"members"`
	Owners  []fsm.Assignment `json:"assignments"`

	Recovered string `json:"recovered_as,omitempty"` // id of the new cluster
}

// sureFlag confirms a recovery.
const sureFlag = "i-know-the-others-are-gone"

func (a *app) recoverCommand() *cobra.Command {
	var file, dir string
	var sure bool
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "Make a new cluster of one survivor, when a majority is lost for good",
		Long: `Make a new cluster of what one node knows, when a majority of the nodes is lost for good. Run it on a survivor, with its agent
stopped and as the user of the agent. Without --` + sureFlag + ` it only shows what is there and changes nothing.

If a majority may come back, wait for it instead: the cluster then continues by itself, and nothing is lost.

The new cluster has a new id, a new key and this one node. It takes over the configuration and which servers are drained; owners,
health and the timeline begin anew. What this node had not stored is lost: of several survivors, recover the one with the highest
entry, and only that one. Its agent does the rest when it is started: it waits 3 s, in which the leases of the lost cluster run
out, and then owns the VIPs. The others join it with empty data directories.

Nodes of the lost cluster that come back are answered by nobody in the new one. But a majority of them is a cluster of its
own, with the same addresses: never let them run again with their old data directories.`,
		Example: `  quorate recover                          # look
  quorate recover --` + sureFlag + `
  quorate recover --data-dir /srv/quorate --output json | jq .index`,
		Args: needs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := readAgentFile(file)
			if err != nil {
				return err
			}
			if dir == "" {
				dir = cfg.DataDir
			}
			actor := "cli"
			if u, err := user.Current(); err == nil {
				actor = "cli:" + u.Username
			}
			r, err := salvage(dir, sure, actor)
			if errors.Is(err, fs.ErrPermission) {
				err = fmt.Errorf("%w; run this as the user of the agent", err)
			}
			if err != nil {
				return err
			}
			if err := a.print(r, func(w io.Writer) { a.writeRemains(w, r) }); err != nil {
				return err
			}
			if r.Recovered == "" {
				return errSaid
			}
			return nil
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&file, "config", "", "file with the settings of this node's agent, for its data directory (default "+defaultAgentFile+" if it is there)")
	fl.StringVar(&dir, "data-dir", "", "the agent's data directory (default: that of the settings, else /var/lib/quorate)")
	fl.BoolVar(&sure, sureFlag, false, "do it: no majority of the cluster runs, or will ever run again")
	return cmd
}

func (a *app) writeRemains(w io.Writer, r remains) {
	fmt.Fprintf(w, "%s is the data directory of node %s of cluster %s.\n\n", r.DataDir, r.Node, r.Cluster)
	fmt.Fprintf(w, "Last entry     %d", r.Index)
	if !r.At.IsZero() {
		fmt.Fprintf(w, "; last event %s", r.At.Local().Format(time.DateTime))
	}
	fmt.Fprintf(w, "\nConfiguration  version %d: %s, %s\n\n", r.Version, plural(len(r.Config.VIPs), "VIP"), plural(len(r.Config.Services), "service"))
	t := a.table("NODE", "ADDRESS", "ROLE")
	var others []string
	for _, n := range r.Members {
		name := string(n.ID)
		if n.ID == r.Node {
			name += "*"
		} else {
			others = append(others, name)
		}
		t.row(name, n.Addr, n.Role)
	}
	t.write(w, "")
	t = a.table("VIP", "ADDRESS", "LAST OWNER")
	for _, o := range r.Owners {
		t.row(o.VIP, o.Key, o.Owner)
	}
	if len(r.Owners) > 0 {
		fmt.Fprintln(w)
	}
	t.write(w, "")
	fmt.Fprintln(w)
	if r.Recovered != "" {
		fmt.Fprintf(w, `This node is now the first of a new cluster, %s. The files of the lost one are in %s/retired.

Next:
  1. Start its agent: in some seconds it owns the VIPs that it can carry. Look at: quorate status
  2. On each other node: stop the agent, move its data directory away, start it, and join with the token that
     `+"`quorate token`"+` prints here.
`, r.Recovered, r.DataDir)
		return
	}
	rest := "the other nodes"
	if len(others) > 0 {
		rest = strings.Join(others, ", ")
	}
	fmt.Fprintf(w, `Nothing was changed. Before you make a new cluster of this, be sure that

  - a majority of cluster %s is lost for good: if its nodes can be started again, start them instead;
  - no agent of %s runs, and none will run again with its old data directory: a majority of them would own the
    same addresses as the new cluster;
  - no other survivor has a higher last entry than %d: run this there too.

Then: quorate recover --data-dir %s --%s
`, r.Cluster, rest, r.Index, r.DataDir, sureFlag)
}
