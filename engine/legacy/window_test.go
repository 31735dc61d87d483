package legacy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/legacy"
)

// window is what the user of an old client is left with. It polls, and stops for good
// at the first stage that looks like an end.
type window struct{ shown []string }

// sees is one poll. It reports whether the window goes on polling.
func (w *window) sees(s engine.Status) bool {
	v := legacy.Of(s)
	w.shown = append(w.shown, string(v.Stage)+": "+v.Message)
	return v.Stage != legacy.Failed && v.Stage != legacy.Success && v.Stage != legacy.Idle
}

func (w *window) last() string { return w.shown[len(w.shown)-1] }

func TestAWindowFollowsAnUpdateThatTurnsBackToItsEnd(t *testing.T) {
	for end, c := range map[engine.State]struct {
		way  []engine.State
		last string
	}{
		engine.RolledBack:     {[]engine.State{engine.RollingBack}, "failed: Update failed, rolled back to version 1.0.0"},
		engine.FellBack:       {[]engine.State{engine.RollingBack, engine.FallingBack}, "failed: Rollback failed, the factory version was restored"},
		engine.NeedsAttention: {[]engine.State{engine.RollingBack, engine.FallingBack}, "failed: Update failed, the device needs attention"},
	} {
		t.Run(string(end), func(t *testing.T) {
			var w window
			for _, s := range append([]engine.State{engine.Switching, engine.Restarting, engine.CheckingHealth}, c.way...) {
				require.True(t, w.sees(open(s, 0)), "the window stops in %s: %s", s, w.last())
			}
			require.Contains(t, w.shown, "installing: Update failed, rolling back to version 1.0.0...")
			require.False(t, w.sees(over(end, 0)))
			require.Equal(t, c.last, w.last(), "the window stays with this")
		})
	}
}

// What an update has reached in a stage stays, whichever way it comes back to the stage.
func TestAStageThatIsEnteredAgainStaysWhereItWas(t *testing.T) {
	st := open(engine.Downloading, 10)
	st.Update.Reached = map[engine.State]int{engine.Downloading: 100, engine.Verifying: 100, engine.Extracting: 60}
	require.Equal(t, 100, legacy.Of(st).Progress, "a damaged copy leads back to Downloading")
	st.Update.State = engine.RollingBack
	require.Equal(t, 100, legacy.Of(st).Progress)
}

func TestAnUpdateThatEndedStaysAtItsValue(t *testing.T) {
	st := over(engine.Failed, time.Hour)
	st.Last.Step, st.Last.Progress = "Download", 46
	st.Last.Reached = map[engine.State]int{engine.Downloading: 46}
	require.Equal(t, 46, legacy.Of(st).Progress)
	st.Last.Step, st.Last.Progress, st.Last.Reached = "Extract", 60, map[engine.State]int{engine.Downloading: 100, engine.Extracting: 60}
	require.Equal(t, 30, legacy.Of(st).Progress)
	st.Last.Step, st.Last.State = "Rollback", engine.RolledBack
	require.Equal(t, 100, legacy.Of(st).Progress)
}

// A wrong host name is waited for as long as it takes: the window has to say so.
func TestAnUpdateThatWaitsForTheNetworkSaysSo(t *testing.T) {
	st := open(engine.Downloading, 46)
	st.Update.Pause = &engine.Pause{Why: "cannot reach host nowhere.example: no such host", Next: 39500 * time.Millisecond}
	v := legacy.Of(st)
	require.Equal(t, legacy.Downloading, v.Stage)
	require.Equal(t, 46, v.Progress)
	require.Equal(t, "Downloading version 1.1.0... cannot reach host nowhere.example: no such host; next try in 40 s", v.Message)
	st.Update.Pause.Next = 0
	require.Equal(t, "Downloading version 1.1.0... cannot reach host nowhere.example: no such host; trying again", legacy.Of(st).Message)
}

// Between two updates, while the first is cleaned up, there is nothing that ended.
func TestAnUpdateThatIsReplacedDoesNotLookFailed(t *testing.T) {
	for _, st := range []engine.Status{open(engine.Cancelled, 0), over(engine.Cancelled, 0)} {
		st.Replacing = true
		require.Equal(t, legacy.Downloading, legacy.Of(st).Stage)
	}
	require.Equal(t, legacy.Failed, legacy.Of(over(engine.Cancelled, 0)).Stage)
}
