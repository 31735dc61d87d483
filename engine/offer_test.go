package engine_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/steps"
)

var (
	digestX = "sha256:" + strings.Repeat("ab", 32)
	digestY = "sha256:" + strings.Repeat("cd", 32)
)

// An offer is of one release. Another one at its URL is refused before anything of it is
// unpacked, with both digests; it is not to blame, and an offer of it is carried out.
func TestAnotherReleaseThanTheOfferIsRefused(t *testing.T) {
	d := enginetest.NewDevice()
	d.Bundle.Digest = digestX
	r := d.Up(t)
	offer := bundleOf("1.1.0")
	offer.Digest = digestY
	_, err := r.Install(t.Context(), engine.InstallRequest{Source: offer})
	require.NoError(t, err)
	st := r.Until(engine.Idle)
	require.Equal(t, engine.Failed, st.Last.State)
	require.Equal(t, string(steps.OfferMismatch), st.Last.Error.Code)
	require.Equal(t, string(steps.Refused), st.Last.Error.Class)
	require.Contains(t, st.Last.Error.Text, "the bundle there is release sha256:abababababab…, and the offer is of sha256:cdcdcdcdcdcd…")
	require.Contains(t, st.Last.Error.Details, digestX)
	require.Contains(t, st.Last.Error.Details, digestY)
	require.Empty(t, r.Quarantine())
	require.Equal(t, "1.0.0", st.Pointers.Current)
	for f := range d.Files {
		require.NotContains(t, f, "extract")
	}

	offer.Digest = digestX
	_, err = r.Install(t.Context(), engine.InstallRequest{Source: offer})
	require.NoError(t, err)
	require.Equal(t, engine.Committed, r.Until(engine.Idle).Last.State)
}
