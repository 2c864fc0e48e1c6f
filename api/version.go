package api

import (
	"context"
	"runtime"

	"github.com/danielgtaylor/huma/v2"

	"quorate/fsm"
)

// Version names a build.
type Version struct {
	Version string     `json:"version" example:"0.1.0"`
	Schema  fsm.Schema `json:"schema" doc:"Newest schema of agreed state that this build understands"`
	API     string     `json:"api" doc:"Path prefix of the API" example:"v1"`
	Go      string     `json:"go"`
	OS      string     `json:"os"`
	Arch    string     `json:"arch"`
}

// ThisBuild describes the running program; version is what the linker or the module system says.
func ThisBuild(version string) Version {
	return Version{Version: version, Schema: fsm.MaxSchema, API: "v1", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
}

type versionOutput struct{ Body Version }

func (s *Server) registerVersion(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "version", Method: "GET", Path: "/v1/version", Tags: []string{"node"},
		Summary: "The build of this agent",
	}, func(context.Context, *struct{}) (*versionOutput, error) {
		return &versionOutput{Body: ThisBuild(s.version)}, nil
	})
}
