package versions_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/versions"
)

// "ln -sf v1.0.0 current" over a pointer puts the link inside the version that the
// pointer leads to. Nothing of it may get into the version that outlives all others.
func TestAFactoryVersionHasNoStrayLinks(t *testing.T) {
	for name, target := range map[string]string{
		"v1.0.0":            "v1.0.0",
		"v1.1.0":            "/opt/tope/versions/v1.1.0",
		"services/mine":     "../../v1.1.0/services/mine",
		"bin/device-api.so": "../../current/bin/device-api",
	} {
		d := newFactoryDevice(t)
		d.byHand("1.0.0")
		stray := filepath.Join(d.Path("1.0.0"), name)
		require.NoError(t, os.Symlink(target, stray))
		before := modes(t, d.Path("1.0.0"))

		found, err := d.StrayLinks("1.0.0")
		require.NoError(t, err)
		require.Equal(t, []string{name}, found)
		r, err := d.CreateFactory(t.Context(), "1.0.0", false)
		require.ErrorIs(t, err, versions.ErrStrayLink, name)
		require.ErrorContains(t, err, "rm "+stray)
		require.Len(t, r.Problems, 1)
		require.Equal(t, before, modes(t, d.Path("1.0.0")), "nothing is sealed")
		p, err := d.Pointers()
		require.NoError(t, err)
		require.Empty(t, p.Factory)

		require.NoError(t, os.Remove(stray))
		_, err = d.CreateFactory(t.Context(), "1.0.0", false)
		require.NoError(t, err)
	}
}

func TestLinksWithinAVersionAreNotStray(t *testing.T) {
	d := newFactoryDevice(t)
	d.byHand("1.0.0")
	for name, target := range map[string]string{
		"bin/api": "device-api", "logs": "/opt/tope/shared/logs", "bin/again": "../../v1.0.0/bin/device-api", "etc": "/etc/tope",
	} {
		require.NoError(t, os.Symlink(target, filepath.Join(d.Path("1.0.0"), name)))
	}
	found, err := d.StrayLinks("1.0.0")
	require.NoError(t, err)
	require.Empty(t, found)
}
