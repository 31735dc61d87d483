package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
)

// The reports of an update that turns back tell the going and the arrival, and only the
// arrival is a failure.
func TestReportsTellTheGoingAndTheArrival(t *testing.T) {
	u := engine.UpdateStatus{Kind: engine.Install, From: "1.0.0", To: "1.1.0", State: engine.RollingBack}
	going := reportOf(u)
	require.Equal(t, "installing", going.Stage)
	require.Equal(t, "Update failed, rolling back to version 1.0.0...", going.Message)
	require.Nil(t, going.Error)
	u.State, u.Cause = engine.RolledBack, &engine.ErrorStatus{Code: "HEALTH_CHECK_FAILED", Text: "503"}
	arrival := reportOf(u)
	require.Equal(t, "failed", arrival.Stage)
	require.Equal(t, "Update failed, rolled back to version 1.0.0", arrival.Message)
	require.Equal(t, "ROLLBACK_LEVEL_1: HEALTH_CHECK_FAILED: 503", *arrival.Error)
}

// An outage is one report for each reason, not one for each second of it.
func TestReportsDoNotCountTheSeconds(t *testing.T) {
	u := engine.UpdateStatus{Kind: engine.Install, To: "1.1.0", State: engine.Downloading, Pause: &engine.Pause{Why: "cannot reach host h", Next: time.Minute}}
	before := reportOf(u)
	u.Pause.Next -= time.Second
	require.Equal(t, before, reportOf(u))
	require.Contains(t, before.Message, "cannot reach host h")
}
