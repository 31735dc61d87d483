package download

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"syscall"
	"time"

	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

// An attempt ends in one of four ways: nil; a *steps.Error, which is final; an
// *outage, which is waited out; or a *strange answer, which is waited out until it is
// believed (endure.go). There is no other: what an attempt finds out otherwise, it
// returns as a value.

// outage is a failure that time may cure.
type outage struct {
	what string
	err  error
	// after is how long the server asked us to wait; 0 when it did not say.
	after time.Duration
}

func (o *outage) Error() string { return o.err.Error() }
func (o *outage) Unwrap() error { return o.err }

// strange is an answer that brings nothing of the file that was begun: a login page, a
// refusal, a part of another file. It may be the word of the source, or of something on
// the way to it. So it costs nothing that was fetched.
type strange struct {
	what string
	// err is how the download ends when the answer is believed.
	err *steps.Error
	// from says whose answer it may be.
	from speaker
	// says is what the answer says: the same text is the same answer.
	says string
	// enough is how often the same word has to come before it is believed; 0 for
	// Limits.Faults.
	enough int
	// another says that the source has another file than before: when that is
	// believed, the download turns to that file and does not end.
	another bool
	// differs says that its bytes were seen to be others, and not only its headers.
	differs bool
	// unranged says that the source has no ranges: when that is believed, the download
	// asks for everything at once.
	unranged bool
}

// speaker is whose word a strange answer may be.
type speaker int

const (
	// theSource: the answer is one that the source gives when it means it (404, a file of
	// another size). It is believed at once by a download that has nothing yet, and by
	// another when it comes again and again.
	theSource speaker = iota
	// nobody: no source means that (a web page, bytes that are not HTTP). It is believed
	// when it comes again and again to a download that has nothing yet, which may have
	// been given a wrong URL. A download that has something knows that the URL was right.
	nobody
	// stranger: somebody else has answered (a proxy, a certificate of another name). It
	// ends a download that has nothing yet, and is never believed by another.
	stranger
)

func (s *strange) Error() string { return s.err.Error() }
func (s *strange) Unwrap() error { return s.err }

// unusable is an answer that no source means.
func unusable(what, format string, args ...any) *strange {
	return &strange{what: what, from: nobody, err: outlined(what, unavailable("", format, args...))}
}

// told is an answer that the source may mean.
func told(what string, err *steps.Error) *strange {
	return &strange{what: what, from: theSource, says: err.Err.Error(), err: outlined(what, err)}
}

// intruder is an answer of somebody else than the source.
func intruder(what string, err *steps.Error) *strange {
	return &strange{what: what, from: stranger, err: outlined(what, err)}
}

// outlined is an error that tells of an answer, with what may be told to anybody.
func outlined(what string, err *steps.Error) *steps.Error {
	if err.Outline == "" {
		err.Outline = what
	}
	return err
}

// unavailable is the error for a source that cannot give the bundle, now or later.
func unavailable(hint, format string, args ...any) *steps.Error {
	return &steps.Error{Class: steps.Unavailable, Code: steps.DownloadFailed, Err: fmt.Errorf(format, args...), Hint: hint}
}

// shrunk is the error for a local file that has become shorter: nobody is to be waited for.
func shrunk() *steps.Error {
	return unavailable("copy it there completely, and try again", "the file became shorter while it was read")
}

// refused is the error for a source that does not have the requested bundle.
func refused(code steps.Code, hint, format string, args ...any) *steps.Error {
	return &steps.Error{Class: steps.Refused, Code: code, Err: fmt.Errorf(format, args...), Hint: hint}
}

// classify turns an error of the HTTP client into one of these kinds. When a limit was
// exceeded, err only says that the request was cancelled, and the cause of ctx says why.
func classify(ctx context.Context, err error) error {
	var (
		final *steps.Error
		odd   *strange
		out   *outage
		web   *fetch.Error
		held  *fetch.Held
	)
	switch {
	case errors.As(err, &held):
		return &outage{what: heldBack, err: held}
	case errors.As(err, &odd):
		return odd
	case errors.As(err, &final):
		return final
	case errors.As(err, &web):
		return classifyWeb(web)
	case ctx.Err() != nil && errors.As(context.Cause(ctx), &out):
		return out
	case errors.As(err, &out):
		return out
	}
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err // the caller's message names the URL already
	}
	if what := networkFailure(err); what != "" {
		return &outage{what: what, err: err}
	}
	// The error may quote where a redirect leads, with the secrets of that URL.
	return unusable(malformedAnswer, "%s", source.Scrub(err.Error()))
}

// classifyWeb judges what is in the way of a request. Whoever runs the proxy or this
// device's files can correct them while the step waits, and a clock gets the right time.
func classifyWeb(e *fetch.Error) error {
	if e.Kind == fetch.Untrusted {
		return intruder(notTrusted, unavailable(e.Hint, "%w", e.Err))
	}
	return &outage{what: string(e.Kind), err: e}
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
	case errors.As(err, &dns) && dns.IsNotFound:
		return noSuchName
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
