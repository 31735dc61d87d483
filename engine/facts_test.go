package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/steps"
)

// leaving is a step with this evidence.
type leaving struct {
	steps.Step
	evidence any
}

func (s leaving) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	out, err := s.Step.Do(ctx, t)
	out.Evidence = s.evidence
	return out, err
}

// seeing is a step that notes the facts it was given.
type seeing struct {
	steps.Step
	facts *steps.Facts
}

func (s seeing) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	*s.facts = t.Facts
	return s.Step.Do(ctx, t)
}

// TestFactsAreHandedOnThroughTheJournal: a step gets the facts of earlier
// steps; the facts of a step that left none are nil.
func TestFactsAreHandedOnThroughTheJournal(t *testing.T) {
	var verify, restart steps.Facts
	downloaded := steps.Downloaded{Fetched: steps.Fetched{Size: 7, MD5: "0123"}}
	switched := steps.Switched{StoppedAt: steps.Moment{Boot: "b", Mono: 5}}
	r := enginetest.NewDevice().Up(t, func(cfg *engine.Config) {
		cfg.Steps[steps.Download] = leaving{cfg.Steps[steps.Download], downloaded}
		cfg.Steps[steps.Switch] = leaving{cfg.Steps[steps.Switch], switched}
		cfg.Steps[steps.Verify] = seeing{cfg.Steps[steps.Verify], &verify}
		cfg.Steps[steps.Restart] = seeing{cfg.Steps[steps.Restart], &restart}
	})
	require.Equal(t, engine.Committed, installed(t, r, false).State)
	require.Equal(t, steps.Facts{Download: &downloaded}, verify)
	require.Equal(t, steps.Facts{Download: &downloaded, Switch: &switched}, restart)
}

// TestFactsThatCannotBeRead: such facts fail the update, and the error names
// the step that left them. They do not put a release into quarantine, and do
// not keep a device from going back.
func TestFactsThatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct {
		step     steps.Name
		evidence string
		ends     engine.State
	}{
		"before the switch": {steps.Download, `{"md5":1}`, engine.Failed},
		"after it":          {steps.Switch, `{"stopped_at":1}`, engine.RolledBack},
	} {
		t.Run(name, func(t *testing.T) {
			d := enginetest.NewDevice()
			var log bytes.Buffer
			r := d.Up(t, func(cfg *engine.Config) {
				cfg.Steps[c.step] = leaving{cfg.Steps[c.step], json.RawMessage(c.evidence)}
				cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
			})
			st := installed(t, r, false)
			require.Equal(t, c.ends, st.State)
			require.Contains(t, st.Cause.Text, "cannot read what "+string(c.step)+" left in the journal")
			require.Equal(t, string(steps.Local), st.Cause.Class)
			require.Equal(t, "1.0.0", d.P.Current)
			require.Equal(t, "1.0.0", d.Running)
			require.Empty(t, r.Status().Quarantine)
			require.Empty(t, d.Files, "nothing is left behind")
			require.Contains(t, log.String(), "going on without all facts")
		})
	}
}
