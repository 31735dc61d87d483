package static

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/platform/printable"
	"github.com/tope/updater/platform/source"
)

const (
	// patience bounds a request and its answer, redirects and all.
	patience = time.Minute
	// redirects is the longest chain that is followed.
	redirects = 10
	// maxKeys bounds keys.signed. trust.UpdateSigned has its own bound.
	maxKeys = 2 << 20
	// maxTag bounds an ETag. Servers have up to 80 bytes.
	maxTag = 200
	// maxWait bounds what a server may ask for with Retry-After.
	maxWait = 24 * time.Hour
)

// got is an answer of the server.
type got struct {
	unchanged bool
	tag       string
	body      []byte
}

// problem is why there is no answer that counts. It is one line without secrets.
type problem struct {
	what string
	err  error
	// heard: somebody has answered.
	heard bool
}

func (p *problem) Error() string        { return p.what }
func (p *problem) Unwrap() error        { return p.err }
func (p *problem) Is(target error) bool { return p.heard && target == fleet.ErrHeard }

func failure(at *url.URL, what string, err error, heard bool) error {
	text := source.Show(at)
	for _, more := range []string{what, err.Error()} {
		if more != "" {
			text += ": " + more
		}
	}
	return &problem{source.Scrub(printable.Line(text)), err, heard}
}

// fetch asks for a file of at most most bytes, or whether it has changed since it had tag.
func (s *Source) fetch(ctx context.Context, at *url.URL, tag string, most int64) (got, error) {
	ctx, cancel := clock.WithTimeout(ctx, s.cfg.Clock, patience, fmt.Errorf("no whole answer within %v", patience))
	defer cancel()
	resp, heard, err := s.follow(ctx, at, tag)
	if err == nil {
		defer func() { _ = resp.Body.Close() }() // it was only read
		var g got
		if g, heard, err = s.read(resp, tag, most); err == nil {
			return g, nil
		}
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return got{}, failure(at, "", err, heard)
}

// follow asks, and asks where a redirect leads, within the scheme. heard: somebody has
// answered, if only with a redirect.
func (s *Source) follow(ctx context.Context, at *url.URL, tag string) (resp *http.Response, heard bool, err error) {
	for range redirects + 1 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), http.NoBody)
		if err != nil {
			return nil, heard, errors.New("it leads to what is not a URL")
		}
		req.Header.Set("User-Agent", "tope-updater/"+s.cfg.Version)
		req.Header.Set("Accept-Encoding", "identity")
		if tag != "" {
			req.Header.Set("If-None-Match", tag)
		}
		// An http.Client would quote where a redirect leads.
		resp, err := s.cfg.Web.RoundTrip(req)
		if err != nil {
			return nil, heard, err
		}
		heard = true
		if resp.StatusCode < 301 || resp.StatusCode > 308 || resp.StatusCode == http.StatusNotModified {
			return resp, heard, nil
		}
		_ = resp.Body.Close() // it is not needed
		next, err := resp.Location()
		switch {
		case err != nil:
			return nil, heard, fmt.Errorf("it answers %d and leads to nowhere", resp.StatusCode)
		case next.Scheme != at.Scheme:
			return nil, heard, fmt.Errorf("it leads to %s, and only %s is followed; correct the URL, or the server's redirect", source.Show(next), at.Scheme)
		}
		at = next
	}
	return nil, heard, fmt.Errorf("it leads from one place to the next more than %d times", redirects)
}

// read judges the answer, and reads the file. Who does not get the whole of it is as good
// as cut off: then heard is false.
func (s *Source) read(resp *http.Response, tag string, most int64) (g got, heard bool, err error) {
	switch {
	case resp.StatusCode == http.StatusNotModified && tag != "":
		return got{unchanged: true}, true, nil
	case resp.StatusCode != http.StatusOK:
		return got{}, true, s.refused(resp)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	switch {
	case err != nil:
		return got{}, false, err
	case int64(len(body)) > most:
		return got{}, true, fmt.Errorf("it has more than the %d bytes allowed", most)
	}
	g = got{body: body}
	if t := resp.Header.Get("ETag"); len(t) <= maxTag && printable.IsLine(t) {
		g.tag = t
	}
	return g, true, nil
}

// refused is the error for an answer that has no file. With a Retry-After it is a Wait.
func (s *Source) refused(resp *http.Response) error {
	what := "it answers " + strconv.Itoa(resp.StatusCode)
	for _, more := range []string{http.StatusText(resp.StatusCode), fetch.Hint(resp)} {
		if more != "" {
			what += ", " + more
		}
	}
	err := fleet.Heard(errors.New(strings.Replace(what, ", ", " ", 1)))
	if wait := fetch.RetryAfter(resp.Header, s.cfg.Clock.Now(), maxWait); wait > 0 {
		return &fleet.Wait{For: wait, Err: err}
	}
	return err
}
