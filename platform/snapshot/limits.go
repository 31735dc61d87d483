package snapshot

import (
	"errors"
	"fmt"
	"time"
)

// Limits bound what a snapshot may take. The data is the services': without bounds, one of
// them could keep the others down for as long as it likes.
type Limits struct {
	// Measure is how long it may take to look through the data, Copy how long to copy it.
	Measure, Copy time.Duration
	// FilesPerSecond and BytesPerSecond are what the fastest devices manage: what would take
	// longer than Copy even so is refused before a service is stopped. Blocks that are
	// shared with the original cost no time.
	FilesPerSecond, BytesPerSecond uint64
}

// DefaultLimits are those of a device.
func DefaultLimits() Limits {
	return Limits{Measure: 2 * time.Minute, Copy: 10 * time.Minute, FilesPerSecond: 5000, BytesPerSecond: 100 << 20}
}

// ErrTooMuch means that a snapshot would take too long, or has. The error is a *CostError.
var ErrTooMuch = errors.New("the snapshot would take too long")

// CostError says of which directory. It is an ErrTooMuch.
type CostError struct {
	Path string
	// Files and Bytes were counted until it was clear.
	Files, Bytes uint64
	// Doing is what took or would take longer than Limit: "measuring" or "copying".
	Doing string
	Limit time.Duration
}

func (e *CostError) Error() string {
	return fmt.Sprintf("%v: %s %s, with at least %d entries and %d MiB on the disk, takes more than %v", ErrTooMuch, e.Doing, e.Path, e.Files, e.Bytes>>20, e.Limit)
}

// Is makes errors.Is(err, ErrTooMuch) true.
func (e *CostError) Is(target error) bool { return target == ErrTooMuch }

// exceeds reports whether a copy of this size certainly takes longer than Copy.
func (l Limits) exceeds(files, bytes uint64, clones bool) bool {
	if clones {
		bytes = 0
	}
	seconds := float64(files)/float64(l.FilesPerSecond) + float64(bytes)/float64(l.BytesPerSecond)
	return seconds > l.Copy.Seconds()
}
