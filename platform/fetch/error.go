package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Kind says what is in the way of a request, for people and for callers that branch on it.
type Kind string

// The kinds of Error. All but Untrusted may end without anybody correcting the request.
const (
	// Setting: a file that the configuration names cannot be used at the moment.
	Setting Kind = "a file of the configuration cannot be used"
	// ProxyAway: the proxy cannot be reached.
	ProxyAway Kind = "cannot reach the proxy"
	// ProxyRefused: the proxy does not let the request through.
	ProxyRefused Kind = "the proxy does not let us through"
	// Untrusted: the server, or the proxy, is not one that this device trusts.
	Untrusted Kind = "cannot trust the server"
	// WrongTime: a certificate is not valid at the time of this device's clock.
	WrongTime Kind = "certificate is not valid at this device's time"
	// Unidentified: the server wants another certificate of this device, or one at all.
	Unidentified Kind = "server does not accept this device's certificate"
)

// Error is why there is no answer to a request. It has no secret in it.
type Error struct {
	Kind Kind
	// Err says what failed, on which host or file, in one line.
	Err error
	// Hint says what a person can do, and in which key.
	Hint string
}

func (e *Error) Error() string { return e.Err.Error() + "; " + e.Hint }
func (e *Error) Unwrap() error { return e.Err }

// setting is the Error for a file that a key names.
func (t *Transport) setting(key string, err error) *Error {
	at, table := key, "[download]"
	if key == "client_cert" || key == "header_files" {
		table = "[[download.server]]"
	}
	return &Error{Kind: Setting, Err: fmt.Errorf("cannot use %s: %w", at, err), Hint: "correct the file, or " + key + " in " + table}
}

// explain turns an error of http.Transport into an *Error, where one of its kinds is it.
func (x *exchange) explain(ctx context.Context, err error) error {
	var (
		own *Error
		op  *net.OpError
	)
	switch {
	case errors.As(err, &own):
		return own
	case ctx.Err() != nil && x.waitsForTunnel():
		return &Error{Kind: ProxyAway, Err: fmt.Errorf("the proxy %s does not let us through to %s: %w", shown(x.proxy), x.url.Host, context.Cause(ctx)), Hint: x.wayOut()}
	case ctx.Err() != nil:
		return err
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return x.away(op.Err)
	case op != nil && op.Op == "socks connect":
		return x.socks(op.Err)
	}
	if e := x.distrusts("the server", err); e != nil {
		return e
	}
	if e := x.unidentified(err); e != nil {
		return e
	}
	return err
}

// away is the error for a proxy that no connection can be made to.
func (x *exchange) away(err error) error {
	if e := x.distrusts("the proxy "+shown(x.proxy), err); e != nil {
		return e
	}
	hint := x.wayOut()
	var record tls.RecordHeaderError
	if errors.As(err, &record) {
		hint = "it does not speak TLS: is its URL http://" + x.proxy.Host + "?"
	}
	return &Error{Kind: ProxyAway, Err: fmt.Errorf("cannot reach the proxy %s: %w", shown(x.proxy), err), Hint: hint}
}

// waitsForTunnel reports whether it is the proxy that has not answered yet. Of a request
// without a tunnel nobody knows who keeps it waiting.
func (x *exchange) waitsForTunnel() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.proxy != nil && x.url.Scheme == "https" && strings.HasPrefix(x.proxy.Scheme, "http") && !x.tunnelled
}

// wayOut says what to do about a proxy that is of no use.
func (x *exchange) wayOut() string {
	return "correct " + x.proxyKey() + ", or name " + x.url.Hostname() + " in no_proxy"
}

// proxyKey says where the proxy is named.
func (x *exchange) proxyKey() string {
	if x.t.cfg.Proxy == "" {
		return "HTTPS_PROXY and HTTP_PROXY in the environment"
	}
	return "proxy under [download]"
}

// connected judges a proxy's answer to CONNECT.
func (x *exchange) connected(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return x.refused(resp)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tunnelled = true
	return nil
}

