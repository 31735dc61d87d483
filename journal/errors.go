package journal

import "errors"

// Errors callers branch on; match them with errors.Is.
var (
	// ErrMissing: there is no journal and Options.Create was not set.
	ErrMissing = errors.New("the journal does not exist")
	// ErrLocked: another process has the journal open for writing. Readers do not cause it.
	ErrLocked = errors.New("the journal is locked by another process")
	// ErrDamaged: the file is not a whole journal. From Open it means that the
	// file was left untouched; from a query, that the answer has all that can be
	// read.
	ErrDamaged = errors.New("the journal is damaged")
	// ErrPoisoned: a write failed, so the content of the disk is unknown. The journal
	// refuses everything but State and Close until it has been opened again.
	ErrPoisoned = errors.New("the outcome of a write to the journal is unknown")
	// ErrNotOpen: the update a note is for is not the open one.
	ErrNotOpen = errors.New("the update is not open")
	// ErrInvalid: a record that makes no sense. Nothing was written.
	ErrInvalid = errors.New("invalid record")
)

// The kinds of damage; Damage.Kind is one of these.
const (
	// DamagedMissing: the file that ought to be there is missing. This package
	// never reports it. Only its caller can, because only the caller knows that
	// the device had a journal.
	DamagedMissing = "missing"
	// DamagedRemoved: the file was deleted, or another took its place, while it was open.
	// Put back, with all its records.
	DamagedRemoved = "removed"
	// DamagedEmpty: the file has no bytes.
	DamagedEmpty = "empty"
	// DamagedShort: the file is shorter than the part that its header says is in
	// use.
	DamagedShort = "truncated"
	// DamagedHeader: the file's header is not a journal's.
	DamagedHeader = "header"
	// DamagedMeta: one of the two header pages was bad, so the newest
	// transaction may be missing. Repaired in place.
	DamagedMeta = "newest transaction"
	// DamagedPages: a page in use does not hold what it should.
	DamagedPages = "pages"
	// DamagedChain: a record does not follow from the one before it.
	DamagedChain = "chain"
	// DamagedSummary: the summary did not match the records. Rebuilt from them.
	DamagedSummary = "summary"
)

// flaw is one thing wrong with a journal file. It is an ErrDamaged.
type flaw struct {
	kind string
	text string
}

func (f *flaw) Error() string { return f.text }

func (f *flaw) Is(target error) bool { return target == ErrDamaged }

// kindOf names the damage in err, which must be an ErrDamaged.
func kindOf(err error) string {
	var f *flaw
	if errors.As(err, &f) {
		return f.kind
	}
	return DamagedPages
}
