package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/tope/updater/platform/service"
)

// record is the state file: what the next manager has to know. Fields are only
// ever added, so that an older updater can read a newer one's.
type record struct {
	Schema int `json:"schema"`
	// Boot is the boot the rest belongs to (clock.Clock's Boot).
	Boot string `json:"boot"`
	// Wanted is whether the service should be running: see the package comment.
	Wanted bool `json:"wanted"`
	// Forking is set from before a fork until the process is known.
	Forking bool `json:"forking,omitempty"`
	// PID and Ticks (field 22 of /proc/PID/stat) name the main process.
	PID   int    `json:"pid,omitempty"`
	Ticks uint64 `json:"ticks,omitempty"`
	// Started was read just before the fork, on CLOCK_MONOTONIC.
	Started time.Duration `json:"started,omitempty"`
	// The rest is reported as it is.
	Active     service.Active `json:"active"`
	Sub        string         `json:"sub"`
	Result     string         `json:"result"`
	Restarts   int            `json:"restarts,omitempty"`
	ExitStatus int            `json:"exit_status,omitempty"`
}

func newRecord(boot string) record {
	return record{Schema: 1, Boot: boot, Wanted: true, Active: service.Stopped, Sub: "dead", Result: success}
}

// readRecord returns what is known of a service in this boot: an empty record
// when there is none that can be used.
func readRecord(path, boot string) (record, error) {
	none := newRecord(boot)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil
	}
	if err != nil {
		return none, fmt.Errorf("read the state of a service: %w", err)
	}
	r, whole := parseRecord(data)
	if !whole {
		// A power cut may leave any content, since the file is not synced. But
		// then no process is left. If something else damaged the file, Forking
		// makes the manager look for the process by its marker.
		none.Forking = true
		return none, nil
	}
	if r.Boot != boot {
		return none, nil
	}
	return r, nil
}

func parseRecord(data []byte) (r record, whole bool) {
	err := json.Unmarshal(data, &r)
	return r, err == nil
}

// write replaces the state file. If the updater is killed now, the file is the
// old or the new one; if the power goes, see readRecord.
func (r record) write(path string) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	tmp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp")
	if err := os.WriteFile(tmp, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the state of a service: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("write the state of a service: %w", err)
	}
	return nil
}
