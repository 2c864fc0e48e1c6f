// Package client speaks the API of an agent: over its unix socket, or over http:// to a loopback TCP address.
//
// It holds no state but idle connections, repeats nothing by itself, and every call takes a context. What the agent refuses
// comes back as an *[api.Error] with its code, detail and problems; when nobody listens the error is a *[NoAgentError] that
// says where and what to do.
//
//	c, err := client.New("/run/quorate/quorate.sock")
//	if err != nil { … }
//	st, err := c.Status(ctx)
//	var refused *api.Error
//	if errors.As(err, &refused) && refused.Code() == api.CodeNoCluster { … }
package client
