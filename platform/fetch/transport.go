package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tope/updater/platform/clock"
)

// Config is for New. A field that is zero takes the default named here.
type Config struct {
	Settings
	// Clock is needed. Certificates are valid, or not, at its time.
	Clock clock.Clock
	// Resolve finds a file of the device on this host: as it is named.
	Resolve func(device string) (host string, err error)
	// Connect bounds name lookup and connecting, to the server or to its proxy: 10 s.
	Connect time.Duration
	// Handshake bounds a TLS handshake: 30 s, of the runtime's clock.
	Handshake time.Duration
}

// Transport makes requests as Settings say. It is an http.RoundTripper for the
// http.Client of whoever asks for something, and safe for concurrent use. It keeps
// nothing between requests but the bandwidth, the count of bytes and the gate.
type Transport struct {
	cfg   Config
	limit *bandwidth
	gate  atomic.Pointer[func() error]
	count atomic.Int64
	// environment is net/http's, which reads the environment once in a process.
	environment func(*http.Request) (*url.URL, error)
}

var _ http.RoundTripper = (*Transport)(nil)

// New makes a transport. It reads no file: see Transport.Files for that. The settings
// must be valid (Settings.Validate).
func New(cfg Config) *Transport {
	if cfg.Resolve == nil {
		cfg.Resolve = func(device string) (string, error) { return device, nil }
	}
	if cfg.Connect == 0 {
		cfg.Connect = 10 * time.Second
	}
	if cfg.Handshake == 0 {
		cfg.Handshake = 30 * time.Second
	}
	return &Transport{cfg: cfg, limit: newBandwidth(cfg.Clock, cfg.Bandwidth), environment: http.ProxyFromEnvironment}
}

// maxHeader bounds the header of an answer.
const maxHeader = 64 << 10

// exchange is one request and its answer.
type exchange struct {
	t   *Transport
	url *url.URL
	// proxy is nil for none; server has what is for this server only, nil for nothing.
	proxy  *url.URL
	server *Server

	mu sync.Mutex
	// tunnelled says that the proxy has let us through to the server.
	tunnelled bool
	// asked says that the server wants a certificate of this device, and gave that it
	// got one.
	asked, gave bool
}

type exchangeKey struct{}

// exchangeOf is the exchange that an answer came from; nil for another transport's.
func exchangeOf(resp *http.Response) *exchange {
	if resp.Request == nil {
		return nil
	}
	x, _ := resp.Request.Context().Value(exchangeKey{}).(*exchange)
	return x
}

// RoundTrip makes one request, over a connection of its own: none stays open during an
// outage, and none that is half dead is reused after it. Its errors are those of
// http.Transport, an *Error where this package knows what is in the way, or a *Held.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	x := &exchange{t: t, url: req.URL, server: t.cfg.server(req.URL)}
	transport, out, err := x.open(req)
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // as http.RoundTripper promises
		}
		return nil, err
	}
	resp, err := transport.RoundTrip(out)
	if err == nil && resp.StatusCode == http.StatusProxyAuthRequired && x.proxy != nil {
		_ = resp.Body.Close() // the proxy's words are not needed
		err = x.refused(resp)
	}
	if err != nil {
		return nil, x.explain(req.Context(), err)
	}
	resp.Body = &metered{ReadCloser: resp.Body, t: t, ctx: req.Context()}
	// The request as it was asked for, without the secrets.
	resp.Request = req.WithContext(context.WithValue(req.Context(), exchangeKey{}, x))
	return resp, nil
}

// open asks the gate, and prepares.
func (x *exchange) open(req *http.Request) (*http.Transport, *http.Request, error) {
	if err := x.t.bound(req.Context()); err != nil {
		return nil, nil, err
	}
	return x.prepare(req)
}

// prepare makes the transport of this exchange, and the request as it goes out.
func (x *exchange) prepare(req *http.Request) (*http.Transport, *http.Request, error) {
	out := req.Clone(req.Context())
	// The URL before a redirect may have a token in its query.
	out.Header.Del("Referer")
	if err := x.addHeaders(out); err != nil {
		return nil, nil, err
	}
	var err error
	if x.proxy, err = x.t.proxyFor(req); err != nil {
		return nil, nil, err
	}
	config, err := x.tls()
	if err != nil {
		return nil, nil, err
	}
	var http1 http.Protocols // one transfer at a time: HTTP/2 would only buffer
	http1.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyURL(x.proxy),
		OnProxyConnectResponse: x.connected,
		DialContext:            x.t.dial,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    x.t.cfg.Handshake,
		Protocols:              &http1,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
	}, out, nil
}

// addHeaders adds the headers for this server. The user and password of a URL go before
// an Authorization that is configured.
func (x *exchange) addHeaders(out *http.Request) error {
	if x.server == nil {
		return nil
	}
	add := func(name, value string) {
		if out.Header.Get(name) == "" {
			out.Header.Set(name, value)
		}
	}
	for name, value := range x.server.Headers {
		add(name, value.Reveal())
	}
	for name, file := range x.server.HeaderFiles {
		value, err := x.t.secret(file)
		if err != nil {
			return x.t.setting("header_files", err)
		}
		add(name, value.Reveal())
	}
	return nil
}

// errConnect is the cause of a connection attempt that took too long.
var errConnect = errors.New("no connection in time")

// dial connects within the limit. The dialer's own timeout spreads the time over the
// addresses of a host, so that a dead first one does not use up all of it.
func (t *Transport) dial(ctx context.Context, network, address string) (net.Conn, error) {
	timed, cancel := clock.WithTimeout(ctx, t.cfg.Clock, t.cfg.Connect, errConnect)
	defer cancel()
	dialer := &net.Dialer{Timeout: t.cfg.Connect}
	conn, err := dialer.DialContext(timed, network, address)
	if err != nil && errors.Is(context.Cause(timed), errConnect) {
		return nil, &net.OpError{Op: "dial", Net: network, Err: fmt.Errorf("no connection to %s within %v", address, t.cfg.Connect)}
	}
	return conn, err
}
