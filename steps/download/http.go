package download

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"github.com/tope/updater/platform/clock"
)

// httpSource reads one URL. Each request has a connection of its own: no connection
// stays open during an outage, and none that is half dead is reused after it.
type httpSource struct {
	cfg       Config
	url       *url.URL
	transport *http.Transport
}

// errConnect is the cause of a connection attempt that took too long.
var errConnect = errors.New("no connection in time")

// maxHeader bounds the header of an answer.
const maxHeader = 64 << 10

func newHTTPSource(cfg Config, u *url.URL) *httpSource {
	// The dialer's own timeout spreads the time over the addresses of a host,
	// so that a dead first one does not use up all of it.
	dialer := &net.Dialer{Timeout: cfg.Limits.Connect}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		timed, cancel := clock.WithTimeout(ctx, cfg.Clock, cfg.Limits.Connect, errConnect)
		defer cancel()
		conn, err := dialer.DialContext(timed, network, address)
		if err != nil && errors.Is(context.Cause(timed), errConnect) {
			return nil, &outage{what: cannotConnect, err: fmt.Errorf("no connection to %s within %v", address, cfg.Limits.Connect)}
		}
		return conn, err
	}
	var http1 http.Protocols // one transfer at a time: HTTP/2 would only buffer
	http1.SetHTTP1(true)
	return &httpSource{cfg: cfg, url: u, transport: &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.RootCAs},
		TLSHandshakeTimeout:    cfg.Limits.Answer,
		Protocols:              &http1,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
	}}
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
		body:  &pacedBody{ReadCloser: resp.Body, pace: p, cancel: cancel},
		fail:  func(err error) error { return classify(ctx, err) },
	}, nil
}

func (s *httpSource) request(ctx context.Context, p *pace, w want) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url.String(), http.NoBody)
	if err != nil {
		return nil, unavailable("correct the URL", "cannot ask for it: %w", err)
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
		Transport: s.transport,
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
	const hint = "correct the URL, or the server's redirect"
	switch {
	case to.Scheme != "http" && to.Scheme != "https":
		return unavailable(hint, "redirected to %q: only http and https are followed", to.Redacted())
	case from.Scheme == "https" && to.Scheme == "http":
		return unavailable(hint, "redirected from https to plain http at %q", to.Redacted())
	case followed > most:
		return unavailable(hint, "redirected more than %d times, last to %q", most, to.Redacted())
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
