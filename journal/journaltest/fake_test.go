package journaltest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/journal/journaltest"
	"github.com/tope/updater/platform/clock/clocktest"
)

func TestConformance(t *testing.T) {
	journaltest.Conformance(t, func(*testing.T) (journaltest.Store, func() journaltest.Store) {
		j := journaltest.New(clocktest.New())
		return j, func() journaltest.Store {
			j = j.Reopen()
			return j
		}
	})
}

func TestCrash(t *testing.T) {
	accept := journal.Record{Update: "a", Phase: journal.Outcome, To: "Requested", Accept: &journal.Accept{}}
	for name, tt := range map[string]struct {
		when journaltest.When
		kept uint64
	}{
		"before": {journaltest.Before, 1},
		"after":  {journaltest.After, 3},
	} {
		t.Run(name, func(t *testing.T) {
			j := journaltest.New(clocktest.New())
			j.Crash(3, tt.when)
			_, err := j.Append(accept)
			require.NoError(t, err)
			require.NoError(t, j.Note("a", "Download", []byte("1")))
			step := journal.Record{Update: "a", Phase: journal.Intent, Step: "Download"}
			_, err = j.Append(step, step)
			require.ErrorIs(t, err, journaltest.ErrCrash)
			require.ErrorIs(t, err, journal.ErrPoisoned)
			require.EqualValues(t, 1, j.State().Seq, "who crashed does not know")
			_, err = j.Append(step)
			require.ErrorIs(t, err, journal.ErrPoisoned)

			next := j.Reopen()
			require.Equal(t, tt.kept, next.State().Seq)
			_, err = next.Append(step)
			require.NoError(t, err)
			note, err := next.ReadNote("a", "Download")
			require.NoError(t, err)
			require.Equal(t, "1", string(note))
		})
	}
}

func TestClonesAreIndependent(t *testing.T) {
	accept := journal.Record{Update: "a", Phase: journal.Outcome, To: "Requested", Accept: &journal.Accept{}}
	j := journaltest.New(clocktest.New())
	_, err := j.Append(accept)
	require.NoError(t, err)
	other := j.Clone(clocktest.New())
	_, err = other.Append(journal.Record{Update: "a", Phase: journal.Outcome, Closed: true})
	require.NoError(t, err)
	require.NotNil(t, j.State().Open)
	require.Nil(t, other.State().Open)
}

func TestLose(t *testing.T) {
	j := journaltest.New(clocktest.New())
	_, err := j.Append(
		journal.Record{Phase: journal.Observed, Quarantine: &journal.Quarantined{Digest: "md5:1"}},
		journal.Record{Update: "a", Phase: journal.Outcome, To: "Requested", Accept: &journal.Accept{}},
	)
	require.NoError(t, err)
	j = j.Lose(journal.DamagedShort)
	for range 2 {
		fresh, damage := j.Fresh()
		require.True(t, fresh)
		require.Equal(t, journal.DamagedShort, damage.Kind)
		require.Nil(t, j.State().Open)
		require.Len(t, j.State().Quarantine, 1)
		j = j.Reopen()
	}
}
