package engine_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// dataOf is the data that services of a device wrote: it is put back while the
// new version is still current.
type dataOf struct {
	d       *enginetest.Device
	owes    bool
	pending []string
	fail    error
	at      []string // what current led to at each Restore
}

func (x *dataOf) Owes(from, to string) (bool, error) { return x.owes && from != to, nil }

func (x *dataOf) Sync(string) error                { return nil }
func (x *dataOf) Pending(string) ([]string, error) { return x.pending, nil }

func (x *dataOf) Restore(string) (any, error) {
	x.at = append(x.at, x.d.P.Current)
	if x.fail != nil {
		return nil, x.fail
	}
	got := x.pending
	x.pending = nil
	return map[string][]string{"paths": got}, nil
}

func (x *dataOf) oneshot(t *testing.T) {
	t.Helper()
	require.NoError(t, x.d.Oneshot(func(c *engine.Config) { c.Data = x }))
}

// openIn leaves a device whose update was cut on entering state.
func openIn(t *testing.T, state engine.State) *dataOf {
	t.Helper()
	d := enginetest.NewDevice()
	if state == engine.RollingBack {
		d.Sick["1.1.0"] = true
	}
	stopIn(t, d, engine.StepOf(state))
	return &dataOf{d: d}
}

// At boot the data is put back before current moves back, and journaled.
func TestDataIsPutBackAtBoot(t *testing.T) {
	for name, fail := range map[string]error{"it works": nil, "it fails": errors.New("input/output error")} {
		t.Run(name, func(t *testing.T) {
			x := openIn(t, engine.RollingBack)
			require.Equal(t, "1.1.0", x.d.P.Current)
			x.pending, x.fail = []string{"data"}, fail
			x.d.Reboot()
			x.oneshot(t)
			require.Equal(t, []string{"1.1.0"}, x.at, "before current moved")
			require.Equal(t, "1.0.0", x.d.P.Current, "data is never an obstacle")
			require.Equal(t, engine.RollingBack, x.d.J.State().Open.State)
			var told []journal.Record
			for _, r := range x.d.J.All() {
				if r.Phase == journal.Outcome && r.Rule == engine.RuleBack {
					told = append(told, r)
				}
			}
			require.Len(t, told, 1)
			if fail == nil {
				require.JSONEq(t, `{"paths":["data"]}`, string(told[0].Evidence))
				x.oneshot(t)
				require.Len(t, x.at, 1, "nothing is left to do")
				return
			}
			require.Contains(t, told[0].Why, "input/output error")
			x.oneshot(t)
			require.Len(t, x.at, 2, "it is tried again, though current is back")
		})
	}
}

// Recovery does not complete a switch whose snapshot was not taken: the old
// version runs on, and the daemon completes the switch. With the note of the
// snapshot, recovery does complete it.
func TestSwitchIsCompletedAtBootOnlyWhenPrepared(t *testing.T) {
	for name, c := range map[string]struct {
		owes, noted bool
		want        string
	}{
		"nothing owed":           {want: "1.1.0"},
		"owed":                   {owes: true, want: "1.0.0"},
		"owed, and done already": {owes: true, noted: true, want: "1.1.0"},
	} {
		t.Run(name, func(t *testing.T) {
			x := openIn(t, engine.Switching)
			require.Equal(t, "1.0.0", x.d.P.Current)
			x.owes = c.owes
			if c.noted {
				require.NoError(t, x.d.J.Note(x.d.J.State().Open.ID, string(steps.Switch), []byte(`{"prepared":true}`)))
			}
			x.d.Reboot()
			x.oneshot(t)
			require.Equal(t, c.want, x.d.P.Current)
			require.Empty(t, x.at)
			x.d.InitStarts()
			require.NoError(t, x.d.Live(nil, nil))
			require.Equal(t, engine.Committed, x.d.J.State().Last.State)
		})
	}
}
