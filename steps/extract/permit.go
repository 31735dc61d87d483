package extract

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
)

// permit gives a file its capabilities: last, because the kernel takes them from a file
// that is written to, and only once its content is known to be the right one. Nothing
// of the device's own copies of a content counts: a file that is cloned or copied from
// an installed version has what the list says.
//
// If the power goes now, the file may be on disk without them. It has no version's
// name: the sync of the whole tree comes before the list and before the rename, and
// both the list and the manifest are compared with what the files have.
func (r *run) permit(e bundle.Entry) error {
	f, err := r.root.OpenFile(e.Path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	err = e.Capabilities.Apply(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return cannotPermit(err)
	}
	return nil
}

// cannotPermit says what to do about a device that cannot give files capabilities.
func cannotPermit(err error) error {
	var hint string
	switch {
	case errors.Is(err, fs.ErrPermission):
		hint = "the updater needs CAP_SETFCAP: as a service, in CapabilityBoundingSet= of tope-updater.service"
	case errors.Is(err, errors.ErrUnsupported):
		hint = "the versions have to be on a file system with extended attributes, such as ext4"
	default:
		return err
	}
	return &steps.Error{Class: steps.Local, Code: steps.DeploymentFailed, Err: fmt.Errorf("the release has file capabilities: %w", err), Hint: hint}
}