// refused is the error for a proxy that has answered something else than 200.
func (x *exchange) refused(resp *http.Response) error {
	status := strconv.Itoa(resp.StatusCode)
	if text := http.StatusText(resp.StatusCode); text != "" {
		status += " " + text
	}
	var hint string
	switch code := resp.StatusCode; {
	case code == http.StatusProxyAuthRequired:
		hint = x.authHint()
	case code >= 500:
		hint = "it cannot reach the server itself; is there a way without it? Then name " + x.url.Hostname() + " in no_proxy"
	default:
		hint = "have who runs it allow " + x.url.Host + ", or name " + x.url.Hostname() + " in no_proxy"
	}
	return &Error{Kind: ProxyRefused, Err: fmt.Errorf("the proxy %s does not let us through to %s: %s", shown(x.proxy), x.url.Host, status), Hint: hint}
}

// authHint says what to do about a proxy that asks who we are.
func (x *exchange) authHint() string {
	switch {
	case x.t.cfg.Proxy == "":
		return "put the right user and password into HTTPS_PROXY and HTTP_PROXY, or set proxy and proxy_auth under [download]"
	case x.t.cfg.ProxyAuth == "":
		return "put USER:PASSWORD into a file, and name it with proxy_auth under [download]"
	}
	return "it does not take the user and password in " + x.t.cfg.ProxyAuth + " (proxy_auth)"
}

// socks is the error for a SOCKS proxy that has answered.
func (x *exchange) socks(err error) error {
	hint := "is there a way without it? Then name " + x.url.Hostname() + " in no_proxy"
	if strings.Contains(err.Error(), "authentication") {
		hint = x.authHint()
	}
	return &Error{Kind: ProxyRefused, Err: fmt.Errorf("the proxy %s does not let us through to %s: %w", shown(x.proxy), x.url.Host, err), Hint: hint}
}

// distrusts is the Error for a certificate of who that does not convince; nil when err
// is about something else.
func (x *exchange) distrusts(who string, err error) *Error {
	var (
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
	)
	e := &Error{Kind: Untrusted, Err: fmt.Errorf("cannot trust %s: %w", who, err)}
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		// A device that has just booted without a battery-backed clock gets the
		// right time later.
		now := x.t.cfg.Clock.Now()
		e.Kind, e.Hint = WrongTime, "have it renewed; or, is the device's clock right? It says "+now.UTC().Format(time.RFC3339)
		if invalid.Cert != nil && now.Before(invalid.Cert.NotBefore) {
			e.Hint = "is the device's clock right? It says " + now.UTC().Format(time.RFC3339)
		}
	case errors.As(err, &authority) && x.t.cfg.CAFile == "" && systemTrustsNobody():
		e.Hint = "this device has no CA certificates: install them (Debian: ca-certificates) and restart the updater, or set ca_file under [download]"
	case errors.As(err, &authority):
		e.Hint = "if its certificate is made by a CA of your own, set ca_file under [download]; otherwise something in between answers in its place"
	case errors.As(err, &hostname), errors.As(err, &invalid):
		e.Hint = "the server, or something in between, is not who the URL names"
	default:
		return nil
	}
	return e
}

// unidentified is the Error for a server that asked for a certificate and then ended the
// conversation; nil when err is about something else. A server tells the reason in a TLS
// alert, which the client reads only when it asks for the answer, if the connection lives so long.
func (x *exchange) unidentified(err error) *Error {
	x.mu.Lock()
	asked, gave := x.asked, x.gave
	x.mu.Unlock()
	var op *net.OpError
	alert := errors.As(err, &op) && op.Op == "remote error"
	if !asked || gave && !alert {
		return nil
	}
	return &Error{Kind: Unidentified, Err: fmt.Errorf("%s wants a certificate of this device: %w", x.url.Host, err), Hint: x.certHint(gave)}
}

// certHint says what to do about a server that wants a certificate of this device.
func (x *exchange) certHint(gave bool) string {
	if !gave {
		return "set client_cert and client_key in a [[download.server]] with url = \"" + Origin(x.url) + "\""
	}
	hint := "it does not take the one in " + x.server.ClientCert + " (client_cert)"
	if cert, err := x.t.certificate(x.server); err == nil && cert.Leaf != nil {
		switch now := x.t.cfg.Clock.Now(); {
		case now.After(cert.Leaf.NotAfter):
			hint += ", which has expired on " + cert.Leaf.NotAfter.UTC().Format(time.DateOnly)
		case now.Before(cert.Leaf.NotBefore):
			hint += ", which is valid from " + cert.Leaf.NotBefore.UTC().Format(time.DateOnly) + " on"
		}
	}
	return hint
}
