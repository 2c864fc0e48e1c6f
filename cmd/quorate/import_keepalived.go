package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"quorate/config/keepalived"
	"quorate/fsm"
)

// imported is what `import keepalived --output json` shows.
type imported struct {
	Config   *fsm.Config          `json:"config,omitempty"` // not with --check
	Nodes    []fsm.NodeID         `json:"nodes"`
	Findings []keepalived.Finding `json:"findings"`
}

func (a *app) importKeepalived() *cobra.Command {
	var nodes []string
	var dir string
	var check, all bool
	cmd := &cobra.Command{
		Use:   "keepalived [FILE…]",
		Short: "Make a configuration of the keepalived.conf of one or more directors",
		Long: `Read keepalived.conf, with all that it includes, and print a configuration of the whole cluster. Give the file of each
director with the name that its node is to have, --node NAME=FILE: then they become one configuration, and what they
do not agree on is named. It needs no agent and applies nothing.

What has become of each line is said on standard error: what was a mistake, what is not supported, and what has another
meaning now, with its place and what to do. --all also names what was taken over as it is, and what is not needed.
--check only says that, on standard output. With --out-dir the configuration goes into cluster.hcl there, and all
findings into findings.json; neither is overwritten.

NAME also decides the lines for one director (@NAME), as keepalived's -i does.`,
		Example: `  quorate import keepalived --node lb1=lb1/keepalived.conf --node lb2=lb2/keepalived.conf > cluster.hcl
  quorate import keepalived --check /etc/keepalived/keepalived.conf`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var directors []keepalived.Director
			for _, n := range nodes {
				name, file, ok := strings.Cut(n, "=")
				if !ok || name == "" || file == "" {
					return &usageError{cmd, fmt.Errorf("--node %q is not NAME=FILE", n)}
				}
				directors = append(directors, keepalived.Director{Name: name, File: file})
			}
			for _, f := range args {
				directors = append(directors, keepalived.Director{File: f})
			}
			switch {
			case len(directors) == 0:
				return &usageError{cmd, errors.New("it wants a FILE, or --node NAME=FILE")}
			case check && dir != "":
				return &usageError{cmd, errors.New("--check writes nothing: leave --out-dir out")}
			}
			here, err := os.Getwd()
			if err != nil {
				return err
			}
			r, err := keepalived.Import(keepalived.Options{Files: os.DirFS("/"), Dir: here}, directors)
			if err != nil {
				return err
			}
			if check {
				return a.print(imported{Nodes: r.Nodes, Findings: r.Findings}, func(w io.Writer) { _, _ = io.WriteString(w, r.Table(all)) })
			}
			_, _ = io.WriteString(a.err, r.Table(all))
			if len(r.Config.VIPs) == 0 { // a configuration without any would, when it is applied, remove all that there is
				return errors.New("no address and no service can be taken over, so there is nothing to print: is it a keepalived.conf?")
			}
			if dir != "" {
				return a.writeImport(dir, r)
			}
			return a.print(imported{&r.Config, r.Nodes, r.Findings}, func(w io.Writer) { _, _ = w.Write(r.Format()) })
		},
	}
	cmd.Flags().StringArrayVar(&nodes, "node", nil, "a director's keepalived.conf, as NAME=FILE; once for each")
	cmd.Flags().StringVar(&dir, "out-dir", "", "directory for cluster.hcl and findings.json, in place of standard output")
	cmd.Flags().BoolVar(&check, "check", false, "only say what would become of it")
	cmd.Flags().BoolVar(&all, "all", false, "also name what was taken over as it is, and what is not needed")
	return cmd
}

// writeImport writes both files, and overwrites none.
func (a *app) writeImport(dir string, r keepalived.Result) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	findings, err := json.MarshalIndent(imported{Nodes: r.Nodes, Findings: r.Findings}, "", "  ")
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		data []byte
	}{{"cluster.hcl", r.Format()}, {"findings.json", findings}} {
		path := filepath.Join(dir, f.name)
		// Settings of scripts and mail may be nobody else's business.
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, os.ErrExist) {
			return fmt.Errorf("%s is there already: move it away, or choose another directory", path)
		} else if err != nil {
			return err
		}
		_, err = file.Write(f.data)
		if err = errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		fmt.Fprintf(a.out, "%s\n", path)
	}
	return nil
}
