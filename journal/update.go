package journal

import (
	"encoding/json"
	"time"

	"github.com/tope/updater/platform/versions"
)

// Fold is what all records together say: where the device stands. It is
// immutable: share it freely, never change it.
type Fold struct {
	// Seq and Sum are the newest record's.
	Seq uint64 `json:"seq"`
	Sum string `json:"sum"`
	// Open is the update that is not closed yet; nil when there is none.
	Open *Update `json:"open,omitempty"`
	// Last is the newest closed update.
	Last *Update `json:"last,omitempty"`
	// Quarantine lists releases not to be tried again, oldest first.
	Quarantine []Quarantined `json:"quarantine,omitempty"`
	// Counters counts updates by the terminal state they reached.
	Counters map[State]int64 `json:"counters,omitempty"`
	// Damage is the newest damage recorded; nil when there never was any.
	Damage *Damage `json:"damage,omitempty"`
	// EpochFloor is the highest epoch committed; kept for native bundles.
	EpochFloor int64 `json:"epoch_floor,omitempty"`
	// Signed is the newest signed release that was committed; nil when there is none,
	// or root has let go of it since. Forgotten is when and why root did; it is nil
	// again once another signed release is committed.
	Signed    *Signed    `json:"signed,omitempty"`
	Forgotten *Forgotten `json:"forgotten,omitempty"`
	// Committed is the version on which the journal last left the device: the one that was
	// committed last, or the one to which an update that failed has gone back; until there
	// is one, the version that an update has found and not changed.
	Committed string `json:"committed,omitempty"`
	// Repaired is the newest repair of current since the newest update was accepted.
	Repaired *Repaired `json:"repaired,omitempty"`
	// Differs is where current led when it was last noted that it does not lead to
	// Committed; empty when it did then.
	Differs string `json:"differs,omitempty"`
	// Figures has the newest figure of each thing that was seen, at most MaxFigures of
	// them; the newest come last.
	Figures []Figure `json:"figures,omitempty"`
	// OwedProgram is the committed version whose updater is still to become the
	// committed one; empty when none is.
	OwedProgram string `json:"owed_program,omitempty"`

	// Outbox is what is still to be told, oldest first.
	Outbox []Notice `json:"outbox,omitempty"`
	// Remembered is what each source has to remember, the one heard last at the end.
	Remembered []Remembered `json:"remembered,omitempty"`
	// Offers is what has become of offers, the newest at the end.
	Offers []OfferEnd `json:"offers,omitempty"`
	// Held is who holds offers back; nil for nobody. One with an end may be over.
	Held *Held `json:"held,omitempty"`
	// Probation is of the version that was committed last; nil when there is none.
	Probation *Probation `json:"probation,omitempty"`
	// Suspect is a release that the device has gone back from because the source could not
	// be reached. It is to blame if the version before reaches it at once; nil for none.
	Suspect *Suspect `json:"suspect,omitempty"`
}

// Signed is a committed release whose signature was checked: by Key, in an update.
type Signed struct {
	Version string    `json:"version"`
	Key     string    `json:"key"`
	Update  string    `json:"update"`
	Time    time.Time `json:"time"`
}

// Forgotten is when root let go of the signed releases, and why.
type Forgotten struct {
	Time time.Time `json:"time"`
	Why  string    `json:"why"`
}

// Repaired is a Repair, when it was made and why.
type Repaired struct {
	Time time.Time `json:"time"`
	To   string    `json:"to"`
	Why  string    `json:"why"`
}

// leftAt is the version on which an update that is over has left the device; empty when it
// did not know. One that has not touched the pointers has left it where it was: known, or,
// where the journal has no word of that yet, the version that it found. (That does not hold
// for one that ended because somebody had moved a pointer.)
func (u *Update) leftAt(known string) string {
	if u == nil || !u.Terminal {
		return ""
	}
	switch u.State {
	case "Committed":
		return u.To
	case "RolledBack":
		return u.Before.Current
	case "FellBack":
		return u.Before.Factory
	case "Failed", "Cancelled", "Checked":
		if known == "" && (u.Error == nil || u.Error.Code != "TARGET_UNUSABLE") {
			return u.Before.Current
		}
	}
	return ""
}

