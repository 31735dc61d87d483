package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tope/updater/platform/oom"
)

// ending is how an updater that systemd ran has ended, for the one that starts next. It
// is a file beside the socket: deaths count within a boot only.
type ending struct {
	Boot string `json:"boot"`
	// OutOfMemory: the kernel killed it because memory was short.
	OutOfMemory bool `json:"out_of_memory"`
}

// noteEndCommand is for ExecStopPost= of our units. It runs in the control group of the
// updater that has ended, with systemd's word on that end in its environment.
func (a *app) noteEndCommand() *cobra.Command {
	return &cobra.Command{
		Use: "note-end", Short: "note how the updater ended, for the next one (systemd runs it)",
		Hidden: true,
		RunE: func(*cobra.Command, []string) error {
			d, err := a.device()
			if err != nil {
				return err
			}
			path, err := d.endingPath()
			if err != nil {
				return err
			}
			end := ending{Boot: d.clock.Boot(), OutOfMemory: os.Getenv("SERVICE_RESULT") == "oom-kill"}
			var unknown error
			if os.Getenv("EXIT_STATUS") == "KILL" {
				var kills int64
				if kills, err = oom.Kills("/"); err != nil {
					unknown = fmt.Errorf("cannot tell whether the updater ran out of memory: %w", err)
				}
				// A hook may have been killed for want of memory before the updater was
				// killed for something else: that is excused as well.
				end.OutOfMemory = end.OutOfMemory || kills > 0
			}
			text, err := json.Marshal(end)
			if err != nil {
				return err
			}
			// It is written anew at each end, and gone after a power cut. Half of it is
			// not JSON.
			err = os.MkdirAll(filepath.Dir(path), 0o755)
			if err == nil {
				err = os.WriteFile(path, text, 0o600)
			}
			if err != nil {
				return fmt.Errorf("cannot note how the updater ended: %w", err)
			}
			return unknown
		},
	}
}

func (d *device) endingPath() (string, error) {
	socket, err := d.socket()
	if err != nil {
		return "", err
	}
	return filepath.Join(filepath.Dir(socket), "ended.json"), nil
}

// outOfMemory reports whether the updater before this one ran out of memory in this
// boot. It asks once: the note is removed, so that it tells of one end only.
func (d *device) outOfMemory() bool {
	path, err := d.endingPath()
	if err != nil {
		return false
	}
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.Remove(path)
	}
	var end ending
	if err == nil {
		err = json.Unmarshal(text, &end)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.log.Warn("cannot tell how the updater ended before", "path", path, "err", err)
	}
	return err == nil && end.OutOfMemory && end.Boot == d.clock.Boot()
}
