package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"quorate/api"
)

func (a *app) docsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "docs DIR",
		Short:   "Write the reference of commands and of the API into a directory",
		Long:    `Write DIR/cli.md, DIR/api/README.md and DIR/api/openapi.json, made from the code.`,
		Example: `  quorate docs docs/reference`,
		Hidden:  true,
		Args:    needs("a DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			files, err := references(cmd.Root())
			if err != nil {
				return err
			}
			for name, text := range files {
				path := filepath.Join(args[0], filepath.FromSlash(name))
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					return fmt.Errorf("write the reference: %w", err)
				}
				if err := os.WriteFile(path, text, 0o644); err != nil {
					return fmt.Errorf("write the reference: %w", err)
				}
			}
			return nil
		},
	}
}

// references are the generated pages by path below the reference directory.
func references(root *cobra.Command) (map[string][]byte, error) {
	server := api.NewServer(api.Options{})
	openapi, err := server.OpenAPI()
	if err != nil {
		return nil, fmt.Errorf("describe the API: %w", err)
	}
	return map[string][]byte{"cli.md": commandReference(root), "api/openapi.json": openapi, "api/README.md": server.Reference()}, nil
}

func commandReference(root *cobra.Command) []byte {
	var b bytes.Buffer
	b.WriteString("# Commands\n\nMade from the program by `go generate ./cmd/quorate`; do not edit.\n\n")
	b.WriteString("Exit codes: 0 done, 1 failed, 2 wrong usage. Answers go to standard output, errors to standard error: as text, or with --output json\n" +
		"as a problem document (RFC 9457). These flags go with every command:\n\n```\n")
	b.WriteString(strings.TrimRight(root.PersistentFlags().FlagUsages(), "\n") + "\n```\n\n")
	describe(&b, root)
	return append(bytes.TrimRight(b.Bytes(), "\n"), '\n')
}

func describe(b *bytes.Buffer, c *cobra.Command) {
	if c.HasParent() {
		fmt.Fprintf(b, "## %s\n\n", c.CommandPath())
		fmt.Fprintf(b, "%s.\n\n", strings.TrimSuffix(c.Short, "."))
	}
	if c.HasParent() && !c.HasSubCommands() {
		fmt.Fprintf(b, "```\n%s\n```\n\n", c.UseLine())
		if c.Long != "" && strings.TrimSuffix(c.Long, ".") != c.Short {
			fmt.Fprintf(b, "%s\n\n", strings.TrimSpace(c.Long))
		}
		if c.HasExample() {
			fmt.Fprintf(b, "```sh\n%s\n```\n\n", unindent(c.Example))
		}
		if flags := strings.TrimRight(c.NonInheritedFlags().FlagUsages(), "\n"); flags != "" {
			fmt.Fprintf(b, "```\n%s\n```\n\n", flags)
		}
	}
	for _, sub := range c.Commands() {
		if sub.Hidden || sub.Name() == "help" || sub.Name() == "completion" {
			continue
		}
		describe(b, sub)
	}
}

// unindent takes two spaces off each line.
func unindent(s string) string {
	lines := strings.Split(strings.Trim(s, "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "  ")
	}
	return strings.Join(lines, "\n")
}
