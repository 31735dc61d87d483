package bundle

import (
	"context"
	"errors"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/steps"
)

// Space makes sure that there is room to unpack a bundle. Preflight is required.
type Space struct {
	// Versions is the host path of the versions directory.
	Versions string
	// Preflight returns an error when there is not enough room: disk.Preflight.
	Preflight func(path string, bytes, inodes uint64) error
	// MakeRoom removes versions that nothing needs, and returns them.
	MakeRoom func(ctx context.Context, t *steps.Task) ([]string, error)
}

// Room asks for space. If there is too little, it removes unused versions and asks
// again; freed are the removed versions.
func (s Space) Room(ctx context.Context, t *steps.Task, bytes, inodes uint64) (freed []string, err error) {
	const what = "cannot unpack the bundle"
	if err := disk.Writable(s.Versions); err != nil {
		return nil, steps.FromOS(err, what)
	}
	short := s.Preflight(s.Versions, bytes, inodes)
	if short == nil || s.MakeRoom == nil {
		return nil, steps.FromOS(short, what)
	}
	freed, err = s.MakeRoom(ctx, t)
	if err != nil {
		return freed, steps.FromOS(errors.Join(short, err), what)
	}
	return freed, steps.FromOS(s.Preflight(s.Versions, bytes, inodes), what)
}
