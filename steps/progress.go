package steps

import "sync/atomic"

// Notes keeps one small value for a step of an update, such as a download's
// checkpoint; each Save replaces it. The value survives power cuts from the moment
// Save returns, and is removed with the update. Each Save costs a journal transaction.
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

// SetNote says in a few words why the counters stand still, such as "waiting for the
// network"; "" removes the note.
func (m *Meter) SetNote(note string) { m.note.Store(&note) }

// Note returns the note that SetNote set last.
func (m *Meter) Note() string {
	if note := m.note.Load(); note != nil {
		return *note
	}
	return ""
}
