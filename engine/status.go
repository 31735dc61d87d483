package engine

import (
	"time"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// Status is what the device tells of itself: status --json and GET
// /api/v2/status, field by field as documented there, but for what is looked at now
// (httpapi.Status). Building one reads memory only, never a disk.
type Status struct {
	Schema   int               `json:"schema"`
	State    State             `json:"state"`
	Update   *UpdateStatus     `json:"update"`
	Last     *UpdateStatus     `json:"last"`
	Pointers versions.Pointers `json:"pointers"`
	// Committed is the version on which the journal last left the device. When current
	// leads elsewhere, somebody or something else has moved it.
	Committed string `json:"committed,omitempty"`
	// Repaired tells of a repair of current since the newest update was accepted.
	Repaired *journal.Repaired `json:"repaired,omitempty"`
	// Quarantine has the newest entries, oldest first, and Quarantined is how many
	// there are in all: see Engine.Quarantine.
	Quarantine  []journal.Quarantined `json:"quarantine"`
	Quarantined int                   `json:"quarantined"`
	Journal     JournalStatus         `json:"journal"`
	Trust       string                `json:"trust"`
	// Replacing says that the update shown has made room for a newer request, which
	// is accepted as soon as the update is cleaned up.
	Replacing bool `json:"-"`
}

// UpdateStatus is one update in a Status.
type UpdateStatus struct {
	ID    string       `json:"id"`
	Kind  journal.Kind `json:"kind"`
	From  string       `json:"from"`
	To    string       `json:"to"`
	State State        `json:"state"`
	// Hold says that the update waits, or will wait, in Ready for an install
	// request, which has not come yet.
	Hold bool `json:"hold"`
	// Check says that the update only tries whether the release fits.
	Check bool `json:"check,omitempty"`
	// By is who asked for the update; absent when the journal does not tell.
	By      *journal.Asker `json:"by,omitempty"`
	Step    journal.Step   `json:"step"`
	Attempt int            `json:"attempt"`
	Bytes   int64          `json:"bytes"`
	Total   int64          `json:"total"`
	// Progress is the step's, 0 to 100. For one update it never goes back within a
	// state, over restarts of the updater too. An update that is over keeps the
	// progress of the step that it ended in.
	Progress int `json:"progress"`
	// Reached is how far the steps of the states that the update has left had come,
	// in percent.
	Reached map[State]int `json:"-"`
	// Note says why the step stands still at the moment, such as an outage it
	// waits out; absent when all is well. Pause is the same in parts.
	Note  string `json:"note,omitempty"`
	Pause *Pause `json:"-"`
	// Wire tells what a signed bundle cost; absent until it is known.
	Wire     *steps.Wire  `json:"wire,omitempty"`
	Error    *ErrorStatus `json:"error"`
	Accepted time.Time    `json:"accepted"`
	Ended    time.Time    `json:"ended,omitzero"`
	// Span is how long the update has taken up to its newest record, or took.
	journal.Span
	// SinceEnd is how long ago the update ended (journal.Instant.Until); it serves
	// the legacy API's 65 s.
	SinceEnd time.Duration `json:"-"`
	// Cause is the failure that made the update turn back, if it did.
	Cause *ErrorStatus `json:"cause,omitempty"`
	// Findings are the preflight's; absent until it was asked, and when it found nothing.
	Findings []steps.Finding `json:"findings,omitempty"`
}

// Pause is what the step of an update waits for between two tries. From the first
// failure until the step gets on again there is one.
type Pause struct {
	Why string
	// Outline is Why, and Note the update's Note, without what a server answered; empty
	// when they say nothing of that.
	Outline, Note string
	// Next is the time until the next try; 0 while one is made.
	Next time.Duration
}

// ErrorStatus is a failure as clients see it.
type ErrorStatus struct {
	Code  string `json:"code"`
	Class string `json:"class"`
	// Text says what failed and what to do, in one line; Details are what the line
	// leaves out, in several lines.
	Text    string `json:"text"`
	Details string `json:"details,omitempty"`
	// Outline is Text without what a server answered; empty when Text says nothing of that.
	Outline string `json:"outline,omitempty"`
}

// Outlined is the status for readers who must not learn what a server answered or what a
// file has that they could not read themselves: an update may be asked for to find out.
func (u *UpdateStatus) Outlined() *UpdateStatus {
	if u == nil {
		return nil
	}
	shown := *u
	shown.Error, shown.Cause = u.Error.outlined(), u.Cause.outlined()
	if p := u.Pause; p != nil && p.Outline != "" {
		shown.Note, shown.Pause = p.Note, &Pause{Why: p.Outline, Next: p.Next}
	}
	return &shown
}

func (e *ErrorStatus) outlined() *ErrorStatus {
	if e == nil || e.Outline == "" {
		return e
	}
	return &ErrorStatus{Code: e.Code, Class: e.Class, Text: e.Outline}
}

// JournalStatus is the journal's part of a Status.
type JournalStatus struct {
	Seq     uint64 `json:"seq"`
	Damaged bool   `json:"damaged"`
}
