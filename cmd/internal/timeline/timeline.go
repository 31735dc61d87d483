// Package timeline tells what the journal holds, for a tired person at 3 a.m.:
// what was tried, how far it got, what was interrupted, what recovery saw,
// which rule it applied and why, and how long each step took.
//
// It is pure: Build turns records into chapters of entries, one chapter an
// update (and one for each run of records about the device itself), and Write
// turns those into text. The JSON of a Timeline is what `journal show --json`
// prints, so text and JSON cannot differ in what they say.
//
// Only this package concludes facts that no record states outright: an intent
// without an outcome was interrupted, by a reboot when the next record bears
// another boot id, else by the end of the process.
package timeline

import (
	"encoding/json"
	"time"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
)

// Timeline is the story of some records.
type Timeline struct {
	Schema   int       `json:"schema"`
	Chapters []Chapter `json:"chapters"`
}

// Chapter is one update, or consecutive records about the device.
type Chapter struct {
	// Update is the update's id; empty for a chapter about the device.
	Update string `json:"update,omitempty"`
	Kind   string `json:"kind,omitempty"`
	// Source is the bundle that was asked for: a URL or a path.
	Source string            `json:"source,omitempty"`
	From   string            `json:"from,omitempty"`
	To     string            `json:"to,omitempty"`
	Before versions.Pointers `json:"before,omitzero"`
	// State is where the update stands at the end of the records.
	State    string           `json:"state,omitempty"`
	Terminal bool             `json:"terminal"`
	Error    *journal.Failure `json:"error,omitempty"`
	Started  time.Time        `json:"started"`
	// Span is the time from the first record to the terminal one, or to the newest.
	journal.Span
	// Interruptions counts how often the update was cut short.
	Interruptions int     `json:"interruptions"`
	Entries       []Entry `json:"entries"`
}

// What is the kind of an entry.
type What string

// The kinds of entry.
const (
	Asked       What = "asked"          // a request was accepted
	Upkeep      What = "upkeep"         // work between updates was asked for
	Entered     What = "entered"        // the machine moved to a state
	Began       What = "began"          // a step's intent was written
	Done        What = "done"           // the step succeeded
	Failed      What = "failed"         // the step, or the update, failed
	Interrupted What = "interrupted"    // the step was cut: concluded, not recorded
	Unfinished  What = "unfinished"     // the newest intent has no outcome yet: concluded
	Rebooted    What = "rebooted"       // another boot begins here: concluded
	ClockSet    What = "clock set"      // the wall clock jumped: concluded
	Saw         What = "saw"            // recovery, or a gate, looked at the world
	Rule        What = "rule"           // recovery decided
	Spent       What = "spent"          // a boot or daemon start was counted
	TookOver    What = "took over"      // another program carries the update out
	Learnt      What = "learnt"         // what the release turned out to be
	Baseline    What = "baseline"       // the gate's word on the old version
	Refused     What = "refused"        // the preflight found what would fail
	Warned      What = "warned"         // it found what may fail
	Quarantined What = "quarantined"    // the release is not to be tried again unasked
	Released    What = "released"       // it may be
	Forgotten   What = "forgotten"      // the signed releases are let go of
	Damaged     What = "damaged"        // an earlier journal was damaged
	TurnedDown  What = "turned down"    // an offer was not taken
	Waits       What = "waits"          // an update waits before it is installed: why
	Held        What = "held"           // somebody holds offers back
	Unheld      What = "let go"         // nobody does any more
	OnProbation What = "on probation"   // a version is, or how far it is
	Probed      What = "probation over" // it is not any more
	Acquitted   What = "acquitted"      // a release that was suspected is not to blame
	Remembered  What = "remembered"     // what a source has to know of earlier answers
	Owes        What = "owes"           // somebody outside is to be told
	Told        What = "told"           // and was
	Never       What = "never"          // and will never be: why
	Closed      What = "closed"         // the clean-up is done
)

// Entry is one line of the story.
type Entry struct {
	// Seq is the record the entry comes from; conclusions bear the seq of the
	// record that led to them.
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
	Boot string    `json:"boot"`
	// Since is the time since the chapter's first record, by the monotonic
	// clock within a boot.
	Since time.Duration `json:"since_ns"`
	What  What          `json:"what"`
	State string        `json:"state,omitempty"`
	// Trigger is the move of the machine that an entry, or its failure, made.
	Trigger string        `json:"trigger,omitempty"`
	Step    string        `json:"step,omitempty"`
	Attempt int           `json:"attempt,omitempty"`
	Took    time.Duration `json:"took_ns,omitempty"`
	// Text is the entry in a sentence.
	Text string `json:"text,omitempty"`
	Why  string `json:"why,omitempty"`
	// By is who asked for what the entry tells.
	By       *journal.Asker   `json:"by,omitempty"`
	Evidence json.RawMessage  `json:"evidence,omitempty"`
	Error    *journal.Failure `json:"error,omitempty"`
}
