package journal

import (
	"encoding/json"
	"time"

	"github.com/tope/updater/platform/versions"
)

// Phase says whether a record is written before an effect, after it, or about
// an observation.
type Phase string

// The phases of a record.
const (
	// Intent: an effect is about to happen. Written before it.
	Intent Phase = "intent"
	// Observed: this was found by looking at the world, mostly by recovery.
	Observed Phase = "observed"
	// Outcome: the result of an effect. Written after the effect is durable.
	Outcome Phase = "outcome"
)

// Record is one entry of the journal. Seq, Time, Mono, Boot and Sum are filled
// in by Append. Fields this program does not know are kept in the stored bytes
// and never called damage.
type Record struct {
	Seq uint64 `json:"seq"`
	// Time is the wall clock, Mono the time since boot: comparable only between
	// records of the same Boot.
	Time time.Time     `json:"time"`
	Mono time.Duration `json:"mono_ns"`
	Boot string        `json:"boot"`
	// Update is the id of the update; empty for a record about the device.
	Update  string `json:"update,omitempty"`
	Phase   Phase  `json:"phase"`
	Step    Step   `json:"step,omitempty"`
	Attempt int    `json:"attempt,omitempty"`
	// Trigger, From and To are set on the record that moves the state machine.
	Trigger Trigger `json:"trigger,omitempty"`
	From    State   `json:"from,omitempty"`
	To      State   `json:"to,omitempty"`
	// Progress is how far the step of From had come when that state was left, in
	// percent.
	Progress int `json:"progress,omitempty"`
	// Rule and Why are recovery's: which rule it applied, and why, in a sentence.
	Rule Rule   `json:"rule,omitempty"`
	Why  string `json:"why,omitempty"`
	// Took is how long the step ran, on outcomes.
	Took     time.Duration   `json:"took_ns,omitempty"`
	Evidence json.RawMessage `json:"evidence,omitempty"`
	Error    *Failure        `json:"error,omitempty"`

	// The fields below change more of the fold than the state; see Fold.

	// By is who asked for what the record tells: for the update that it opens, for its
	// install request, for its end, or for a release to leave the quarantine. Programs
	// before 0.10 have not recorded it.
	By *Asker `json:"by,omitempty"`

	// Accept opens an update.
	Accept *Accept `json:"accept,omitempty"`
	// Learn is merged into the update's release and, when set, its target.
	Learn *Learn `json:"learn,omitempty"`
	// Spend is a boot or a daemon start spent in the present state.
	Spend *Spend `json:"spend,omitempty"`
	// Stopped says that the updater ended in order while the update was open.
	Stopped *Stopped `json:"stopped,omitempty"`
	// Baseline is the gate's judgement of the version that ran before Switching.
	Baseline json.RawMessage `json:"baseline,omitempty"`
	// Findings are what the preflight found: []steps.Finding as JSON.
	Findings json.RawMessage `json:"findings,omitempty"`
	// Quarantine puts a release into quarantine. Unquarantine is the digest of one
	// that leaves it; its key is "release", which the format had first.
	Quarantine   *Quarantined `json:"quarantine,omitempty"`
	Unquarantine string       `json:"release,omitempty"`
	// Terminal marks the record whose To ends the update's story.
	Terminal bool `json:"terminal,omitempty"`
	// Closed says the clean-up after the terminal record is done.
	Closed bool `json:"closed,omitempty"`
	// Damage says that an earlier journal was damaged and what was lost.
	Damage *Damage `json:"damage,omitempty"`

	// EpochFloor raises the floor below which native bundles are refused.
	EpochFloor int64 `json:"epoch_floor,omitempty"`

	// SignedBy is the key that signed the release which the record commits. From then on
	// a device without keys takes nothing; see Signed.
	SignedBy string `json:"signed_by,omitempty"`
	// TrustForgotten says that root has let go of that; Why is theirs.
	TrustForgotten bool `json:"trust_forgotten,omitempty"`

	// Takeover is a change of the program that carries the update out: an intent
	// before it, an outcome when the other program has come up.
	Takeover *Takeover `json:"takeover,omitempty"`
	// Figures are how long starts and checks took, of a version that was committed or
	// gone back to.
	Figures []Figure `json:"figures,omitempty"`
	// Program says whether a committed version's updater has become the committed
	// one after all, when the clean-up could not do it.
	Program *Program `json:"program,omitempty"`

	// Upkeep is work between updates that somebody asked for and that is about to be
	// done: "prune", "factory create 1.0.0", "links".
	Upkeep string `json:"upkeep,omitempty"`

	// Repair says that recovery has set current because it led to no whole version.
	Repair *Repair `json:"repair,omitempty"`
	// Differs says that current leads to another version than the one on which the
	// journal left the device.
	Differs *Differs `json:"differs,omitempty"`

	// The fields below are a fleet's; fleet.go explains them.

	// Owed is what is to be told of this record; Told is what has become of that.
	Owed []Notice `json:"owed,omitempty"`
	Told *Told    `json:"told,omitempty"`
	// Remember replaces what a source has to remember.
	Remember *Remembered `json:"remember,omitempty"`
	// Refuse ends an offer that no update was opened for.
	Refuse *Refusal `json:"refuse,omitempty"`
	// Hold keeps offers from being installed; Unhold lets go of it. By is who.
	Hold   *Hold `json:"hold,omitempty"`
	Unhold bool  `json:"unhold,omitempty"`
	// Wait is why the update waits in Ready.
	Wait *Wait `json:"wait,omitempty"`
	// Trial puts the version that the record commits on probation, and Probed says how
	// far that is.
	Trial  *Trial  `json:"trial,omitempty"`
	Probed *Probed `json:"probed,omitempty"`
	// Acquit lets go of the Suspect: Why is the reason.
	Acquit bool `json:"acquit,omitempty"`

	// Sum is the chain: see Encode. It is stored beside the JSON, not in it.
	Sum string `json:"-"`
	// Raw is the payload as it is stored, byte for byte, with what this program
	// does not know. Set on records that were read.
	Raw []byte `json:"-"`
}

