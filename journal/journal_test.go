package journal_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock/clocktest"
)

func TestFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	opt := journal.Options{Clock: clocktest.New(), Create: true}
	j, err := journal.Open(path, opt)
	require.NoError(t, err)
	fresh, d := j.Fresh()
	require.True(t, fresh)
	require.Nil(t, d)
	s, err := j.Append(journal.Record{Update: "u1", Phase: journal.Intent, Step: "Download", To: "Requested", Accept: &journal.Accept{Kind: "install", From: "1.0.0"}})
	require.NoError(t, err)
	require.EqualValues(t, 1, s.Seq)
	require.NoError(t, j.Close())
	j, err = journal.Open(path, opt)
	require.NoError(t, err)
	require.Equal(t, s, j.State())
	rep, err := j.Verify()
	require.NoError(t, err)
	require.True(t, rep.OK(), rep)
}
