package demo

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/engine/httpapi"
)

// TestAKeptDeviceGoesOn: the daemon that the spectator starts on a device that was left to
// him starts the services, too, as he is told.
func TestAKeptDeviceGoesOn(t *testing.T) {
	o := Options{Updater: builttest.Updater(t, builttest.Version), Keep: true, Out: &bytes.Buffer{}, Heading: func(s string) string { return s }}
	d, err := o.setUp(t.Context(), t.TempDir(), builttest.Services(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Remove(context.Background())) })
	running := func(st httpapi.Status) bool {
		return !slices.ContainsFunc(st.Services, func(s httpapi.Service) bool { return !s.Running })
	}
	require.NoError(t, d.boot(t.Context()))
	require.NoError(t, d.await(t.Context(), "the services to run", running))
	d.strike()
	require.NoError(t, d.boot(t.Context()))
	defer d.strike()
	require.NoError(t, d.await(t.Context(), "the services to run again", running))
}
