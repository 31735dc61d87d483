package fleetdemo_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/fleetdemo"
)

// TestTheFleetDemo: each scene demands what it shows.
func TestTheFleetDemo(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var out bytes.Buffer
	err := fleetdemo.Run(t.Context(), fleetdemo.Options{
		Updater: builttest.Updater(t, builttest.Version), Bundle: builttest.Program(t, "tope-bundle", builttest.Version),
		Programs: builttest.Services(t), Out: &out, Heading: func(s string) string { return s },
	})
	require.NoError(t, err, out.String())
}
