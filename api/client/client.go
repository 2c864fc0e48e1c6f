package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"quorate/api"
)

const (
	dialLimit = 3 * time.Second
	// maxAnswer bounds an answer: a configuration of the largest size that an agent takes, with room.
	maxAnswer = 64 << 20
	maxError  = 1 << 20
)

// Client speaks to one agent. It is safe for concurrent use.
type Client struct {
	at   string // what the user named
	path string // of the unix socket; "" over TCP
	base string // URL without a trailing slash
	http *http.Client
}

// New makes a client for the agent at address: the path of a unix socket ("/run/quorate/quorate.sock", "unix:/path") or
// "http://127.0.0.1:7302". It connects to nothing yet.
func New(address string) (*Client, error) {
	dialer := &net.Dialer{Timeout: dialLimit}
	tr := &http.Transport{DialContext: dialer.DialContext, MaxIdleConns: 4, IdleConnTimeout: 30 * time.Second}
	c := &Client{at: address, http: &http.Client{
		Transport: tr,
		// The API never redirects; something else that listens there might.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	switch {
	case strings.HasPrefix(address, "http://"):
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			return nil, fmt.Errorf("agent address %q: write it as http://HOST:PORT", address)
		}
		c.base = "http://" + u.Host
	case strings.Contains(address, "://"):
		return nil, fmt.Errorf("agent address %q: want the path of a unix socket, or http://HOST:PORT", address)
	default:
		path := strings.TrimPrefix(address, "unix:")
		if path == "" {
			return nil, errors.New("agent address is empty: want the path of a unix socket, or http://HOST:PORT")
		}
		c.base, c.path = "http://agent", path
		tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", path)
		}
	}
	return c, nil
}

// Close gives up idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

var errNoSocket = errors.New("not a socket")

// NoAgentError says that nobody answers at the address.
type NoAgentError struct {
	At  string
	Err error
}

// Error says where, and what to do.
func (e *NoAgentError) Error() string {
	switch {
	case errors.Is(e.Err, syscall.EACCES), errors.Is(e.Err, syscall.EPERM):
		return fmt.Sprintf("not allowed to open %s: run this as root, or as a member of the group that owns the socket", e.At)
	case errors.Is(e.Err, errNoSocket):
		return fmt.Sprintf("%s is no socket: name that of an agent with --socket or QUORATE_SOCKET", e.At)
	case errors.Is(e.Err, syscall.EINVAL):
		return fmt.Sprintf("%s cannot be the path of a unix socket (they end at 107 characters): name another with --socket or QUORATE_SOCKET", e.At)
	default:
		return fmt.Sprintf("no agent answers at %s: is `quorate agent` running? name another with --socket or QUORATE_SOCKET", e.At)
	}
}

// Unwrap is the network's error.
func (e *NoAgentError) Unwrap() error { return e.Err }

// do sends one request; in is its JSON body (nil = none), out takes the answer (nil = ignored).
func (c *Client) do(ctx context.Context, method, path string, query url.Values, in, out any) error {
	resp, err := c.send(ctx, method, path, query, in, nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if out == nil {
		return nil
	}
	return c.decode(resp.Body, out)
}

// send returns the response of a success, or an error; the caller closes the body.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, in any, header http.Header) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	u := c.base + path
	if len(query) > 0 {
		u += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, u, body)
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range header {
		req.Header[k] = v
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.noAnswer(ctx, err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	return nil, c.refused(resp)
}

// noAnswer tells a missing agent from one that went away and from a caller that gave up.
func (c *Client) noAnswer(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		// The kernel refuses a connection to a file of another kind as one to a socket that nobody serves.
		if fi, e := os.Stat(c.path); c.path != "" && e == nil && fi.Mode()&os.ModeSocket == 0 {
			err = errNoSocket
		}
		return &NoAgentError{At: c.at, Err: err}
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	return fmt.Errorf("the agent at %s went away before it answered: %w; look at its log", c.at, err)
}

func (c *Client) refused(resp *http.Response) error {
	b, _ := io.ReadAll(io.LimitReader(resp.Body, maxError))
	if ct, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); ct == "application/problem+json" {
		e := new(api.Error)
		if err := json.Unmarshal(b, e); err == nil && e.Title+e.Detail != "" {
			return e
		}
	}
	return fmt.Errorf("%s is no quorate agent: it answered %s", c.at, resp.Status)
}

func (c *Client) decode(r io.Reader, out any) error {
	lr := &io.LimitedReader{R: r, N: maxAnswer + 1}
	if err := json.NewDecoder(lr).Decode(out); err != nil {
		if lr.N <= 0 {
			return fmt.Errorf("the agent's answer is above %d bytes", maxAnswer)
		}
		return fmt.Errorf("the answer of the agent at %s is not what this version understands: %w", c.at, err)
	}
	return nil
}
