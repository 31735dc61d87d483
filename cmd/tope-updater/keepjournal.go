package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
)

// lookForJournal is how often a daemon that has nothing to record looks whether its journal
// is still there.
const lookForJournal = time.Minute

// keepJournal puts the journal back when somebody deletes it under a daemon that has
// nothing to record, until ctx ends. It returns an error when the journal must be opened
// anew: another process writes one in its place.
func keepJournal(ctx context.Context, c clock.Clock, j *journal.Journal, log *slog.Logger) error {
	for {
		if clock.Sleep(ctx, c, lookForJournal) != nil {
			return nil //nolint:nilerr // the daemon ends, or begins anew
		}
		err := j.PutBack()
		if errors.Is(err, journal.ErrPoisoned) {
			return err
		}
		if err != nil {
			log.Warn("cannot look for the journal, or put it back", "err", err)
		}
	}
}

// homeless reports whether the state directory is gone where only systemd can make it: its
// sandbox shows the daemon a read-only device, with this one directory in it. A daemon that
// ends is started with another.
func (d *device) homeless() bool {
	dir, err := d.root.Path(d.cfg.Paths.State)
	if err != nil || !isWatched() {
		return false
	}
	_, err = os.Stat(dir)
	return errors.Is(err, fs.ErrNotExist)
}
