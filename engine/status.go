package engine

import (
	"time"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// Status is what the device tells of itself: status --json and GET
// /api/v2/status, field by field as documented there. Building one reads memory
// only, never a disk.
type Status struct {
	Schema     int                   `json:"schema"`
	State      State                 `json:"state"`
	Update     *UpdateStatus         `json:"update"`
	Last       *UpdateStatus         `json:"last"`
	Pointers   versions.Pointers     `json:"pointers"`
	Quarantine []journal.Quarantined `json:"quarantine"`
	Journal    JournalStatus         `json:"journal"`
	Trust      string                `json:"trust"`
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
	Hold    bool         `json:"hold"`
	Step    journal.Step `json:"step"`
	Attempt int          `json:"attempt"`
	Bytes   int64        `json:"bytes"`
	Total   int64        `json:"total"`
	// Progress is the step's, 0 to 100; it never goes back within a state.
	Progress int `json:"progress"`
	// Note says why the step stands still at the moment, such as an outage it
	// waits out; absent when all is well.
	Note string `json:"note,omitempty"`
	// Wire tells what a signed bundle cost; absent until it is known.
	Wire     *steps.Wire  `json:"wire,omitempty"`
	Error    *ErrorStatus `json:"error"`
	Accepted time.Time    `json:"accepted"`
	Ended    time.Time    `json:"ended,omitzero"`
	// SinceEnd is how long ago the update ended, by the monotonic clock within
	// one boot and by the wall clock across boots; it serves the legacy API's 65 s.
	SinceEnd time.Duration `json:"-"`
	// Cause is the failure that made the update turn back, if it did.
	Cause *ErrorStatus `json:"cause,omitempty"`
}

// ErrorStatus is a failure as clients see it.
type ErrorStatus struct {
	Code  string `json:"code"`
	Class string `json:"class"`
	Text  string `json:"text"`
}

// JournalStatus is the journal's part of a Status.
type JournalStatus struct {
	Seq     uint64 `json:"seq"`
	Damaged bool   `json:"damaged"`
}
