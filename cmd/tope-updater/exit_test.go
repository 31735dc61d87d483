package main

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle/trust"
)

func TestExitCodes(t *testing.T) {
	ended := func(s engine.State, code steps.Code, class steps.Class) error {
		return ended(engine.UpdateStatus{State: s, Error: &engine.ErrorStatus{Code: string(code), Class: string(class)}})
	}
	for _, tc := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("anything"), 1},
		{usagef("x"), 2},
		{engine.ErrInvalid, 2},
		{engine.ErrNothingToDo, 2},
		{engine.ErrNotFound, 3},
		{versions.ErrNotFound, 3},
		{fs.ErrNotExist, 3},
		{engine.ErrQuarantined, 10},
		{engine.ErrExpired, 10},
		{errRefused, 10},
		{trust.ErrRefused, 10},
		{&engine.BusyError{}, 11},
		{engine.ErrTooLate, 11},
		{errLocked, 11},
		{versions.ErrInUse, 11},
		{errAttention, 13},
		{ended(engine.Committed, "", ""), 0},
		{ended(engine.Failed, steps.DownloadFailed, steps.Unavailable), 1},
		{ended(engine.Failed, steps.DiskFull, steps.Local), 1},
		{ended(engine.Failed, steps.InvalidManifest, steps.Refused), 10},
		{ended(engine.Failed, steps.Quarantined, steps.Refused), 10},
		{ended(engine.Failed, steps.AlreadyCurrent, steps.Refused), 2},
		{ended(engine.Cancelled, steps.CancelledByUser, steps.Interrupted), 1},
		{ended(engine.RolledBack, steps.HealthFailed, steps.Unhealthy), 12},
		{ended(engine.FellBack, steps.HealthFailed, steps.Unhealthy), 12},
		{ended(engine.NeedsAttention, steps.HealthFailed, steps.Unhealthy), 13},
	} {
		require.Equal(t, tc.want, exitCode(tc.err), "%v", tc.err)
		if tc.err != nil {
			require.Equal(t, tc.want, exitCode(fmt.Errorf("wrapped: %w", tc.err)), "%v", tc.err)
		}
	}
}

// The cause that made an update turn back decides, not a failure afterwards.
func TestTheCauseIsTheReason(t *testing.T) {
	err := ended(engine.UpdateStatus{
		ID: "u", State: engine.RolledBack,
		Cause: &engine.ErrorStatus{Code: "HEALTH_CHECK_FAILED", Text: "503"},
		Error: &engine.ErrorStatus{Code: "SERVICE_FAILED", Text: "later"},
	})
	require.EqualError(t, err, "update u ended as RolledBack: HEALTH_CHECK_FAILED: 503")
}
