package ddi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/platform/printable"
	"github.com/tope/updater/platform/source"
)

const (
	// maxAnswer bounds an answer's body. A set of one artifact has 700 bytes.
	maxAnswer = 1 << 20
	// maxWait bounds what a server may ask for with Retry-After.
	maxWait = 24 * time.Hour
)

// question is a request to the server.
type question struct {
	// doing says for people what is asked.
	doing, method string
	// rest is the path below this device's own resource, query what comes behind it.
	rest, query string
	// tag is what If-None-Match asks for.
	tag  string
	body any
}

// reply is an answer of the server: a success, or a 304 to a question with a tag.
type reply struct {
	unchanged bool
	tag       string
	body      []byte
}

// Authorize adds the token to a request for an artifact, when its URL is the server's
// own. A request to anybody else stays as it is.
func (c *Client) Authorize(req *http.Request) error {
	if c.cfg.Auth == NoToken || fetch.Origin(req.URL) != fetch.Origin(c.server) {
		return nil
	}
	token, err := c.cfg.Token()
	switch {
	case err != nil:
		return fmt.Errorf("cannot use the token: %w", err)
	case token.Empty():
		return errors.New("cannot use the token: it is empty")
	}
	req.Header.Set("Authorization", string(c.cfg.Auth)+" "+token.Reveal())
	return nil
}

// ask makes one request. Its error is an *Error.
func (c *Client) ask(ctx context.Context, q question) (reply, error) {
	u := c.own.JoinPath(q.rest)
	u.RawQuery = q.query
	ctx, cancel := clock.WithTimeout(ctx, c.cfg.Clock, c.cfg.Timeout, fmt.Errorf("no answer within %v", c.cfg.Timeout))
	defer cancel()
	r, err := c.exchange(ctx, q, u)
	var judged *Error
	if err == nil || errors.As(err, &judged) {
		return r, err
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return reply{}, &Error{Kind: Outage, What: source.Scrub(printable.Line(q.doing + ": " + source.Show(u) + ": " + err.Error())), Err: err}
}

// exchange is an answer that was judged, or why there is none.
func (c *Client) exchange(ctx context.Context, q question, u *url.URL) (reply, error) {
	var body io.Reader = http.NoBody
	if q.body != nil {
		text, err := json.Marshal(q.body)
		if err != nil {
			return reply{}, fmt.Errorf("encode it: %w", err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, q.method, u.String(), body)
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Accept", "application/hal+json, application/json")
	req.Header.Set("User-Agent", "tope-updater/"+c.cfg.Version)
	if q.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if q.tag != "" {
		req.Header.Set("If-None-Match", q.tag)
	}
	if err := c.Authorize(req); err != nil {
		// Nobody was asked: that says nothing of the way to the server.
		return reply{}, &Error{Kind: Denied, What: source.Scrub(printable.Line(q.doing + ": " + err.Error())), Err: err}
	}
	// An http.Client would quote where a redirect leads, and follow it.
	resp, err := c.cfg.Web.RoundTrip(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return reply{}, err
	case len(text) > maxAnswer:
		return reply{}, fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	return c.judge(q, u, resp, text)
}

// judge tells the server's own answers from others, and successes from failures.
func (c *Client) judge(q question, u *url.URL, resp *http.Response, body []byte) (reply, error) {
	status := resp.StatusCode
	fail := func(kind Kind, code, why string) (reply, error) {
		what := q.doing + ": " + source.Show(u) + " answered " + strconv.Itoa(status)
		if text := http.StatusText(status); text != "" {
			what += " " + text
		}
		if why != "" {
			what += ": " + why
		}
		return reply{}, &Error{Kind: kind, What: what, Status: status, Code: code, Wait: fetch.RetryAfter(resp.Header, c.cfg.Clock.Now(), maxWait)}
	}
	own := len(body) == 0 || isJSON(resp.Header.Get("Content-Type"), body)
	switch {
	case status == http.StatusNotModified && q.tag != "":
		return reply{unchanged: true}, nil
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fail(Denied, "", c.whyDenied(resp))
	case status >= 300 && status < 400:
		return fail(Outage, "", "it leads elsewhere, and is not followed; correct the server's URL")
	case !own:
		return fail(Outage, "", "that is not in the server's language: something in between answers in its place, or the server's URL is wrong")
	case status >= 200 && status < 300:
		return reply{tag: resp.Header.Get("ETag"), body: body}, nil
	}
	var said struct {
		ErrorCode string `json:"errorCode"`
		Message   string `json:"message"`
	}
	_ = json.Unmarshal(body, &said) // other servers have other words
	code := short(source.Scrub(printable.Line(said.ErrorCode)), 80)
	why := short(source.Scrub(printable.Line(said.Message)), 200)
	if why == "" && status == http.StatusNotFound && q.doing == poll {
		why = "is the tenant right, and the server's URL?"
	}
	return fail(kindOf(status, code), code, why)
}

// whyDenied says what to look at.
func (c *Client) whyDenied(resp *http.Response) string {
	switch c.cfg.Auth {
	case TargetToken:
		return "is the token this device's, its id " + c.cfg.ID + " known there, and target tokens enabled for the tenant?"
	case GatewayToken:
		return "is the token the tenant's, and are gateway tokens enabled?"
	}
	return fetch.Hint(resp)
}

// isJSON reports whether an answer says that it is JSON, and is.
func isJSON(mediaType string, body []byte) bool {
	kind, _, err := mime.ParseMediaType(mediaType)
	return err == nil && (kind == "application/json" || kind == "application/hal+json") && json.Valid(body)
}
