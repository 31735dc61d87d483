package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// asking is a step that first hands its task to the test.
type asking struct {
	steps.Step
	do func(*steps.Task) error
}

func (a asking) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	if err := a.do(t); err != nil {
		return steps.Outcome{}, err
	}
	return a.Step.Do(ctx, t)
}

// withEpochs is a device whose releases have these epochs.
func withEpochs(epochs map[string]int64) *enginetest.Device {
	d := enginetest.NewDevice()
	d.Epochs = epochs
	return d
}

func installed(t *testing.T, r *enginetest.Life, force bool) engine.UpdateStatus {
	t.Helper()
	_, err := r.Install(t.Context(), engine.InstallRequest{Source: steps.Source{URL: source.New("/b")}, Force: force})
	require.NoError(t, err)
	return *r.Until(engine.Idle).Last
}

// TestStepsAreToldTheFloor: the floor comes from the journal or, when the
// journal was lost, from the manifest of the version that was committed last.
func TestStepsAreToldTheFloor(t *testing.T) {
	for name, c := range map[string]struct {
		epochs map[string]int64
		want   int64
	}{
		"from the manifest": {map[string]int64{"1.0.0": 7}, 7},
		"none":              {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := withEpochs(c.epochs)
			var got atomic.Int64
			var force atomic.Bool
			got.Store(-1)
			r := d.Up(t, func(cfg *engine.Config) {
				cfg.Steps[steps.Download] = asking{cfg.Steps[steps.Download], func(task *steps.Task) error {
					got.Store(task.EpochFloor)
					force.Store(task.Force)
					return nil
				}}
			})
			installed(t, r, true)
			require.Equal(t, c.want, got.Load())
			require.True(t, force.Load())
		})
	}
}

// TestGoingBackIsExempt: a rollback and the factory version may lead below the
// floor, and the journal says that they do.
func TestGoingBackIsExempt(t *testing.T) {
	d := withEpochs(map[string]int64{"1.0.0": 1, "1.1.0": 5})
	_, err := d.J.Append(floorOf(9))
	require.NoError(t, err)
	d.Sick["1.1.0"] = true
	d.P.Factory = "0.9.0"
	d.States["0.9.0"] = versions.Complete
	r := d.Up(t)
	require.Equal(t, engine.RolledBack, installed(t, r, false).State)
	require.Contains(t, d.Trace(), "version 1.0.0 is of epoch 1, below the floor 9: going back is exempt")

	_, err = r.RestoreFactory(t.Context(), engine.Turning{})
	require.NoError(t, err)
	require.Equal(t, engine.Committed, r.Until(engine.Idle).Last.State)
	require.Contains(t, d.Trace(), "version 0.9.0 is of epoch 0, below the floor 9: going back is exempt")
}

// TestLackingLeadsBackToDownloading: a file that turned out to be damaged on
// the device is fetched, and the update goes on; its release is not put into
// quarantine for it.
func TestLackingLeadsBackToDownloading(t *testing.T) {
	d := enginetest.NewDevice()
	var asked atomic.Int32
	r := d.Up(t, func(cfg *engine.Config) {
		cfg.Steps[steps.Extract] = asking{cfg.Steps[steps.Extract], func(task *steps.Task) error {
			if asked.Add(1) > 1 {
				return nil
			}
			d.Files["download "+task.Update] = false // as LackingFile makes Download's probe say
			return &steps.Error{Class: steps.Lacking, Code: steps.CopyDamaged, Err: errors.New("a copy is damaged")}
		}}
	})
	require.Equal(t, engine.Committed, installed(t, r, false).State)
	require.Equal(t, int32(2), asked.Load())
	require.Empty(t, r.Status().Quarantine)
	require.Contains(t, d.Trace(), "Extract lack Extracting→Downloading")
}

// TestTheStatusTellsTheWire: the status has the findings of Download, also for
// an update that is over.
func TestTheStatusTellsTheWire(t *testing.T) {
	d := enginetest.NewDevice()
	r := d.Up(t, func(cfg *engine.Config) { cfg.Steps[steps.Download] = telling{cfg.Steps[steps.Download]} })
	require.Equal(t, &steps.Wire{Head: 1, Payload: 2, Saved: 3}, installed(t, r, false).Wire)
}

type telling struct{ steps.Step }

func (s telling) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	out, err := s.Step.Do(ctx, t)
	out.Evidence = map[string]json.RawMessage{"wire": json.RawMessage(`{"head":1,"payload":2,"saved":3}`)}
	return out, err
}

func floorOf(epoch int64) journal.Record {
	return journal.Record{Phase: journal.Outcome, EpochFloor: epoch}
}
