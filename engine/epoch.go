package engine

import (
	"fmt"

	"github.com/tope/updater/journal"
)

// epochFloor is the highest epoch this device has committed. The journal has
// it; where the journal was lost, the version that was committed last has it
// in its manifest.
func (e *Engine) epochFloor() int64 {
	floor := e.cfg.Journal.State().EpochFloor
	version, marked, err := e.cfg.Versions.Marker()
	if err != nil || !marked {
		p, err := e.cfg.Versions.Pointers()
		if err != nil {
			return floor
		}
		version = p.Current
	}
	if version == "" {
		return floor
	}
	epoch, err := e.cfg.Versions.Epoch(version)
	if err != nil {
		// A version that cannot be read tells nothing, and keeps nobody from
		// installing a better one.
		e.cfg.Log.Warn("cannot read a version's epoch", "version", version, "err", err)
		return floor
	}
	return max(floor, epoch)
}

// mayGoBackTo refuses a rollback by hand below the floor. The factory version
// is exempt: it is what a device that is given away is reset to.
func (e *Engine) mayGoBackTo(version string, kind journal.Kind, force bool) error {
	if kind == Restore || force {
		return nil
	}
	epoch, err := e.cfg.Versions.Epoch(version)
	if err != nil {
		return fmt.Errorf("cannot read the epoch of version %s: %w", version, err)
	}
	if floor := e.epochFloor(); epoch < floor {
		return fmt.Errorf("%w: version %s is of epoch %d, and this device has committed epoch %d; use --force to go back all the same",
			ErrEpoch, version, epoch, floor)
	}
	return nil
}

// committedEpoch is the floor that committing version raises; 0 when it cannot
// be read, which lowers nothing.
func (e *Engine) committedEpoch(version string) int64 {
	epoch, err := e.cfg.Versions.Epoch(version)
	if err != nil {
		e.cfg.Log.Warn("cannot read a version's epoch", "version", version, "err", err)
	}
	return epoch
}

// exempt adds to why that the way leads below the floor, where it does: what
// recovery chooses, and the factory version, may be of any epoch.
func (e *Engine) exempt(why, version string) string {
	if version == "" {
		return why
	}
	epoch, err := e.cfg.Versions.Epoch(version)
	if err != nil {
		return why // recovery does not fail over a remark
	}
	floor := e.epochFloor()
	if epoch >= floor {
		return why
	}
	text := fmt.Sprintf("version %s is of epoch %d, below the floor %d: going back is exempt", version, epoch, floor)
	if why == "" {
		return text
	}
	return why + "; " + text
}

// wayBack is the version that the failure edge of a state leads to.
func wayBack(u *journal.Update, s State) string {
	switch s {
	case Switching, Restarting, CheckingHealth, Committing:
		return u.Before.Current
	case RollingBack:
		return u.Before.Factory
	}
	return ""
}
