package running

import (
	"errors"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/snapshot"
	"github.com/tope/updater/steps"
)

// SnapshotError is the error for a snapshot that cannot be taken, with what to do about the
// data; nil stays nil. The release is not to blame. what names the operation.
func SnapshotError(err error, what string) error {
	if err == nil {
		return nil
	}
	e := steps.AsError(steps.FromOS(err, what))
	switch {
	case errors.Is(err, snapshot.ErrTooMuch), errors.Is(err, disk.ErrTooWide):
		e.Code, e.Hint = steps.DeploymentFailed, "remove what is not needed there, put the shared directory on btrfs or on xfs with reflink, or publish a release that takes no snapshot of it"
	case errors.Is(err, disk.ErrNotDirectory), errors.Is(err, disk.ErrMounted), errors.Is(err, snapshot.ErrElsewhere):
		e.Code, e.Hint = steps.DeploymentFailed, "keep the data in a directory of the shared directory's own file system, with no link on the way"
	case e.Code == steps.Internal:
		e.Code = steps.DeploymentFailed
	}
	return e
}
