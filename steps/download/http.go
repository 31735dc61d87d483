package download

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/tope/updater/platform/source"
)

// httpSource reads one URL, each request with a connection of its own (package fetch).
type httpSource struct {
	cfg Config
	url source.URL
}

func (s *httpSource) open(ctx context.Context, w want) (*stream, error) {
	p := &pace{clk: s.cfg.Clock, limits: s.cfg.Limits}
	p.begin(forAnswer)
	ctx, cancel := p.watch(ctx)
	resp, err := s.request(ctx, p, w)
	p.end(0)
	if err != nil {
		err = classify(ctx, err)
		cancel()
		return nil, err
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
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url.Unredacted(), http.NoBody)
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
		Transport: s.cfg.Web,
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			p.begin(forAnswer)
			return mayFollow(via[len(via)-1].URL, next.URL, len(via), s.cfg.Limits.Redirects)
		},
	}
	return client.Do(req)
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
