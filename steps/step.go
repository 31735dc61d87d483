package steps

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/tope/updater/platform/versions"
)

// Name is a step's name, as the journal and the API write it.
type Name string

// The ten steps.
const (
	Download    Name = "Download"
	Verify      Name = "Verify"
	Extract     Name = "Extract"
	Stage       Name = "Stage"
	Switch      Name = "Switch"
	Restart     Name = "Restart"
	HealthCheck Name = "HealthCheck"
	Commit      Name = "Commit"
	Rollback    Name = "Rollback"
	Factory     Name = "Factory"
)

// Reach is how far a probe found a step to have got.
type Reach string

// What Probe answers.
const (
	// NotStarted: nothing of this step's work is there.
	NotStarted Reach = "not started"
	// Partly: some of it is; Do goes on from there or begins again, as it sees fit.
	Partly Reach = "partly done"
	// Done: all of it is there and durable; Do would change nothing.
	Done Reach = "done"
)

// Step is one unit of work of an update. See the package comment.
type Step interface {
	Probe(ctx context.Context, t *Task) (Reach, error)
	Do(ctx context.Context, t *Task) (Outcome, error)
	Undo(ctx context.Context, t *Task) error
}

// Kind is what an update is for.
type Kind string

// The kinds of update.
const (
	// Install brings a release from a bundle.
	Install Kind = "install"
	// ByHand goes to an installed version (rollback, rollback --to).
	ByHand Kind = "rollback"
	// Restore goes to the factory version (factory restore).
	Restore Kind = "factory"
	// Recovered is an update whose journal was lost; only its gate is owed.
	Recovered Kind = "recovered"
)

// Source is the bundle as it was asked for.
type Source struct {
	// URL is http, https or file; a bare absolute path is a local file.
	URL string `json:"url,omitempty"`
	// Name is the bundle's file name, for people and for the legacy API.
	Name string `json:"name,omitempty"`
	// Size is the declared size in bytes; 0 when it was not declared.
	Size int64 `json:"size,omitempty"`
	// MD5 is the declared digest, 32 lower-case hex digits; empty when it was not declared.
	MD5 string `json:"md5,omitempty"`
	// Version is the declared version; empty when the bundle's own counts.
	Version string `json:"version,omitempty"`
}

// Release is what a step has learnt of the release: Download its digest,
// Verify the rest. Fields a step leaves zero keep what an earlier one said.
type Release struct {
	// Version is the release's version, without "v".
	Version string `json:"version,omitempty"`
	// Digest names the release in the quarantine and in its version's
	// manifest: "md5:…" for a legacy package.
	Digest string `json:"digest,omitempty"`
	// Services are services the release names beyond the configured ones, in
	// the order they are to be started.
	Services []string `json:"services,omitempty"`
}

// Task is what the engine tells a step. It is made anew for each run; the step
// may read all of it and must not keep it.
type Task struct {
	// Update is the update's id: letters, digits and dashes.
	Update string
	Kind   Kind
	Source Source
	// Release is what earlier steps have learnt.
	Release Release
	// Before is where the pointers were when the update was accepted.
	Before versions.Pointers
	// Target is where this run takes current and previous: forwards for an
	// update, to Before for Rollback, to the factory's version for Factory.
	Target versions.Pointers
	// Back is set when Target is undone rather than reached: current goes
	// before previous, and the gate asks for the baseline only.
	Back bool
	// Attempt counts from 1.
	Attempt int
	// WorkDir is the update's own directory below the state directory, as a
	// host path. It exists when a step before Switch is run, survives power
	// cuts, and goes with the update.
	WorkDir string
	// Found has the evidence of steps that succeeded, by name.
	Found map[Name]json.RawMessage
	// Baseline is what the gate said of the version that ran before Switching.
	Baseline json.RawMessage
	// Since is the moment from which on a main process counts as started after
	// the flip. Any process of another boot does.
	Since Moment
	// EpochFloor is the highest epoch this device has committed: no release of a
	// lower one is installed, unless Force says so.
	EpochFloor int64
	Force      bool
	// Accept asks the engine whether a release that the step has learnt of, and
	// not returned yet, may go on: quarantine, already current. nil accepts all.
	Accept func(Release) error
	// Meter is where the step shows its progress. Never nil.
	Meter *Meter
	// Notes keeps a small checkpoint of this step durable. Never nil.
	Notes Notes
	// Units keeps, durably and for all steps of the update, which units ran
	// beside the services (Companions). nil keeps nothing.
	Units Notes
}

// Outcome is what Do leaves behind in the journal.
type Outcome struct {
	// Evidence is marshalled to JSON; nil for none.
	Evidence any
	// Release is merged into the update's.
	Release Release
}

// Moment is a point in time, comparable with another of the same boot.
type Moment struct {
	Boot string        `json:"boot"`
	Mono time.Duration `json:"mono_ns"`
}

// Notes keeps one small value for a step of an update, overwritten in place:
// a download's checkpoint. It survives power cuts from the moment Save returns,
// and goes with the update. Each Save costs a journal transaction.
type Notes interface {
	Load(v any) (bool, error)
	Save(v any) error
}

// Meter is a step's live progress: two counters and a note that the HTTP layer
// reads without touching the disk. Safe for concurrent use.
type Meter struct {
	done, total atomic.Int64
	note        atomic.Pointer[string]
}

// Set sets bytes done so far and the total; total 0 means unknown.
func (m *Meter) Set(done, total int64) { m.total.Store(total); m.done.Store(done) }

// Add counts n more bytes as done.
func (m *Meter) Add(n int64) { m.done.Add(n) }

// Read returns bytes done so far and the total.
func (m *Meter) Read() (done, total int64) { return m.done.Load(), m.total.Load() }

// SetNote says in a few words why the counters stand still, such as an outage
// that is being waited out; "" takes it back.
func (m *Meter) SetNote(note string) { m.note.Store(&note) }

// Note returns what SetNote said last.
func (m *Meter) Note() string {
	if note := m.note.Load(); note != nil {
		return *note
	}
	return ""
}
