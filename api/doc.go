// Package api is the HTTP interface of an agent: JSON under /v1, its OpenAPI 3.1 description at /openapi.json and
// /openapi.yaml, Prometheus metrics at /metrics and a liveness answer at /healthz.
//
// It turns requests into [fsm.Command]s and agreed state into answers. It decides nothing about the cluster: placement,
// validation and previews are functions of package fsm, and everything that moves an address is decided by the leader.
// It holds no state of its own, so an agent may answer while it belongs to no cluster yet.
//
//	CLI, page ──► Server ──► Proposer ──► log
//	                │ ▲
//	                │ └───── Reader: agreed state, one immutable value per request
//	                └──────► Reporter: what each node's kernel really has
//
// The agent implements the small interfaces in backend.go. Reads answer from the state applied on this node and carry its
// index; status, plans and writes ask a quorum first and say so when there is none.
//
// Errors are RFC 9457 problem documents. Their type is stable ("urn:quorate:error:conflict", see [Code]); their detail says
// what, where and what to do next; a refused configuration lists its [fsm.Problem]s.
//
// Access: whoever may open the unix socket (mode 0660) is an operator. A TCP address is optional and must be loopback, as
// it asks nobody who they are; the join token is never given out over it, and requests that a web browser sends on behalf
// of another site are refused.
//
//	l, err := api.ListenUnix(api.DefaultSocket)
//	if err != nil { … }
//	err = api.NewServer(api.Options{Reader: node, Proposer: node, …}).Serve(ctx, l)
package api
