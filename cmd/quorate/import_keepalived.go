package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"quorate/config/keepalived"
	"quorate/fsm"
)

// outputTakesDir marks a command that takes a directory for -o, besides text and json.
const outputTakesDir = "output takes a directory"

// imported is what `import keepalived --output json` shows.
type imported struct {
	Config   *fsm.Config          `json:"config,omitempty"` // not with --check
	Nodes    []fsm.NodeID         `json:"nodes"`
	Findings []keepalived.Finding `json:"findings"`
}

func (a *app) importKeepalived() *cobra.Command {
	var nodes, peers []string
	var dir string
	var check, all, shadow bool
	cmd := &cobra.Command{
		Use:   "keepalived [FILE…]",
		Short: "Make a configuration of the keepalived.conf of one or more directors",
		Long: `Read keepalived.conf, with all that it includes, and print a configuration of the whole cluster. Give the file of each
director with the name that its node is to have, --node NAME=FILE (- for standard input): then they become one
configuration, and what they do not agree on is named. It needs no agent and applies nothing.

What has become of each line is said on standard error: what was a mistake, what is not supported, and what has another
meaning now, with its place and what to do. --all also names what was taken over as it is, and what is not needed.
--check only says that, on standard output. The exit code is 1 when something is not in the configuration: there are
mistakes, or what is not supported. With --out-dir DIR the configuration goes into cluster.hcl there, and all findings
into findings.json; neither is overwritten. So it does with -o DIR, if DIR is there or has a slash in it, as in ./DIR.

NAME also decides the lines for one director (@NAME), as keepalived's -i does. Each vrrp_instance becomes a virtual
router, by which the cluster stands beside keepalived. Where the files do not say which addresses the directors send
their adverts from, --peer does. With --shadow the cluster only rehearses: mode = "shadow".`,
		Example: `  quorate import keepalived --node lb1=lb1/keepalived.conf --node lb2=lb2/keepalived.conf > cluster.hcl
  quorate import keepalived --shadow --peer 192.0.2.2 --peer 192.0.2.3 -o imported/ --node lb1=lb1.conf --node lb2=lb2.conf
  quorate import keepalived --check /etc/keepalived/keepalived.conf
  ssh lb1 cat /etc/keepalived/keepalived.conf | quorate import keepalived -`,
		Annotations: map[string]string{outputTakesDir: "1"},
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
			if a.output != "text" && a.output != "json" {
				if dir != "" {
					return &usageError{cmd, fmt.Errorf("--output %q: want text or json, beside --out-dir", a.output)}
				}
				if !meansDir(a.output) {
					return &usageError{cmd, fmt.Errorf("--output %q: want text, json, or a directory: one that is there, or a path with a slash, as in %q", a.output, "./"+a.output)}
				}
				dir, a.output = a.output, "text"
			}
			o := keepalived.Options{Files: os.DirFS("/"), Shadow: shadow}
			for _, p := range peers {
				addr, err := netip.ParseAddr(p)
				if err != nil {
					return &usageError{cmd, fmt.Errorf("--peer %q is no IP address", p)}
				}
				o.Peers = append(o.Peers, addr)
			}
			switch {
			case len(directors) == 0:
				return &usageError{cmd, errors.New("it wants a FILE, or --node NAME=FILE")}
			case check && dir != "":
				return &usageError{cmd, errors.New("--check writes nothing: leave -o and --out-dir out")}
			}
			var err error
			if o.Dir, err = os.Getwd(); err != nil {
				return err
			}
			if err := a.stdinOf(directors, &o); err != nil {
				return &usageError{cmd, err}
			}
			r, err := keepalived.Import(o, directors)
			if err != nil {
				return err
			}
			if check {
				if err := a.print(imported{Nodes: r.Nodes, Findings: r.Findings}, func(w io.Writer) { _, _ = io.WriteString(w, r.Table(all)) }); err != nil {
					return err
				}
				return missing(r)
			}
			_, _ = io.WriteString(a.err, r.Table(all))
			if len(r.Config.VIPs) == 0 { // a configuration without any would, when it is applied, remove all that there is
				return errors.New("no address and no service can be taken over, so there is nothing to print: is it a keepalived.conf?")
			}
			if dir != "" {
				err = a.writeImport(dir, r)
			} else {
				err = a.print(imported{&r.Config, r.Nodes, r.Findings}, func(w io.Writer) { _, _ = w.Write(r.Format()) })
			}
			if err != nil {
				return err
			}
			return missing(r)
		},
	}
	cmd.Flags().StringArrayVar(&nodes, "node", nil, "a director's keepalived.conf, as NAME=FILE; once for each")
	cmd.Flags().StringArrayVar(&peers, "peer", nil, "an address that a director sends its adverts from; once for each")
	cmd.Flags().BoolVar(&shadow, "shadow", false, "have the cluster rehearse only (mode = \"shadow\")")
	cmd.Flags().StringVar(&dir, "out-dir", "", "directory for cluster.hcl and findings.json, in place of standard output; -o DIR/ does the same")
	cmd.Flags().BoolVar(&check, "check", false, "only say what would become of it")
	cmd.Flags().BoolVar(&all, "all", false, "also name what was taken over as it is, and what is not needed")
	return cmd
}

// meansDir reports whether what is given for --output is a directory: a word alone may as well be the name of a format, and is one only where it is there already.
func meansDir(output string) bool {
	if strings.ContainsRune(output, os.PathSeparator) {
		return true
	}
	st, err := os.Stat(output)
	return err == nil && st.IsDir()
}

// stdinOf reads standard input for the director whose file is -.
func (a *app) stdinOf(directors []keepalived.Director, o *keepalived.Options) error {
	for _, d := range directors {
		switch {
		case d.File != "-":
			continue
		case o.Stdin != nil:
			return errors.New("standard input can be the file of one director alone")
		}
		_, text, err := a.readOne("-")
		if err != nil {
			return err
		}
		o.Stdin = append([]byte{}, text...)
	}
	return nil
}

// missing is an error when something of the files is not in the configuration.
func missing(r keepalived.Result) error {
	mistakes, unsupported := r.Count(keepalived.Mistake), r.Count(keepalived.Unsupported)
	if mistakes+unsupported == 0 {
		return nil
	}
	return fmt.Errorf("%s to look at, as said above (%s in the source, %d not supported); the configuration has the rest", plural(mistakes+unsupported, "finding"), plural(mistakes, "mistake"), unsupported)
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
