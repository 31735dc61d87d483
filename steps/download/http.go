package download

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

// httpSource reads one URL, each request with a connection of its own (package fetch).
type httpSource struct {
	cfg  Config
	from steps.Source
}

func (s *httpSource) open(ctx context.Context, w want) (*stream, error) {
	p := &pace{clk: s.cfg.Clock, limits: s.cfg.Limits}
	p.begin(forAnswer)
	ctx, cancel := p.watch(ctx)
	if s.from.Sparing {
		ctx = fetch.Gated(ctx)
	}
	resp, err := s.request(ctx, p, w)
	p.end(0)
	if err != nil {
		err = classify(ctx, err)
		cancel()
		return nil, err
	}
	if s.cfg.Authorize != nil {
		w.credential = s.from.Credential
	}
	o, err := judge(resp, w)
	if err != nil {
		cancel()
		_ = resp.Body.Close() // the body is not needed
		return nil, err
	}
	return &stream{
		offer: *o,
		body:  s.cfg.Web.Limit(ctx, &pacedBody{ReadCloser: resp.Body, pace: p, cancel: cancel}),
		fail:  func(err error) error { return classify(ctx, err) },
	}, nil
}

func (s *httpSource) request(ctx context.Context, p *pace, w want) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.from.URL.Unredacted(), http.NoBody)
	if err != nil {
		// The reason may quote a part of the URL that is a secret.
		return nil, unavailable("correct the URL", "cannot ask for it")
	}
	req.Header.Set("User-Agent", "tope-updater/"+s.cfg.Version)
	req.Header.Set("Accept-Encoding", "identity")
	if w.offset > 0 || w.end > 0 {
		last := ""
		if w.end > 0 {
			last = strconv.FormatInt(w.end-1, 10)
		}
		req.Header.Set("Range", "bytes="+strconv.FormatInt(w.offset, 10)+"-"+last)
		if w.mark.Strong != "" {
			req.Header.Set("If-Range", w.mark.Strong)
		}
	}
	client := http.Client{
		Transport: &authorized{s, fetch.Origin(req.URL)},
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			p.begin(forAnswer)
			return mayFollow(via[len(via)-1].URL, next.URL, len(via), s.cfg.Limits.Redirects)
		},
	}
	return client.Do(req)
}

// authorized makes the requests of one download, of which those to one origin get the
// source's credentials. Here no redirect takes them along: net/http copies the headers of
// the first request to each next one of the same host, whatever its port.
type authorized struct {
	*httpSource
	origin string
}

func (a *authorized) RoundTrip(req *http.Request) (*http.Response, error) {
	if a.from.Credential == "" || a.cfg.Authorize == nil || fetch.Origin(req.URL) != a.origin {
		return a.cfg.Web.RoundTrip(req)
	}
	out := req.Clone(req.Context())
	if err := a.cfg.Authorize(a.from.Credential, out); err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // as http.RoundTripper promises
		}
		return nil, &outage{what: noCredentials, err: err}
	}
	resp, err := a.cfg.Web.RoundTrip(out)
	if err == nil {
		// What others see of the request has no token.
		resp.Request = req.WithContext(resp.Request.Context())
	}
	return resp, err
}

// mayFollow refuses redirects that lead away from http and https, from https
// back to plain http, or nowhere.
func mayFollow(from, to *url.URL, followed, most int) error {
	refuse := func(format string, args ...any) error {
		return intruder(badRedirect, unavailable("correct the URL, or the server's redirect", format, args...))
	}
	switch {
	case to.Scheme != "http" && to.Scheme != "https":
		return refuse("redirected to %q: only http and https are followed", source.Show(to))
	case from.Scheme == "https" && to.Scheme == "http":
		return refuse("redirected from https to plain http at %q", source.Show(to))
	case followed > most:
		return refuse("redirected more than %d times, last to %q", most, source.Show(to))
	}
	return nil
}

// pacedBody measures the wait of each Read.
type pacedBody struct {
	io.ReadCloser
	pace   *pace
	cancel context.CancelFunc
}

func (b *pacedBody) Read(p []byte) (int, error) {
	b.pace.begin(forBytes)
	n, err := b.ReadCloser.Read(p)
	b.pace.end(n)
	return n, err
}

func (b *pacedBody) Close() error {
	b.cancel()
	return b.ReadCloser.Close()
}
