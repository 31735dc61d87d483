package bundle_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
)

// A release restarts what is the application's, not what the system is made of.
func TestServicesOfTheSystemAreNotForReleases(t *testing.T) {
	require.NoError(t, bundle.CheckServices([]string{"device-api", "web@1", "tope-updater", "nginx"}))
	for _, name := range []string{"systemd-poweroff", "systemd-logind", "dbus", "dbus-broker", "tope-updater-rescue"} {
		err := bundle.CheckServices([]string{"device-api", name})
		require.ErrorContains(t, err, name)
		require.ErrorContains(t, err, "not for releases")
		require.Equal(t, steps.InvalidManifest, steps.AsError(err).Code)
	}
}
