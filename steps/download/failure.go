package download

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"syscall"
	"time"

	"github.com/tope/updater/steps"
)

// An attempt ends in one of four ways: nil; a *steps.Error, which is final; an
// *outage, which is waited out; or a *fault.

// outage is a failure that time may cure.
type outage struct {
	what string
	err  error
	// after is how long the server asked us to wait; 0 when it did not say.
	after time.Duration
}

func (o *outage) Error() string { return o.err.Error() }
func (o *outage) Unwrap() error { return o.err }

// fault is an answer that cannot be used. Unlike an outage it is the source's own
// fault, so the number of faults is limited (Limits.Faults).
type fault struct {
	what string
	err  error
	// restart says that the bytes on disk do not belong to the server's file.
	restart bool
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// unavailable is the error for a source that cannot give the bundle, now or later.
func unavailable(hint, format string, args ...any) error {
	return &steps.Error{Class: steps.Unavailable, Code: steps.DownloadFailed, Err: fmt.Errorf(format, args...), Hint: hint}
}

// refused is the error for a source that does not have the requested bundle.
func refused(code steps.Code, hint, format string, args ...any) error {
	return &steps.Error{Class: steps.Refused, Code: code, Err: fmt.Errorf(format, args...), Hint: hint}
}

// classify turns an error of the HTTP client into one of these kinds. When a limit was
// exceeded, err only says that the request was cancelled, and the cause of ctx says why.
func classify(ctx context.Context, err error) error {
	var (
		final *steps.Error
		out   *outage
	)
	switch {
	case errors.As(err, &final):
		return final
	case ctx.Err() != nil && errors.As(context.Cause(ctx), &out):
		return out
	case errors.As(err, &out):
		return out
	}
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err // the caller's message names the URL already
	}
	if err := classifyTLS(err); err != nil {
		return err
	}
	if what := networkFailure(err); what != "" {
		return &outage{what: what, err: err}
	}
	return &fault{what: malformedAnswer, err: err}
}

func classifyTLS(err error) error {
	var (
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		// Also "not yet valid": a device that has just booted without a
		// battery-backed clock gets the right time later.
		return &outage{what: cannotConnect, err: fmt.Errorf("%w (is the device's clock right?)", err)}
	case errors.As(err, &authority), errors.As(err, &hostname), errors.As(err, &invalid):
		return unavailable("the server, or something in between, is not who the URL names", "cannot trust the server: %w", err)
	case errors.As(err, &record):
		return &fault{what: malformedAnswer, err: err}
	}
	return nil
}

// networkFailure tells a broken connection from a broken answer. It returns "" for a
// broken answer.
func networkFailure(err error) string {
	var (
		op    *net.OpError
		dns   *net.DNSError
		errno syscall.Errno
		timed interface{ Timeout() bool }
	)
	switch {
	case errors.As(err, &dns), errors.As(err, &op) && op.Op == "dial":
		return cannotConnect
	case op != nil && (op.Op == "remote error" || op.Op == "local error"):
		return "" // a TLS alert: no common version or cipher
	case errors.As(err, &op), errors.As(err, &errno), errors.As(err, &timed) && timed.Timeout(),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return connectionLost
	}
	return ""
}
