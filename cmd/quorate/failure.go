package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"quorate/api"
	"quorate/config"
)

// usageError is a command line that makes no sense; the program exits with 2.
type usageError struct {
	cmd *cobra.Command
	err error
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// errSaid is a failure about which everything has been said.
var errSaid = errors.New("failed")

// report tells why a command failed: text, or with --output json the problem document, both on standard error.
func (a *app) report(err error) {
	if errors.Is(err, errSaid) {
		return
	}
	if a.output == "json" {
		a.reportJSON(err)
		return
	}
	var ue *usageError
	var refused *api.Error
	switch {
	case errors.As(err, &ue):
		fmt.Fprintf(a.err, "quorate: %s\nSee `%s --help`.\n", ue, ue.cmd.CommandPath())
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(a.err, "quorate: interrupted; what was asked for may still be carried out")
	case errors.As(err, &refused) && len(refused.Problems) > 0:
		fmt.Fprintf(a.err, "quorate: %v\n", err)
		for _, p := range refused.Problems {
			fmt.Fprintf(a.err, "  %s\n", p)
		}
	default:
		fmt.Fprintf(a.err, "quorate: %v\n", err)
	}
}

// fileError is the problem document about a configuration in files: what the API says of one, and where.
type fileError struct {
	api.Error
	Problems config.Diagnostics `json:"problems"`
}

// ownError is the problem document (RFC 9457) about what no agent answered: it has no HTTP status.
type ownError struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

func (a *app) reportJSON(err error) {
	var doc any
	var refused *api.Error
	var found config.Diagnostics
	switch {
	case errors.As(err, &found):
		doc = fileError{api.Error{
			Type: "urn:quorate:error:" + string(api.CodeInvalidConfig), Title: "The configuration has problems", Status: http.StatusUnprocessableEntity,
			Detail: countText(found),
		}, found}
	case errors.As(err, &refused):
		doc = refused
	case errors.As(err, new(*usageError)):
		doc = ownError{"urn:quorate:cli:usage", "Wrong usage", err.Error()}
	default:
		doc = ownError{"urn:quorate:cli:failed", "The command failed", err.Error()}
	}
	b, encErr := json.MarshalIndent(doc, "", "  ")
	if encErr != nil {
		b = []byte(err.Error())
	}
	fmt.Fprintf(a.err, "%s\n", b)
}
