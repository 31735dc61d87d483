package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
)

// What an update waits for is in the line of "systemctl status", too.
func TestTheStatusLineTellsWhatIsWaitedFor(t *testing.T) {
	st := engine.Status{State: engine.Downloading, Update: &engine.UpdateStatus{ID: "u1", From: "1.0.0", To: "1.1.0"}}
	require.Equal(t, "Downloading, from 1.0.0 to 1.1.0 (update u1)", statusLine(st))
	st.Update.Pause = &engine.Pause{Why: "the name of host h does not exist", Next: 7}
	require.Equal(t, "Downloading of 1.1.0 waits: the name of host h does not exist (update u1)", statusLine(st))
}
