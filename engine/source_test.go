package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/source/sourcetest"
	"github.com/tope/updater/steps"
)

// The engine takes exactly the sources that the Download step can read: it
// refuses any other source before anything is journaled.
func TestTheEngineTakesWhatCanBeDownloaded(t *testing.T) {
	for _, c := range sourcetest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			_, err := checkSource(steps.Source{URL: c.URL})
			if !c.Refused() {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, ErrInvalid)
			require.NotContains(t, err.Error(), sourcetest.Secret)
		})
	}
}
