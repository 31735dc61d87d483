package ddi

import (
	"errors"
	"net/http"
	"time"
)

// Kind says what a failure means for whoever asked.
type Kind string

// The kinds of Error.
const (
	// Outage: no answer of the server, or none that can be relied on: ask again later.
	Outage Kind = "outage"
	// Denied (401, 403): the server does not take who we are. It is an outage that a
	// person has to end. So it is when the device has no token that it could show.
	Denied Kind = "denied"
	// Gone (410): the action is over, and the server has what it wanted to hear.
	Gone Kind = "gone"
	// Unknown (404): the server knows this device, and not the action; or the action still
	// waits to be confirmed.
	Unknown Kind = "unknown"
	// Refused (400 and other 4xx): the same request will be refused again.
	Refused Kind = "refused"
	// Quota (429, tooManyEntries): the action has all the entries that it may have.
	Quota Kind = "quota"
	// Elsewhere: a link of the server leads to another one. A person has to correct the
	// server, or to allow it.
	Elsewhere Kind = "elsewhere"
)

// Error is why a request has failed. It has no secret in it.
type Error struct {
	Kind Kind
	// What says in one line what was asked, of whom, and what came of it.
	What string
	// Status is the answer's; 0 for none. Code is hawkBit's errorCode, or empty.
	Status int
	Code   string
	// Wait is how long the server asks to be left alone, a day at most; 0 when it does not.
	Wait time.Duration
	// Err is why there was no answer; nil when there was one.
	Err error
}

func (e *Error) Error() string { return e.What }
func (e *Error) Unwrap() error { return e.Err }

// Verdict is what becomes of something that was to be told.
type Verdict string

// The verdicts.
const (
	// Delivered: the server has it, or has ended without it.
	Delivered Verdict = "delivered"
	// Never: the server will not have it, however often it is told. It is dropped, with a word.
	Never Verdict = "never"
	// Later: it is told again.
	Later Verdict = "later"
)

// Judge is the verdict on what a method that tells something has returned.
func Judge(err error) Verdict {
	var e *Error
	switch {
	case err == nil:
		return Delivered
	case !errors.As(err, &e):
		return Later
	}
	switch e.Kind {
	case Gone:
		return Delivered
	case Unknown, Refused, Quota:
		return Never
	}
	return Later
}

// tooManyEntries is hawkBit's errorCode for a quota that is used up. Its limit of
// requests a second has the same status, without it.
const tooManyEntries = "hawkbit.server.error.quota.tooManyEntries"

// kindOf is the kind of an answer of the server's own that is not a success.
func kindOf(status int, code string) Kind {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return Denied
	case http.StatusNotFound:
		return Unknown
	case http.StatusGone:
		return Gone
	case http.StatusTooManyRequests:
		if code == tooManyEntries {
			return Quota
		}
		return Outage
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusProxyAuthRequired:
		return Outage
	}
	if status >= 400 && status < 500 {
		return Refused
	}
	return Outage
}
