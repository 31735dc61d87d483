package bundle_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
)

// Each kind of thing has its own word in the configuration, and a signature answers for
// units and hooks.
func TestWhatUnsignedReleasesBring(t *testing.T) {
	hooks := versions.Brought{Hooks: map[versions.Hook]string{versions.PreSwitch: "hooks/pre"}}
	commands := []steps.Command{{Module: "app", Shell: "true"}}
	health := versions.Brought{Health: []health.Check{{Kind: health.Command, Command: []string{"/bin/true"}}}}
	all := bundle.Unsigned{Units: true, Hooks: true, Commands: true, Updater: true}
	for name, c := range map[string]struct {
		release bundle.Release
		carried bundle.Carried
		without bundle.Unsigned // allows all but what the release has
		says    string
	}{
		"units":    {bundle.Release{}, bundle.Carried{Units: []string{"a.service", "b.timer"}}, bundle.Unsigned{Hooks: true, Commands: true, Updater: true}, "2 unit files, such as a.service"},
		"hooks":    {bundle.Release{Brought: hooks}, bundle.Carried{}, bundle.Unsigned{Units: true, Commands: true, Updater: true}, "1 hook to be run as root"},
		"commands": {bundle.Release{Commands: commands}, bundle.Carried{}, bundle.Unsigned{Units: true, Hooks: true, Updater: true}, "1 shell command run"},
		"health":   {bundle.Release{Brought: health}, bundle.Carried{}, bundle.Unsigned{Units: true, Hooks: true, Updater: true}, `unsigned_brings = ["commands"]`},
		"updater":  {bundle.Release{}, bundle.Carried{Updater: true}, bundle.Unsigned{Units: true, Hooks: true, Commands: true}, "an updater (bin/tope-updater)"},
	} {
		requireSays(t, c.without.Check(c.release, c.carried), c.says)
		requireSays(t, bundle.Unsigned{}.Check(c.release, c.carried), c.says)
		require.NoError(t, all.Check(c.release, c.carried), name)
		// The words that publishers are told are those that devices ask for.
		kinds := bundle.Kinds(c.release, c.carried)
		require.Len(t, kinds, 1, name)
		require.Contains(t, []string{name, "commands"}, kinds[0])
		require.NoError(t, allowing(kinds).Check(c.release, c.carried), name)
		c.release.SignedBy = "1AB"
		if name != "commands" {
			require.NoError(t, bundle.Unsigned{}.Check(c.release, c.carried), name)
		}
	}
	require.NoError(t, bundle.Unsigned{}.Check(bundle.Release{Services: []string{"web"}}, bundle.Carried{}))
	require.Empty(t, bundle.Kinds(bundle.Release{Services: []string{"web"}}, bundle.Carried{}))
	everything := bundle.Release{Brought: versions.Brought{Hooks: hooks.Hooks, Health: health.Health}}
	require.Equal(t, []string{"units", "hooks", "commands", "updater"}, bundle.Kinds(everything, bundle.Carried{Units: []string{"a.service"}, Updater: true}))
}

// allowing is a device with these words in unsigned_brings.
func allowing(kinds []string) bundle.Unsigned {
	has := func(kind string) bool { return slices.Contains(kinds, kind) }
	return bundle.Unsigned{Units: has("units"), Hooks: has("hooks"), Commands: has("commands"), Updater: has("updater")}
}

func requireSays(t *testing.T, err error, says string) {
	t.Helper()
	var e *steps.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, steps.BadSignature, e.Code)
	require.Contains(t, e.Err.Error()+"; "+e.Hint, says)
}

// A bundle's updater counts by its path, and its units only where units are used.
func TestCarriedIsWhatCounts(t *testing.T) {
	for _, units := range []bool{false, true} {
		var c bundle.Carried
		c.Add("systemd/a.service", units)
		c.Add("share/bin/tope-updater", units)
		require.False(t, c.Updater)
		require.Equal(t, units, len(c.Units) == 1)
		c.Add("bin/tope-updater", units)
		require.True(t, c.Updater)
	}
}
