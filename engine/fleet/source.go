package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// Offer is a release that a source wants this device to install.
type Offer struct {
	// Origin names it: the same Origin is the same offer.
	Origin journal.Origin
	// Source is the bundle. Its Credential is the source's name, never a secret.
	Source steps.Source
	// Version is what the source calls the release; it may be empty.
	Version string
	// Text says in one line for people what is offered.
	Text string
	// Unfit says why this device cannot take it, in words for the source's people; empty
	// when it can.
	Unfit string
	// Do is what may be done with it now.
	Do Do
	// Forced: the device's own windows, its veto and its data budget do not put it off.
	Forced bool
	// Window says that the source's own maintenance window is shut.
	Window bool
}

// Do is how far an offer may be carried out.
type Do string

// The ways.
const (
	// Ask: the source waits for a word before it offers the release: Confirm.
	Ask Do = "ask"
	// Fetch: download it and wait. Install: that, and install it.
	Fetch   Do = "fetch"
	Install Do = "install"
)

// Question is what a source may need to know of the device when it is asked.
type Question struct {
	// Version is what runs; empty before the first installation.
	Version string
	// Accepted is the offer of this source whose update is open and has not begun to
	// switch; nil for none.
	Accepted *journal.Origin
	// Quarantined has why releases failed on this device before, by digest.
	Quarantined map[string]string
	// Facts are those of the newest Answer that had any; nil for none.
	Facts json.RawMessage
	// Clock is the device's wall clock. It may be wrong.
	Clock time.Time
	// Uptime is how long the device has been running.
	Uptime time.Duration
}

// Answer is what a source has for this device.
type Answer struct {
	// Facts are what the source has to remember of this answer. They are durable before
	// anything else of it is acted upon. nil: nothing has changed. They count even when
	// there is an error beside the Answer.
	Facts json.RawMessage
	// Offer is nil when there is nothing to install.
	Offer *Offer
	// Cancel is an offer that is not to be carried out any more; nil for none.
	Cancel *journal.Origin
	// CancelWhy says why, for people.
	CancelWhy string
	// Identify: the source wants to be told the attributes.
	Identify bool
	// Text says in one line for people what the answer is: why there is no offer.
	Text string
	// Due is when an offer is to be expected; zero when that is not known.
	Due time.Time
	// Next is how long the source wants to be left alone; 0 leaves that to the device.
	Next time.Duration
	// Alarm is what somebody should look at; empty for nothing.
	Alarm string
	// Details are for whoever compares devices, in order: "serial 42", "digest sha256:…".
	Details []string
}

// Source offers releases to this device, and may want to be told what becomes of them.
// The loop calls one method at a time. A method ends when ctx does. Errors have no secret
// in them, and are one line for people.
//
// An error that wraps a *Wait says how long the source asks to be left alone.
type Source interface {
	// Name is the source's on this device, such as "channel stable" or "hawkbit". It goes
	// into the journal.
	Name() string
	// Place is where it is, for people: a URL without secrets.
	Place() string
	// Listens reports whether Tell tells anybody.
	Listens() bool
	// Ask changes nothing at the source and may be called at any time.
	Ask(ctx context.Context, q Question) (Answer, error)
	// Identify tells the device's attributes.
	Identify(ctx context.Context, attributes map[string]string) error
	// Confirm answers an offer with Do Ask: yes, or why not now.
	Confirm(ctx context.Context, o journal.Origin, yes bool, why string) error
	// Uncancel tells that a cancelled offer is carried out all the same: why. The end is
	// told later.
	Uncancel(ctx context.Context, o journal.Origin, why string) error
	// Tell tells one notice of the outbox. nil: it was delivered, or is known already.
	// ErrNever: it never will be, so that it is dropped with a word. Any other error: later.
	Tell(ctx context.Context, n journal.Notice) error
}

// ErrNever is of a notice that its recipient will never take.
var ErrNever = errors.New("it will never be taken")

// ErrHeard is of a question that has failed although somebody has answered: the device is not cut off.
var ErrHeard = errors.New("somebody has answered")

// Heard makes an error an ErrHeard, and says the same.
func Heard(err error) error { return heard{err} }

type heard struct{ error }

func (h heard) Is(target error) bool { return target == ErrHeard }
func (h heard) Unwrap() error        { return h.error }

// Wait is an error of a source that asks to be left alone.
type Wait struct {
	For time.Duration
	Err error
}

func (w *Wait) Error() string { return w.Err.Error() }
func (w *Wait) Unwrap() error { return w.Err }
