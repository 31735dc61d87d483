package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// updated is a device on which 1.1.0 was committed, from 1.0.0.
func updated(t *testing.T) *enginetest.Device {
	t.Helper()
	d := enginetest.NewDevice()
	require.NoError(t, d.Live(enginetest.Install, nil))
	require.Equal(t, versions.Pointers{Current: "1.1.0", Previous: "1.0.0", Factory: "0.5.0"}, d.P)
	require.Equal(t, "1.1.0", d.J.State().Committed)
	return d
}

// boots is recover at a boot.
func boots(t *testing.T, d *enginetest.Device) engine.Report {
	t.Helper()
	d.Reboot()
	e, err := d.Engine()
	require.NoError(t, err)
	report, err := e.Recover(t.Context(), engine.Oneshot)
	require.NoError(t, err)
	return report
}

func status(t *testing.T, d *enginetest.Device) engine.Status {
	t.Helper()
	e, err := d.Engine()
	require.NoError(t, err)
	return e.Status()
}

// A device whose current is gone goes on with the version that was committed last, not
// with the one before it, and tells of it until the next update.
func TestAMissingCurrentIsTheOneThatWasCommitted(t *testing.T) {
	d := updated(t)
	d.P.Current = ""
	report := boots(t, d)
	require.Equal(t, "1.1.0", d.P.Current)
	require.Equal(t, engine.RuleRepair, report.Actions[0].Rule)
	require.Empty(t, report.Differs)
	const why = "current is absent; it is set to 1.1.0, on which the journal left this device"
	repaired := status(t, d).Repaired
	require.NotNil(t, repaired)
	require.Equal(t, "1.1.0", repaired.To)
	require.Equal(t, why, repaired.Why)
	require.Contains(t, d.Trace(), why)
	told := d.J.State().Seq
	boots(t, d)
	require.Equal(t, told, d.J.State().Seq, "there is nothing to repair any more")

	d.Bundle = enginetest.Bundle{Version: "1.2.0", Digest: "md5:c"}
	require.NoError(t, d.Live(enginetest.Install, nil))
	require.Nil(t, status(t, d).Repaired, "it was before this update")
}

// Where the journal left a device is where its last update ended, however that was.
func TestWhereTheJournalLeavesADevice(t *testing.T) {
	for _, f := range flows() {
		t.Run(f.name, func(t *testing.T) {
			s := newStory(f)
			s.begin(t, enginetest.Cut{})
			want := s.P.Current // also where the update has changed nothing
			if f.end == engine.NeedsAttention {
				want = ""
			}
			require.Equal(t, want, s.J.State().Committed)
			require.Equal(t, want, status(t, s.Device).Committed)
		})
	}
}

// An operator's link is legitimate: it is told, once in the journal and at each recovery,
// and left alone.
func TestADeviceThatIsNotAsItWasLeftIsTold(t *testing.T) {
	d := updated(t)
	d.P.Current = "1.0.0"
	for range 3 {
		report := boots(t, d)
		require.Equal(t, "current leads to 1.0.0 (complete), but the journal left this device on 1.1.0", report.Differs)
		require.Equal(t, "1.1.0", report.Committed)
	}
	require.Equal(t, "1.0.0", d.P.Current)
	told := 0
	for _, r := range d.J.All() {
		if r.Rule == engine.RuleDiffers {
			told++
			require.Equal(t, &journal.Differs{Current: "1.0.0", Committed: "1.1.0"}, r.Differs)
		}
	}
	require.Equal(t, 1, told)

	d.P.Current = "0.5.0"
	boots(t, d)
	require.Equal(t, "0.5.0", d.J.State().Differs, "another difference is told anew")
	d.P.Current = "1.1.0"
	require.Empty(t, boots(t, d).Differs)
}

// The success is journaled, its clean-up is not, and a power cut has taken current back:
// recovery compares the journal with the pointers before it goes on.
func TestASuccessThatIsNotThereIsTold(t *testing.T) {
	d := enginetest.NewDevice()
	d.On(enginetest.Cut{At: "unmark", N: 1})
	require.Error(t, d.Live(enginetest.Install, nil))
	d.On(enginetest.Cut{})
	require.Equal(t, engine.Committed, d.J.State().Open.State)
	d.P.Current, d.P.Previous = "1.0.0", "0.9.0"
	report := boots(t, d)
	require.Equal(t, engine.RuleFinish, report.Actions[0].Rule)
	require.Contains(t, report.Differs, "current leads to 1.0.0")
}

// A device whose journal has no update that came to anything, as after an older updater,
// is known by the version that the updates have found.
func TestAMissingCurrentIsTheOneThatAFailedUpdateFound(t *testing.T) {
	d := enginetest.NewDevice()
	d.Unfit["1.1.0"] = []steps.Finding{{Fatal: true, Code: steps.ServiceFailed, Text: "api.service does not exist"}}
	require.NoError(t, d.Live(enginetest.Install, nil))
	require.Equal(t, engine.Failed, d.J.State().Last.State)
	d.P.Current = ""
	boots(t, d)
	require.Equal(t, "1.0.0", d.P.Current, "and not 0.9.0, where previous leads")
}
