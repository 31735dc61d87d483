package engine_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// signedBy is a Verify that has checked a signature.
type signedBy struct {
	steps.Step
	key string
}

func (s signedBy) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	out, err := s.Step.Do(ctx, t)
	out.Evidence = steps.Verified{SignedBy: s.key}
	return out, err
}

func signing(key string) func(*engine.Config) {
	return func(cfg *engine.Config) { cfg.Steps[steps.Verify] = signedBy{cfg.Steps[steps.Verify], key} }
}

// TestTheSignedReleaseIsNotedWithTheCommit: the record that enters Committed has the key,
// so a cut leaves both or neither.
func TestTheSignedReleaseIsNotedWithTheCommit(t *testing.T) {
	d := enginetest.NewDevice()
	r := d.Up(t, signing("1AB (k.pub)"))
	u := installed(t, r, false)
	require.Equal(t, engine.Committed, u.State)
	recs, err := d.J.Records(u.ID)
	require.NoError(t, err)
	for _, rec := range recs {
		require.Equal(t, rec.To == engine.Committed, rec.SignedBy == "1AB (k.pub)", "record %d", rec.Seq)
	}
	f := d.J.State()
	require.Equal(t, u.To, f.Signed.Version)
	require.Equal(t, "signed release "+u.To, engine.SignedRelease(f, d))
}

// A release that did not become healthy does not count, and neither does one whose
// signature nobody has checked.
func TestWhatIsNotCommittedIsNotNoted(t *testing.T) {
	d := enginetest.NewDevice()
	d.Sick["1.1.0"] = true
	require.Equal(t, engine.RolledBack, installed(t, d.Up(t, signing("1AB")), false).State)
	require.Nil(t, d.J.State().Signed)

	d = enginetest.NewDevice()
	require.Equal(t, engine.Committed, installed(t, d.Up(t), false).State)
	require.Nil(t, d.J.State().Signed)
}

func TestForgetTrust(t *testing.T) {
	d := enginetest.NewDevice()
	r := d.Up(t, signing("1AB"))
	_, _, err := r.ForgetTrust(t.Context(), "nothing")
	require.ErrorIs(t, err, engine.ErrNothingToDo)
	u := installed(t, r, false)
	d.Epochs = map[string]int64{u.To: 3}
	was, floor, err := r.ForgetTrust(t.Context(), "a new owner")
	require.NoError(t, err)
	require.Equal(t, "signed release "+u.To, was)
	require.Equal(t, int64(3), floor)
	f := d.J.State()
	require.Equal(t, "a new owner", f.Forgotten.Why)
	d.Signers = map[string]string{u.To: "1AB"}
	require.Empty(t, engine.SignedRelease(f, d), "the manifest does not bring it back")
	_, _, err = r.ForgetTrust(t.Context(), "again")
	require.ErrorIs(t, err, engine.ErrNothingToDo)
}

// TestTheManifestRemembersWhoSigned: a journal that was lost knows nothing.
func TestTheManifestRemembersWhoSigned(t *testing.T) {
	d := enginetest.NewDevice()
	empty := &journal.Fold{}
	require.Empty(t, engine.SignedRelease(empty, d))
	d.Signers = map[string]string{"1.0.0": "1AB", "1.1.0": "1AB"}
	require.Equal(t, "signed release 1.0.0", engine.SignedRelease(empty, d))
	// While a new version is on trial, the one that was committed counts.
	d.P.Current, d.Marked, d.MarkAt = "1.1.0", true, "0.9.0"
	require.Empty(t, engine.SignedRelease(empty, d))
	require.Empty(t, engine.SignedRelease(empty, nil))
}