// Repair is a pointer that recovery has set without an update.
type Repair struct {
	// To is the version that current leads to since.
	To string `json:"to"`
}

// Differs is a device that is not as the journal left it.
type Differs struct {
	// Current is where current leads, Committed the version it should lead to.
	Current   string `json:"current"`
	Committed string `json:"committed"`
}

// Failure is an error as the journal keeps it.
type Failure struct {
	Code  string `json:"code"`
	Class string `json:"class"`
	// Text says what failed and what to do, in one line.
	Text string `json:"text"`
	// Details are what the line leaves out, in several lines; may be empty.
	Details string `json:"details,omitempty"`
	// Outline is Text for readers who must not learn what a server answered; empty when
	// Text says nothing of that.
	Outline string `json:"outline,omitempty"`
	// Late are the checks that only ran out of time, each with the time it had, when
	// nothing else failed.
	Late []Figure `json:"late,omitempty"`
}

// Figure is how long one thing took.
type Figure struct {
	Service string `json:"service"`
	// What is "start", or a check's kind and target.
	What string        `json:"what"`
	Took time.Duration `json:"took_ns"`
	// Version is the version it was seen of.
	Version string `json:"version,omitempty"`
	// Longest is the longest time ever seen, of any version; the fold sets it.
	Longest time.Duration `json:"longest_ns,omitempty"`
}

// Accept is what was asked for, and where the pointers were at that time.
type Accept struct {
	Kind Kind `json:"kind"`
	// Source is the bundle asked for (steps.Source as JSON), or absent.
	Source json.RawMessage   `json:"source,omitempty"`
	From   string            `json:"from"`
	To     string            `json:"to,omitempty"`
	Before versions.Pointers `json:"before"`
	// Hold makes the update wait in Ready for the install request.
	Hold bool `json:"hold,omitempty"`
	// Retry is set when the request asks to install a release in spite of its
	// quarantine.
	Retry bool `json:"retry,omitempty"`
	// Force is set when the request asks to install in spite of epoch and
	// expiry.
	Force bool `json:"force,omitempty"`
	// Origin is the offer that the update carries out; nil for a request of this device.
	Origin *Origin `json:"origin,omitempty"`
	// Reports says that whoever made the offer wants to be told how it goes.
	Reports bool `json:"reports,omitempty"`
	// Patience is how long an update with an Origin may wait in Ready.
	Patience time.Duration `json:"patience_ns,omitempty"`
	// Evicts is the release that an update of kind probation goes back from. Reach is set
	// when all that speaks against it is that the source could not be reached: then it is
	// not to blame until the version before has reached it.
	Evicts *Quarantined `json:"evicts,omitempty"`
	Reach  bool         `json:"reach,omitempty"`
	// Check ends the update where it would begin to switch. Hold is set with it, so
	// that a program which does not know Check stops in Ready.
	Check bool `json:"check,omitempty"`
}

// Learn is what a step learnt of the release.
type Learn struct {
	To       string   `json:"to,omitempty"`
	Digest   string   `json:"digest,omitempty"`
	Services []string `json:"services,omitempty"`
	// Proceed says that the install request for a held update has come. Its key is
	// "go", which the format had first.
	Proceed bool `json:"go,omitempty"`
}

// Spend is one boot or daemon start in a state from Switching on.
type Spend struct {
	// By is "recover" (the oneshot at boot), "daemon", or "takeover": a program
	// that is about to be replaced by another, whose start is then free.
	By string `json:"by"`
	// Cost is 1, or 0 for the daemon's start in a boot recover has counted, and
	// for a takeover.
	Cost int `json:"cost"`
	// Excused says that the start followed an end that is not evidence against the
	// release: the updater was stopped in order, or it was killed.
	Excused bool `json:"excused,omitempty"`
	// OutOfMemory is set with Excused when the kernel ended the updater because memory
	// was short.
	OutOfMemory bool `json:"out_of_memory,omitempty"`
}

// Stopped is an end of the updater in order. The start that follows it is excused.
type Stopped struct {
	// Trial is set when the program that ended was the version's own.
	Trial bool `json:"trial,omitempty"`
}

// Takeover is a program that takes the update over from another.
type Takeover struct {
	// Digest is the program's, "sha256:…".
	Digest string `json:"digest"`
	// Back is set when the committed program takes the update back from the
	// version's own.
	Back bool `json:"back,omitempty"`
}

// Program is the updater of a committed version.
type Program struct {
	Version string `json:"version"`
	// Owed is set while that updater is not the committed one yet.
	Owed bool `json:"owed,omitempty"`
}

// Quarantined is one release that is not to be tried again unasked.
type Quarantined struct {
	Version string    `json:"version"`
	Digest  string    `json:"digest"`
	Reason  string    `json:"reason"`
	Update  string    `json:"update"`
	Time    time.Time `json:"time"`
}

// Damage is a journal that was found damaged.
type Damage struct {
	// Kind is one of the Damaged… constants.
	Kind string `json:"kind"`
	// Kept is the path the damaged file was kept under; empty when there was
	// nothing to keep or the damage could be repaired in place.
	Kept string `json:"kept,omitempty"`
	// Text says what was found and what it means.
	Text string    `json:"text"`
	Time time.Time `json:"time"`
}
