package download

import (
	"fmt"

	"github.com/tope/updater/steps"
)

// checkpoint is the download's note: how far the download is, and everything needed
// to go on from there. A reader may rely on this: the first Offset bytes of the part
// file are on disk, and Hash is the MD5's state after exactly these bytes, and SHA256, if
// it is there, that of the SHA-256. To keep
// that true, bytes are synced before the note is saved, and the note is set back
// before bytes that it covers are overwritten.
type checkpoint struct {
	Offset int64 `json:"offset"`
	// Total is the file's size as the server told it; -1 when it did not.
	Total int64 `json:"total"`
	states
	Mark mark `json:"mark"`
	// Type is the media type of the answer that began the file.
	Type string `json:"type,omitempty"`
	// Partial is set for a bundle of which only parts are fetched. Offset then counts
	// the bytes of these parts, and the states are empty.
	Partial *partialNote `json:"partial,omitempty"`
	// Single says that the link was good for one request. The next download asks for
	// everything at once.
	Single bool `json:"single,omitempty"`
	History
}

// states are those of the hashes.
type states struct {
	Hash   []byte `json:"hash,omitempty"`
	SHA256 []byte `json:"hash_sha256,omitempty"`
}

// mark tells one state of a published file from another.
type mark struct {
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"last_modified,omitempty"`
	// Strong is the validator that may stand in If-Range: a file with the same
	// validator is the same byte for byte. It is empty when there is none.
	Strong string `json:"strong,omitempty"`
}

// differs reports whether two marks are known to be of different states. A
// validator that is missing in one of them tells nothing.
func (m mark) differs(o mark) bool {
	if m.ETag != "" && o.ETag != "" {
		return m.ETag != o.ETag
	}
	return m.Modified != "" && o.Modified != "" && m.Modified != o.Modified
}

// load returns the note, or an empty note when there is none. It is of one update, and so
// of one URL, which it does not have: a URL may have secrets.
func load(notes steps.Notes) (checkpoint, error) {
	fresh := checkpoint{Total: unknown}
	var c checkpoint
	found, err := notes.Load(&c)
	switch {
	case err != nil:
		return fresh, fmt.Errorf("cannot read the download's checkpoint: %w", err)
	case !found || c.Offset < 0:
		return fresh, nil
	}
	return c, nil
}

// checkpoint makes the bytes so far durable, and then the note that covers them.
func (r *run) checkpoint() error {
	state, err := r.sink.sync()
	if err != nil {
		return err
	}
	// If the power goes here, the earlier note is on disk, and it is still true.
	return r.save(r.sink.offset, state)
}

func (r *run) save(offset int64, state states) error {
	r.note.Offset, r.note.states = offset, state
	if err := r.task.Notes.Save(r.note); err != nil {
		return fmt.Errorf("cannot save the download's checkpoint: %w", err)
	}
	r.noted, r.notedAt = offset, r.cfg.Clock.Monotonic()
	return nil
}
