package powercut_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/service/systemdtest"
)

// The devices of package systems are cut in the same way, on other suites.
func TestCutsAtEveryState(t *testing.T) {
	w := devicetest.Sweep{Suites: []string{systemdtest.Usual}, Lanes: 6, Cuts: devicetest.Cuts(t), Seed: devicetest.Seed(t)}
	count := w.Run(t)
	t.Logf("%d cuts with seed %d, by the state in which they came: %v", w.Cuts, w.Seed, count)
	for _, state := range []engine.State{engine.CheckingHealth, engine.Committed, engine.RollingBack} {
		require.Positive(t, count[state], "no cut came in %s", state)
	}
	require.Positive(t, count[engine.Switching]+count[engine.Restarting], "no cut came in the switch")
}
