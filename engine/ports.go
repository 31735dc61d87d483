package engine

import (
	"context"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

// Journal has the methods of journal.Journal that the engine needs.
type Journal interface {
	State() *journal.Fold
	Append(recs ...journal.Record) (*journal.Fold, error)
	Note(update, step string, v []byte) error
	ReadNote(update, step string) ([]byte, error)
}

// notebook is the part of the journal that a step may write by itself.
type notebook interface {
	Note(update, step string, v []byte) error
	ReadNote(update, step string) ([]byte, error)
}

// Versions is the engine's own work on the versions directory; its steps do
// more. *versions.Store implements it. Every method that changes something is
// durable when it returns and may be called again after a cut.
type Versions interface {
	// Store is read by package look: recovery sees the same as the doctor.
	look.Store
	Point(pointer, version string) error
	Unpoint(pointer string) error
	Mark(old string) error
	Unmark() error
	// Sync makes the pointers and the marker durable as they are.
	Sync() error
	EnsureLinks(version string) (added []string, err error)
	// Digest is the digest in the version's manifest; empty when it has none.
	Digest(version string) (string, error)
	// Epoch is the epoch in the version's manifest; 0 when it has none.
	Epoch(version string) (int64, error)
	// SignedBy is the key in the version's manifest that signed its release; empty when
	// it has none.
	SignedBy(version string) (string, error)
}

// Keeper removes the things that no update needs any more: stagings, trash,
// work directories, old versions, stale links. It is called when an update is
// over and at every daemon start without one; it must keep what Needs names.
type Keeper interface {
	// WorkDir is the path of the update's own directory.
	WorkDir(update string) string
	// MakeWorkDir makes that directory, durably. Updates that bring a bundle ask
	// for it, before Switching. An update that only moves pointers does not: it
	// must work on a full disk.
	MakeWorkDir(update string) error
	// DropWorkDir removes it, to make room for going back.
	DropWorkDir(update string) error
	// KeepSource keeps, durably, the URL of an update that is about to be accepted, with
	// its secrets: the journal has none. It goes with the update's directory.
	KeepSource(update string, url source.URL) error
	// Source returns what KeepSource has kept. Without it the error matches fs.ErrNotExist.
	Source(update string) (source.URL, error)
	// Tidy returns the names of all that it removed. When something cannot be
	// removed it goes on, and returns that error.
	Tidy(ctx context.Context, n Needs) ([]string, error)
}

// Needs names the things that Tidy must keep.
type Needs struct {
	// Update is the open update's id; empty when there is none.
	Update string
	// Next is the id of an update that waits to be accepted; empty when there is none.
	Next string
	// Versions are needed in addition to those that the pointers lead to.
	Versions []string
}

// Gate tells, with nothing touched yet, what a switch to the task's target would meet:
// how the running version is, which is the baseline that a rollback has to regain, and
// what would keep services from running. Findings are not an error:
// steps.Refusal judges them.
type Gate interface {
	Preflight(ctx context.Context, t *steps.Task) (steps.Preflight, error)
}

// Starter starts the services that do not run, as far as it can: on a device
// that needs attention, as many as possible should run.
type Starter interface {
	StartAll(ctx context.Context, t *steps.Task) error
	// StartAgain is StartAll for an updater that ends in order. It starts nothing
	// while the system goes down, or is brought to a rescue shell.
	StartAgain(ctx context.Context, t *steps.Task) error
}

// Data is what services write, as far as a version asks to find it as it was when
// the device goes back. Its methods are durable and may be called again.
type Data interface {
	// Owes reports whether Switch has work to do before current may move from
	// one version to the other. Switch notes steps.Prepared when that work is done.
	Owes(from, to string) (bool, error)
	// Pending lists the data still to be put back when the update is turned back.
	Pending(update string) ([]string, error)
	// Restore puts it back, by renames only. It returns evidence.
	Restore(update string) (any, error)
	// Sync makes durable what was put back.
	Sync(update string) error
}

// Program is the updater itself, as a file: in the versions that carry one, and
// as the committed copy outside them.
type Program interface {
	// Running is the digest of the program that runs.
	Running() (string, error)
	// Successor is the program that has to judge and commit a version: the
	// version's own, when it carries one that is not running. It is nil when
	// this program is the right one. An error that is Unhealthy says that the
	// version's own cannot be run.
	Successor(ctx context.Context, version string) (next *Successor, err error)
	// Committed is the committed copy, when another program runs. It is nil when
	// this process cannot be replaced by that copy, or need not be.
	Committed() (*Successor, error)
	// Adopt makes the version's own updater the committed copy, durably; false
	// when there was nothing to do. If the power goes meanwhile the committed copy
	// is the old one or the new one, whole.
	Adopt(version string) (bool, error)
}

// Successor is a program that can go on in this one's place.
type Successor struct {
	Path, Digest string
	// Able is set when this process can be replaced by it: a supervisor watches
	// the process, and starts the committed copy when it dies.
	Able bool
}
