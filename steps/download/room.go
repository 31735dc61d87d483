package download

import (
	"errors"
	"fmt"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/steps"
)

// The reserve of a file system that nobody has set one for: a twentieth of it, within
// these bounds. The journal, the services' state and whoever has to repair the device
// live off it.
const (
	leastReserve = 4 << 20
	mostReserve  = 64 << 20
)

// DefaultReserve is how many bytes downloads leave free on the file system that holds
// path, unless they are told (Config.Reserve).
func DefaultReserve(path string) (uint64, error) {
	size, err := disk.Capacity(path)
	return min(max(size/20, leastReserve), mostReserve), err
}

// roomStep is how much is written before it is asked again whether the reserve is whole:
// the size may be unknown, and others write, too.
const roomStep = 1 << 20

// grow is called before n bytes are written. missing tells how many are still to come,
// those n included, or unknown.
func (r *run) grow(n int64, missing func() int64) error {
	if r.room < n {
		r.room = roomStep
		if still := missing(); still != unknown {
			r.room = max(n, min(r.room, still))
		}
		if err := r.roomFor(r.room); err != nil {
			r.room = 0
			return err
		}
	}
	r.room -= n
	return nil
}

// preflight asks for room for the bytes that are still missing.
func (r *run) preflight() error {
	if missing := r.missing(); missing != unknown {
		return r.roomFor(missing)
	}
	return nil
}

// roomFor asks for room for missing more bytes, with the reserve left free. An earlier
// download makes room.
func (r *run) roomFor(missing int64) error {
	reserve := r.cfg.Reserve
	if reserve == 0 {
		var err error
		if reserve, err = DefaultReserve(r.task.WorkDir); err != nil {
			return steps.FromOS(err, "cannot keep the bundle")
		}
	}
	need := uint64(missing) + reserve //nolint:gosec // not negative
	err := r.cfg.Preflight(r.task.WorkDir, need, 0)
	if err != nil && disk.OutOfSpace(err) && r.clearShelf() {
		err = r.cfg.Preflight(r.task.WorkDir, need, 0)
	}
	if err == nil {
		return nil
	}
	var short *disk.SpaceError
	if errors.As(err, &short) {
		err = fmt.Errorf("%w: %s more are needed at %s, which has %s, and %s of them stay free ([download] reserve)",
			disk.ErrNoSpace, megabytes(uint64(missing)), short.Path, megabytes(short.Have.Bytes), megabytes(reserve)) //nolint:gosec // not negative
	}
	e := steps.AsError(steps.FromOS(err, "cannot keep the bundle"))
	if disk.OutOfSpace(err) {
		e.Code, e.Hint = steps.DiskFull, "free some space there and try again"
		if short != nil {
			e.Hint = fmt.Sprintf("free %s there and try again", megabytes(need-min(need, short.Have.Bytes)))
		}
	}
	return e
}

// megabytes writes a size for people, rounded up.
func megabytes(n uint64) string {
	tenths := (n + 99_999) / 100_000
	return fmt.Sprintf("%d.%d MB", tenths/10, tenths%10)
}
