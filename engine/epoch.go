package engine

import (
	"fmt"

	"github.com/tope/updater/journal"
)

// epochFloor is the highest epoch this device has committed. The journal has
// it; where the journal was lost, the version that was committed last has it
// in its manifest.
func (p policy) epochFloor() int64 {
	floor := p.journal.State().EpochFloor
	version, marked, err := p.versions.Marker()
	if err != nil || !marked {
		at, err := p.versions.Pointers()
		if err != nil {
			return floor
		}
		version = at.Current
	}
	if version == "" {
		return floor
	}
	epoch, err := p.versions.Epoch(version)
	if err != nil {
		// A version whose manifest cannot be read says nothing about the floor,
		// and must not keep a better one from being installed.
		p.log.Warn("cannot read a version's epoch", "version", version, "err", err)
		return floor
	}
	return max(floor, epoch)
}

// mayGoBackTo refuses a rollback by hand below the floor. The factory version
// is exempt: a device that is given away is reset to it.
func (p policy) mayGoBackTo(version string, kind journal.Kind, force bool) error {
	if kind == Restore || force {
		return nil
	}
	epoch, err := p.versions.Epoch(version)
	if err != nil {
		return fmt.Errorf("cannot read the epoch of version %s: %w", version, err)
	}
	if floor := p.epochFloor(); epoch < floor {
		return fmt.Errorf("%w: version %s is of epoch %d, and this device has committed epoch %d; use --force to go back all the same",
			ErrEpoch, version, epoch, floor)
	}
	return nil
}

// committedEpoch is the epoch to which the floor rises when version is
// committed. It is 0 when it cannot be read; the floor then stays.
func (p policy) committedEpoch(version string) int64 {
	epoch, err := p.versions.Epoch(version)
	if err != nil {
		p.log.Warn("cannot read a version's epoch", "version", version, "err", err)
	}
	return epoch
}

// exempt adds a remark to why when version is below the floor. That is allowed
// for a version that recovery chooses, and for the factory version.
func (p policy) exempt(why, version string) string {
	if version == "" {
		return why
	}
	epoch, err := p.versions.Epoch(version)
	if err != nil {
		return why // recovery does not fail over a remark
	}
	floor := p.epochFloor()
	if epoch >= floor {
		return why
	}
	text := fmt.Sprintf("version %s is of epoch %d, below the floor %d: going back is exempt", version, epoch, floor)
	if why == "" {
		return text
	}
	return why + "; " + text
}
