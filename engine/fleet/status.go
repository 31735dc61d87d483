package fleet

import (
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
)

// Reason is one word for why an offer is not being installed.
type Reason string

// The reasons.
const (
	// Held: somebody holds offers back.
	Held Reason = "held"
	// ByPolicy: this device only downloads, or only asks.
	ByPolicy Reason = "policy"
	// BySource: its source does not want it to be installed yet.
	BySource Reason = "source"
	// Unheard: its source has not been heard since the updater was started.
	Unheard Reason = "unheard"
	// OutsideWindow: no maintenance window of this device is open.
	OutsideWindow Reason = "window"
	// NoClock: there are windows, and the clock is not set.
	NoClock Reason = "clock"
	// Busy: the device has better things to do.
	Busy Reason = "busy"
	// Thrifty: data costs, or is used up.
	Thrifty Reason = "data"
	// Failed: it failed a short time ago.
	Failed Reason = "failed"
	// Another: another update is in progress.
	Another Reason = "another"
)

// Status is how the device stands to its fleet: "fleet status --json" and GET
// /api/v2/fleet, field by field as documented there. Building one reads memory only.
type Status struct {
	Schema int `json:"schema"`
	// Source is the name of the source; empty when there is none: then nothing else is said.
	Source string `json:"source"`
	Place  string `json:"place,omitempty"`
	Policy Policy `json:"policy,omitempty"`
	// Text says in one line what is next, or why nothing is.
	Text string `json:"text"`
	// Offer is what is offered; nil when nothing is, or the source was not heard yet.
	Offer *OfferStatus `json:"offer,omitempty"`
	// Wait is why it is not being installed.
	Wait *journal.Wait `json:"wait,omitempty"`
	// Update is the one that carries an offer out; nil for none.
	Update *engine.UpdateStatus `json:"update,omitempty"`
	// Due is when an offer is to be expected.
	Due time.Time `json:"due,omitzero"`
	// Asked is when the source was asked last, Heard when it answered last, and Next when
	// it is asked next. Failure is why the last question has failed, after so many Tries.
	Asked   time.Time `json:"asked,omitzero"`
	Heard   time.Time `json:"heard,omitzero"`
	Next    time.Time `json:"next,omitzero"`
	Failure string    `json:"failure,omitempty"`
	Tries   int       `json:"tries,omitempty"`
	// Alarm is what somebody should look at.
	Alarm string `json:"alarm,omitempty"`
	// Details are for whoever compares devices.
	Details []string `json:"details,omitempty"`
	// Outbox is what is still to be told to the source, oldest first.
	Outbox []journal.Notice `json:"outbox"`
	// Untold is why it could not be told yet.
	Untold string `json:"untold,omitempty"`
	// Held is who holds offers back.
	Held *journal.Held `json:"held,omitempty"`
	// Probation is of the version that runs.
	Probation *ProbationStatus `json:"probation,omitempty"`
	// Ends has what became of the newest offers, the newest first.
	Ends []journal.OfferEnd `json:"ends,omitempty"`
}

// OfferStatus is an offer.
type OfferStatus struct {
	Action  string `json:"action"`
	Version string `json:"version,omitempty"`
	Digest  string `json:"digest,omitempty"`
	Text    string `json:"text"`
	Do      Do     `json:"do"`
	Forced  bool   `json:"forced,omitempty"`
}

// ProbationStatus is a version on probation.
type ProbationStatus struct {
	Version string `json:"version"`
	Back    string `json:"back"`
	// Left is how long it is still watched while the device runs.
	Left time.Duration `json:"left_ns"`
	// Doubt is what speaks against it at the moment.
	Doubt string `json:"doubt,omitempty"`
}

const shownEnds = 5

// Status tells how the device stands to its fleet. Safe for concurrent use.
func (l *Loop) Status() Status {
	l.mu.Lock()
	s := l.shown
	l.mu.Unlock()
	return StatusOf(l.cfg.Engine, s)
}

// Teller is what a status needs of *engine.Engine.
type Teller interface {
	Status() engine.Status
	Journal() *journal.Fold
}

// Idle is the status of a device that asks nobody, as far as the journal has something to
// tell.
func Idle(e Teller) Status {
	return StatusOf(e, Status{Schema: 1, Text: "this device asks nobody what to install: [fleet] has no source, or the policy \"none\""})
}

// StatusOf completes what the loop has shown by what the journal tells.
func StatusOf(e Teller, s Status) Status {
	f := e.Journal()
	s.Held, s.Outbox = f.Held, []journal.Notice{}
	if s.Held == nil && s.Wait != nil && s.Wait.Reason == string(Held) { // the loop is about to see that
		s.Wait, s.Text = nil, "offers are not held back any more"
	}
	if s.Held != nil && (s.Wait == nil || s.Wait.Reason != string(Held)) { // nothing waits for it, or the loop is about to see it
		s.Text += "; offers are held back: " + s.Held.Why
	}
	for _, n := range f.Outbox {
		if n.Origin != nil {
			s.Outbox = append(s.Outbox, n)
		}
	}
	for i := len(f.Offers) - 1; i >= 0 && len(s.Ends) < shownEnds; i-- {
		s.Ends = append(s.Ends, f.Offers[i])
	}
	if u := f.Open; u != nil && u.Origin != nil && !u.Terminal {
		s.Update = e.Status().Update
	}
	if p := f.Probation; p != nil {
		ps := ProbationStatus{Version: p.Version, Back: p.Back}
		if s.Probation != nil {
			ps = *s.Probation
		}
		if ps.Left == 0 {
			ps.Left = p.Lasts - p.Ran
		}
		s.Probation = &ps
	} else {
		s.Probation = nil
	}
	return s
}
