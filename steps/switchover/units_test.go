package switchover_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/stepstest"
	"github.com/tope/updater/steps/switchover"
)

// units is a fake of running.Units: versions carry no units, and Follow returns did.
type units struct{ did unitfiles.Changes }

func (u units) Carried(string) ([]unitfiles.Unit, error)        { return nil, nil }
func (u units) Follow(string) (done unitfiles.Changes, _ error) { return u.did, nil }
func (u units) Agrees(string) (hasNothingToDo bool, _ error)    { return false, nil }
func (u units) Sync() error                                     { return nil }

// The changes to unit files are a fact for Restart, which makes systemd read the files
// again only after changes. No changes and no evidence of a switch are told apart.
func TestRestartLearnsOfUnitFiles(t *testing.T) {
	for name, c := range map[string]struct {
		did  unitfiles.Changes
		want *unitfiles.Changes
	}{
		"nothing was done": {unitfiles.Changes{Version: "1.1.0"}, nil},
		"one has changed": {
			unitfiles.Changes{Version: "1.1.0", Changes: []unitfiles.Change{{What: "x", Path: "/y"}}},
			&unitfiles.Changes{Version: "1.1.0", Changes: []unitfiles.Change{{What: "x", Path: "/y"}}},
		},
		"one was left": {
			unitfiles.Changes{Version: "1.1.0", Changes: []unitfiles.Change{}, Left: []unitfiles.Left{{Unit: "x", Why: "y"}}},
			&unitfiles.Changes{Version: "1.1.0", Changes: []unitfiles.Change{}, Left: []unitfiles.Left{{Unit: "x", Why: "y"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			step := switchover.New(switchover.Config{Manager: b.manager, Services: services, Versions: b.store, Clock: clocktest.New(), Units: units{c.did}})
			out, err := step.Do(t.Context(), stepstest.Task(t, forward))
			require.NoError(t, err)
			next := stepstest.Task(t)
			stepstest.HandOn(t, next, steps.Switch, out.Evidence)
			require.NotNil(t, next.Facts.Switch)
			require.Equal(t, c.want, next.Facts.Switch.Units)
		})
	}
}