// Update is one update as the records tell it.
type Update struct {
	ID     string            `json:"id"`
	Kind   Kind              `json:"kind"`
	Source json.RawMessage   `json:"source,omitempty"`
	From   string            `json:"from"`
	To     string            `json:"to,omitempty"`
	Digest string            `json:"digest,omitempty"`
	Before versions.Pointers `json:"before"`
	Hold   bool              `json:"hold,omitempty"`
	Retry  bool              `json:"retry,omitempty"`
	Force  bool              `json:"force,omitempty"`
	// Check: the update ends where it would begin to switch.
	Check bool `json:"check,omitempty"`
	// By is who asked for it; nil when the program that accepted it did not record that.
	By *Asker `json:"by,omitempty"`
	// Services the release names beyond the configured ones.
	Services []string `json:"services,omitempty"`
	// Origin, Reports and Patience are as in Accept. Wait is why it waits in Ready.
	Origin   *Origin       `json:"origin,omitempty"`
	Reports  bool          `json:"reports,omitempty"`
	Patience time.Duration `json:"patience_ns,omitempty"`
	Wait     *Wait         `json:"wait,omitempty"`
	// Evicts and Reach are as in Accept.
	Evicts *Quarantined `json:"evicts,omitempty"`
	Reach  bool         `json:"reach,omitempty"`

	// State is where the machine stands; Step and Attempt are of the newest
	// intent (a step whose outcome is missing was interrupted).
	State   State `json:"state"`
	Step    Step  `json:"step,omitempty"`
	Attempt int   `json:"attempt,omitempty"`
	// Entered is when State was entered.
	Entered     time.Time     `json:"entered"`
	EnteredMono time.Duration `json:"entered_mono_ns"`
	EnteredBoot string        `json:"entered_boot"`
	// Entries tells when each state was last entered, by its name. The fold
	// sets it with every record that moves the state (the state now included).
	Entries map[State]Entry `json:"entries,omitempty"`
	// Reached is how far the step of each state that was left had come, in percent.
	Reached map[State]int `json:"reached,omitempty"`
	// IntentMono and IntentBoot are of the newest intent record.
	IntentMono time.Duration `json:"intent_mono_ns"`
	IntentBoot string        `json:"intent_boot"`

	// Spent counts boots and daemon starts spent in State; LastSpend is the
	// newest, with the boot it was in.
	Spent         int    `json:"spent,omitempty"`
	LastSpendBoot string `json:"last_spend_boot,omitempty"`
	LastSpendBy   string `json:"last_spend_by,omitempty"`
	// Excused counts the starts in State that are not evidence, OutOfMemory those of them
	// that followed a death for want of memory. Stopped is set while the newest end of the
	// updater is one in order.
	Excused     int  `json:"excused,omitempty"`
	OutOfMemory int  `json:"out_of_memory,omitempty"`
	Stopped     bool `json:"stopped,omitempty"`

	// Takeover is the newest attempt of the version's own program to take the
	// update over; nil when there was none, or it has handed it back.
	Takeover *Takeovers `json:"takeover,omitempty"`

	// Found has each step's newest successful evidence.
	Found    map[Step]json.RawMessage `json:"found,omitempty"`
	Baseline json.RawMessage          `json:"baseline,omitempty"`
	// Findings are the newest preflight's.
	Findings json.RawMessage `json:"findings,omitempty"`
	// Error is the newest failure: the reason when the update failed.
	Error *Failure `json:"error,omitempty"`
	// Cause is the first failure that made the update turn back.
	Cause *Failure `json:"cause,omitempty"`

	Accepted time.Time `json:"accepted"`
	// Span is the time from the acceptance to the newest record, or to the
	// terminal one, and Newest is when the newest record was written.
	Span
	Newest Instant `json:"newest,omitzero"`

	Terminal bool      `json:"terminal,omitempty"`
	Ended    time.Time `json:"ended,omitzero"`
	// EndedMono and EndedBoot are of the terminal record.
	EndedMono time.Duration `json:"ended_mono_ns,omitempty"`
	EndedBoot string        `json:"ended_boot,omitempty"`
	Closed    bool          `json:"closed,omitempty"`
	// EndOwed says that its end went into the outbox: a program that has none did not
	// write it.
	EndOwed  bool   `json:"end_owed,omitempty"`
	FirstSeq uint64 `json:"first_seq"`
	LastSeq  uint64 `json:"last_seq"`
}

// Takeovers counts attempts of a program to take an update over.
type Takeovers struct {
	// Digest is the program's.
	Digest string `json:"digest"`
	// Tries is how often it was begun in the boot Boot.
	Tries int    `json:"tries"`
	Boot  string `json:"boot"`
	// Up says that the program came up, the last time it was begun.
	Up bool `json:"up,omitempty"`
}

// Entry is when a state was entered, by a clock that can be compared within one
// boot.
type Entry struct {
	Boot string        `json:"boot"`
	Mono time.Duration `json:"mono_ns"`
}
