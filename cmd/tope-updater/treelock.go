package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/versions"
)

// lockTree makes this process the one updater that works on the versions directory.
// The journal's lock comes first: it tells a daemon with this same configuration from
// an updater with another one, whose journal is elsewhere. close lets go of both.
func (p *parts) lockTree(ctx context.Context, patience time.Duration) error {
	lock, err := p.store.Lock(ctx, patience)
	if errors.Is(err, versions.ErrTreeLocked) {
		return fmt.Errorf("%w: %w: %s works on %s; stop it, or give this updater another [paths] versions", errLocked, err, otherUpdater(p.store.Dir()), p.cfg.Paths.Versions)
	}
	if err != nil {
		return err
	}
	if lock.Unlockable() {
		p.log.Warn("the file system of the versions has no locks: nothing keeps a second updater with another journal away", "path", p.cfg.Paths.Versions)
	}
	p.tree = lock
	return nil
}

// otherUpdater names the process that has locked the versions directory, with its
// program and its journal as far as this process may look: root's processes are
// closed to the daemon's sandbox.
func otherUpdater(dir string) string {
	all, err := look.Lockers(dir)
	if err != nil || len(all) == 0 {
		return "another updater"
	}
	text := fmt.Sprintf("another updater (process %d", all[0].PID)
	program, err := look.ProgramOf(all[0].PID)
	if err != nil {
		program.Path = all[0].Program
	}
	text += ", " + program.Path
	if j, ok := look.OpenNamed(all[0].PID, filepath.Base(config.Paths{}.Journal())); ok {
		text += ", journal " + j.Path
	}
	return text + ")"
}
