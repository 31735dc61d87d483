package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/engine"
)

// memory is the engine's Memory: a small file beside the journal.
type memory struct {
	path string
	log  *slog.Logger
	told atomic.Bool // that it cannot be written
}

func (d *device) memory() (*memory, error) {
	path, err := d.root.Resolve(d.cfg.Paths.Shown())
	if err != nil {
		return nil, err
	}
	return &memory{path: path, log: d.log}, nil
}

// Recall implements engine.Memory.
func (m *memory) Recall() (engine.Shown, bool) {
	text, err := os.ReadFile(m.path)
	if err != nil {
		return engine.Shown{}, false
	}
	// The file begins with the newest text. The rest of a longer one may follow it.
	var s engine.Shown
	if json.NewDecoder(bytes.NewReader(text)).Decode(&s) != nil {
		return engine.Shown{}, false
	}
	return s, true
}

// Keep implements engine.Memory. It writes over the old text, within one block, and
// syncs nothing: a killed process leaves the old text or the new one. If the power goes,
// an older text may be there, or a torn one, which Recall does not read; the journal
// has all that counts.
func (m *memory) Keep(s engine.Shown) {
	text, err := json.Marshal(s)
	if err == nil {
		err = m.write(append(text, '\n'))
	}
	if err != nil && !m.told.Swap(true) {
		m.log.Warn("cannot remember what clients are told; progress may go back over a restart", "err", err)
	}
}

func (m *memory) write(text []byte) error {
	f, err := os.OpenFile(m.path, os.O_WRONLY|os.O_CREATE|unix.O_NOFOLLOW, 0o600) // errors tell what services printed, as in the journal
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(text, 0); err != nil {
		_ = f.Close() // the write has failed already
		return err
	}
	return f.Close()
}
