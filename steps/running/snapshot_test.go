package running_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/snapshot"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// A snapshot that cannot be taken is a matter of the device, with something to do about it.
func TestWhyThereIsNoSnapshot(t *testing.T) {
	require.NoError(t, running.SnapshotError(nil, "take it"))
	for _, c := range []struct {
		err  error
		code steps.Code
		hint string
	}{
		{&snapshot.CostError{Path: "/shared/x"}, steps.DeploymentFailed, "remove what is not needed there"},
		{fmt.Errorf("/shared/x: %w", disk.ErrTooWide), steps.DeploymentFailed, "remove what is not needed there"},
		{fmt.Errorf("/shared/x: %w", disk.ErrNotDirectory), steps.DeploymentFailed, "with no link on the way"},
		{fmt.Errorf("/shared/x: %w", disk.ErrMounted), steps.DeploymentFailed, "own file system"},
		{fmt.Errorf("/shared/x: %w", snapshot.ErrElsewhere), steps.DeploymentFailed, "own file system"},
		{&disk.SpaceError{Path: "/shared"}, steps.DiskFull, "free some space"},
		{errors.New("/shared/x: something else"), steps.DeploymentFailed, ""},
	} {
		e := steps.AsError(running.SnapshotError(c.err, "take it"))
		require.Equal(t, steps.Local, e.Class, c.err)
		require.Equal(t, c.code, e.Code, c.err)
		require.Contains(t, e.Hint, c.hint)
		require.ErrorContains(t, e, "take it: ")
	}
}
