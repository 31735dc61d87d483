package journal

import (
	"log/slog"
	"time"

	"github.com/tope/updater/platform/clock"
)

// Defaults of Options.
const (
	DefaultKeepUpdates = 100
	DefaultPreallocate = 8 << 20
)

// Options are how a journal is opened. Clock is the only one that must be set,
// and only by Open.
type Options struct {
	// Clock stamps records.
	Clock clock.Clock
	// KeepUpdates is how many updates keep their records; 0 means
	// DefaultKeepUpdates. Fewer are kept when the file's size leaves no room.
	KeepUpdates int
	// Preallocate is the size the file is made with, and kept within as long as
	// the open update fits; 0 means DefaultPreallocate.
	Preallocate int64
	// Create allows Open to make a new journal where there is none, and in place
	// of a damaged one.
	Create bool
	// Verify makes Open read the whole file, and treat what Verify would find as
	// damage. For a start after ErrPoisoned, and when there is time.
	Verify bool
	// LockTimeout is how long to wait for another writer to release its lock; 0
	// means not to wait. It is real time, also when Clock is a fake. Those who only read are
	// waited for a second at most, whatever it says.
	LockTimeout time.Duration
	// Log gets a line for each repair and for work that is put off; nil means no
	// log.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.KeepUpdates <= 0 {
		o.KeepUpdates = DefaultKeepUpdates
	}
	if o.Preallocate <= 0 {
		o.Preallocate = DefaultPreallocate
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}
