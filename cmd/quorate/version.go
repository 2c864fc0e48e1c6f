package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"quorate/api"
	"quorate/api/client"
)

// Versions is the JSON form of the version command: this program and, when it answers, the agent.
type Versions struct {
	Client api.Version  `json:"client"`
	Agent  *api.Version `json:"agent,omitempty"`
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version of this program and of the agent",
		Long:  `Show the version of this program and, when an agent answers, of that agent. It succeeds without an agent, too.`,
		Example: `  quorate version
  quorate version --output json | jq -r .agent.version`,
		Args: needs(),
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			v := Versions{Client: api.ThisBuild(buildVersion())}
			ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Second)
			defer cancel()
			agent, err := c.Version(ctx)
			if err == nil {
				v.Agent = &agent
			}
			return a.print(v, func(w io.Writer) {
				fmt.Fprintf(w, "quorate %s\n", versionText(v.Client))
				if v.Agent == nil {
					fmt.Fprintf(w, "agent   %v\n", err)
					return
				}
				fmt.Fprintf(w, "agent   %s\n", versionText(*v.Agent))
			})
		}),
	}
}

func versionText(v api.Version) string {
	return fmt.Sprintf("%s (schema %d, API %s, %s, %s/%s)", v.Version, v.Schema, v.API, v.Go, v.OS, v.Arch)
}
