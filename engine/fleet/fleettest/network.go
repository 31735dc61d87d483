package fleettest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
)

// Trouble is what becomes of a request. Honest is none.
type Trouble string

// The kinds of trouble.
const (
	Honest Trouble = ""
	// Down: there is no server. Lost: the answer does not arrive, after the server has
	// done what it was asked.
	Down Trouble = "down"
	Lost Trouble = "lost"
	// Half: the answer ends in the middle.
	Half Trouble = "half"
	// Portal answers 200 with a page for people, which repeats the request with its
	// secrets; Login leads to such a page. Empty answers 200 with nothing.
	Portal Trouble = "portal"
	Login  Trouble = "login"
	Empty  Trouble = "empty"
	// Nothing (404), Forbidden (403) and Broken (500) are somebody else's, in HTML.
	Nothing   Trouble = "not found"
	Forbidden Trouble = "forbidden"
	Broken    Trouble = "broken"
	// Busy is 429 and Closed 503, each with a Retry-After of RetryAfter.
	Busy   Trouble = "busy"
	Closed Trouble = "closed"
	// Silent: no answer comes. Stuck: an answer begins and never goes on. Endless: an
	// answer never stops.
	Silent  Trouble = "silent"
	Stuck   Trouble = "stuck"
	Endless Trouble = "endless"
)

// RetryAfter is what a busy server asks for, in seconds.
const RetryAfter = 120

// Network is the way to a handler. The zero Trouble lets everything through. It is safe
// for concurrent use.
type Network struct {
	To http.Handler

	mu       sync.Mutex
	trouble  Trouble
	heard    chan struct{}
	requests []string
}

// Trouble makes each request from now on go wrong in this way.
func (n *Network) Trouble(t Trouble) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.trouble, n.heard = t, make(chan struct{}, 100)
}

// Heard receives once for each request since Trouble was set.
func (n *Network) Heard() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.heard
}

// Requests are those since the last call, like "GET /stable.channel".
func (n *Network) Requests() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.requests
	n.requests = nil
	return all
}

// RoundTrip asks the handler, or has trouble.
func (n *Network) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	trouble, heard := n.trouble, n.heard
	n.requests = append(n.requests, r.Method+" "+r.URL.RequestURI())
	n.mu.Unlock()
	if r.Body != nil {
		defer r.Body.Close()
	}
	select {
	case heard <- struct{}{}:
	default: // nobody waits for it
	}
	ctx := r.Context()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	switch trouble {
	case Down:
		return nil, errors.New("dial tcp: connection refused")
	case Lost:
		n.serve(r)
		return nil, io.ErrUnexpectedEOF
	case Half:
		resp := n.serve(whole(r))
		text, _ := io.ReadAll(resp.Body)
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(string(text[:len(text)/2])), cut{}))
		return resp, nil
	case Portal:
		return page(r, http.StatusOK), nil
	case Nothing:
		return page(r, http.StatusNotFound), nil
	case Forbidden:
		return page(r, http.StatusForbidden), nil
	case Broken:
		return page(r, http.StatusInternalServerError), nil
	case Login:
		resp := page(r, http.StatusFound)
		resp.Header.Set("Location", "http://portal.example/login?token="+r.Header.Get("Authorization"))
		if r.URL.Host == "portal.example" {
			resp = page(r, http.StatusOK)
		}
		return resp, nil
	case Empty:
		return answer(r, http.StatusOK, http.NoBody), nil
	case Busy, Closed:
		status := map[Trouble]int{Busy: http.StatusTooManyRequests, Closed: http.StatusServiceUnavailable}[trouble]
		resp := answer(r, status, http.NoBody)
		resp.Header.Set("Retry-After", "120")
		return resp, nil
	case Silent:
		<-ctx.Done()
		return nil, ctx.Err()
	case Stuck:
		resp := n.serve(whole(r))
		resp.Body = io.NopCloser(stuck{ctx})
		return resp, nil
	case Endless:
		resp := n.serve(whole(r))
		resp.ContentLength = -1
		resp.Body = io.NopCloser(endless{ctx})
		return resp, nil
	}
	return n.serve(r), nil
}

func (n *Network) serve(r *http.Request) *http.Response {
	in := r.Clone(r.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	in.Host = r.URL.Host
	w := httptest.NewRecorder()
	n.To.ServeHTTP(w, in)
	resp := w.Result()
	resp.Request = r
	return resp
}

// whole is a request whose answer has a body: a 304 has none that could go wrong.
func whole(r *http.Request) *http.Request {
	out := r.Clone(r.Context())
	out.Header.Del("If-None-Match")
	return out
}

func answer(r *http.Request, status int, body io.ReadCloser) *http.Response {
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: body, ContentLength: -1, Request: r,
	}
}

// page is an answer of somebody in between, who repeats all that he was told.
func page(r *http.Request, status int) *http.Response {
	text := "<html><body>" + r.URL.String() + " " + r.Header.Get("Authorization") + "</body></html>"
	resp := answer(r, status, io.NopCloser(strings.NewReader(text)))
	resp.Header.Set("Content-Type", "text/html")
	resp.Header.Set("ETag", `"portal"`)
	return resp
}

type cut struct{}

func (cut) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

type stuck struct{ ctx context.Context }

func (s stuck) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

type endless struct{ ctx context.Context }

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), e.ctx.Err()
}
