package legacyzip_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/bundletest"
)

// A package made in a directory with setgid, as groups have them, installs, and tells
// what its version does not have.
func TestBitsThatAreLeftOutAreTold(t *testing.T) {
	for name, c := range map[string]struct {
		modes map[string]uint32
		want  string
	}{
		"none":                       {nil, ""},
		"a directory of a group":     {map[string]uint32{"device-api/empty/": 0o042775}, `setuid, setgid or sticky bits of "device-api/empty": no version has them`},
		"a sticky directory":         {map[string]uint32{"device-api/": 0o041777}, `bits of "device-api": no`},
		"several":                    {map[string]uint32{"device-api/": 0o042755, "device-api/empty/": 0o042755}, `bits of "device-api" and of 1 more: no`},
		"a mode without a type":      {map[string]uint32{"tools/tope-tool": 0o004755}, `bits of "tools/tope-tool": no`},
		"a link, whose mode is idle": {map[string]uint32{"device-api/lib/libx.so": 0o127777}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			z := bundletest.Package("1.2.0")
			for i, e := range z.Entries {
				if mode, ok := c.modes[e.Name]; ok {
					z.Entries[i].Mode = mode
				}
			}
			b, err := open(t, z.Bytes(), bundle.Limits{})
			require.NoError(t, err)
			if c.want == "" {
				require.Empty(t, b.Release().Dropped)
			}
			require.Contains(t, b.Release().Dropped, c.want)
			for path, e := range contents(t, b) {
				require.Equal(t, e.Mode.Perm(), e.Mode, path)
			}
		})
	}
}
