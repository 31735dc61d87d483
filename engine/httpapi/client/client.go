// Package client talks to the updater's API v2 for the command line. A verb is
// written once against Client: through the socket when a daemon runs, or
// straight to the handler of an engine in the same process when none does.
//
// Both paths return the engine's errors: a *httpapi.Problem in which errors.Is
// and errors.As find engine.ErrBusy and the other sentinels. ErrNoDaemon says
// that no process listens on the socket, ErrNoAnswer that a daemon listens and
// hangs.
//
// Start reading at Socket and InProcess; verbs.go has a method for each route.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"time"

	"github.com/tope/updater/engine/httpapi"
)

var (
	// ErrNoDaemon says that no daemon listens on the socket.
	ErrNoDaemon = errors.New("no updater daemon is running")
	// ErrNoAnswer says that a daemon holds the socket, but does not answer.
	ErrNoAnswer = errors.New("the updater daemon does not answer")
)

// base names a host that every handler accepts. The transport decides where the
// request really goes.
const base = "http://localhost"

// aliveTimeout is how long a daemon may take to answer Alive.
const aliveTimeout = 3 * time.Second

// Client is safe for concurrent use.
type Client struct {
	http *http.Client
	// where names the other side in errors.
	where string
	// socket is the path of the daemon's socket; empty in this process.
	socket string
}

// Socket returns a client of the daemon that listens on path.
func Socket(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return httpapi.DialSocket(ctx, path)
	}
	return &Client{where: path, socket: path, http: &http.Client{Transport: &http.Transport{DialContext: dial, MaxIdleConns: 2}}}
}

// InProcess returns a client of a handler in this process. It may do what this process's
// user can do with the device's files.
func InProcess(h http.Handler) *Client {
	return &Client{where: "this process", http: &http.Client{Transport: transport{h}}}
}

// handing is a client for one request, with which an open file is handed over.
func (c *Client) handing(f *os.File) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return httpapi.DialHanding(ctx, c.socket, f)
	}
	return &Client{where: c.where, http: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// HTTP is the client below, for requests that have no method here.
func (c *Client) HTTP() *http.Client { return c.http }

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Alive asks whether a daemon answers. Errors: ErrNoDaemon, ErrNoAnswer, or
// the reason why this user cannot open the socket.
func (c *Client) Alive(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, aliveTimeout, ErrNoAnswer)
	defer cancel()
	return c.do(ctx, http.MethodGet, "/", nil, nil)
}

// do sends in as JSON and decodes the answer into out; either may be nil.
func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	body, err := c.open(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer body.Close()
	if out == nil {
		_, err = io.Copy(io.Discard, body)
	} else {
		err = json.NewDecoder(body).Decode(out)
	}
	if err != nil {
		return fmt.Errorf("cannot read the answer of %s to %s %s: %w", c.where, method, path, c.explain(ctx, err))
	}
	return nil
}

// open sends a request and returns the body of a good answer.
func (c *Client) open(ctx context.Context, method, path string, in any) (io.ReadCloser, error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, body)
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot ask the updater at %s: %w", c.where, c.explain(ctx, err))
	}
	if resp.StatusCode < 300 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	return nil, c.problem(resp)
}

// explain tells why a request got no answer.
func (c *Client) explain(ctx context.Context, err error) error {
	var asked *url.Error // its URL has the made-up host of base
	if errors.As(err, &asked) {
		err = asked.Err
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: %w", ErrNoDaemon, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; run it as root, or as a member of the group tope-updater", err)
	}
	return err
}

// maxProblem bounds, in bytes, how much of an error's body is read.
const maxProblem = 1 << 20

func (c *Client) problem(resp *http.Response) error {
	var p httpapi.Problem
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err != nil || p.Type == "" {
		return fmt.Errorf("%s answers %s: %.200s", c.where, resp.Status, data)
	}
	return &p
}
