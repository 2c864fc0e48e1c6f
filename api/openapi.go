package api

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"quorate/fsm"
)

// OpenAPI is the description of the API (OpenAPI 3.1) as JSON, indented and stable.
func (s *Server) OpenAPI() ([]byte, error) { return indent(s.openapi) }

// description describes the API itself. The version is that of the API, not of the build, so that the description of
// one API never changes with a release.
func description() huma.Config {
	c := huma.DefaultConfig("quorate", "v1")
	c.Info.Description = "The API of a quorate agent: who owns each virtual IP and why, the real servers behind it, and the configuration " +
		"of the whole cluster. Every agent answers for the whole cluster; writes are forwarded to the leader. Durations inside " +
		"a configuration are integers in nanoseconds."
	c.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	c.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	c.DocsPath = ""     // its page loads scripts from elsewhere
	c.CreateHooks = nil // no $schema member in answers
	c.SchemasPath = ""  // the schemas are in the description
	c.RejectUnknownQueryParameters = true
	c.Tags = []*huma.Tag{
		{Name: "cluster", Description: "The whole cluster and who belongs to it"},
		{Name: "node", Description: "This agent and its kernel"},
		{Name: "config", Description: "The configuration, as one transaction"},
		{Name: "vips", Description: "Virtual IPs and their owners"},
		{Name: "services", Description: "Virtual services and real servers"},
		{Name: "events", Description: "What happened and why"},
	}
	return c
}

// configured are the schemas of what an operator writes, named apart from the answers that show it together with what is
// agreed and actual.
var configured = map[reflect.Type]string{
	reflect.TypeFor[fsm.Config]():  "Configuration",
	reflect.TypeFor[fsm.VIP]():     "ConfiguredVIP",
	reflect.TypeFor[fsm.Service](): "ConfiguredService",
	reflect.TypeFor[fsm.Server]():  "ConfiguredServer",
}

func schemaName(t reflect.Type, hint string) string {
	if n, ok := configured[t]; ok {
		return n
	}
	return huma.DefaultSchemaNamer(t, hint)
}
