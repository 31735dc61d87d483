package native_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/filecaps"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/native"
	"github.com/tope/updater/steps/bundle/native/nativetest"
)

func TestModeText(t *testing.T) {
	raw := filecaps.Set{Permitted: 1 << 13, Effective: true}
	for text, f := range map[string]struct {
		perm fs.FileMode
		caps filecaps.Set
	}{
		"0755": {0o755, filecaps.Set{}}, "0000": {0, filecaps.Set{}}, "0040": {0o40, filecaps.Set{}},
		"0755 cap_net_raw=ep": {0o755, raw}, "0600 cap_net_raw=ep": {0o600 | fs.ModeSetuid, raw},
	} {
		require.Equal(t, text, native.ModeText(f.perm, f.caps))
		file := native.File{Path: "x", Mode: text}
		require.Equal(t, f.perm&fs.ModePerm, file.Perm())
		require.Equal(t, f.caps, file.Capabilities())
	}
}

// A mode means in each schema what it meant when the schema was new.
func TestWhoMayReadDependsOnTheSchema(t *testing.T) {
	for _, c := range []struct {
		schema     int
		mode       string
		perm       fs.FileMode
		sufficient int
	}{
		{1, "0600", 0o644, 2},
		{1, "0755", 0o755, 1},
		{2, "0600", 0o600, 2},
		{2, "0640", 0o640, 2},
		{2, "0755", 0o755, 1},
		{2, "0755 cap_chown=p", 0o755, 2},
	} {
		r := native.Release{Schema: c.schema, Files: []native.File{{Path: "x", Mode: c.mode}, {Path: "y/"}, {Path: "z", Link: "x"}}}
		require.Equal(t, c.perm, r.PermOf(&r.Files[0]), "%+v", c)
		require.Equal(t, c.sufficient, r.LeastSchema(), "%+v", c)
	}
}

// No mode has two readings.
func TestModesThatAreNone(t *testing.T) {
	const schema1, schema2 = 1, 2
	kit := nativetest.New(t)
	for _, c := range []struct {
		schema     int
		mode, says string
	}{
		{schema2, "0755 cap_net_raw=ep", ""},
		{schema2, "0000", ""},
		{schema1, "0755 cap_net_raw=ep", "need schema 2"},
		{schema2, "cap_net_raw=ep", "no setuid"},
		{schema2, "4755 cap_net_raw=ep", "no setuid"},
		{schema2, "+755", "no setuid"},
		{schema2, "0755 ", "not a capability"},
		{schema2, "0755  cap_net_raw=ep", "not a capability"},
		{schema2, "0755 cap_everything=ep", "not a capability"},
		{schema2, "0755 cap_net_raw=ep cap_net_raw=ep", "not written as"},
		{schema2, "0755 cap_net_raw+ep", "not a capability"},
		{schema2, "0755 cap_net_raw" + strings.Repeat(",cap_net_raw", 10000) + "=ep", "more text than"},
	} {
		parts := kit.Parts()
		parts.Release.Schema = c.schema
		parts.File("bin/tool").Mode = c.mode
		text, err := parts.Release.Encode()
		require.NoError(t, err)
		_, err = native.ParseRelease(text, bundle.DefaultLimits())
		if c.says == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, c.says, c.mode)
		requireRefusal(t, err)
		require.Less(t, len(err.Error()), 400, "a line")
	}
	parts := kit.Parts()
	parts.Release.Schema = schema2
	parts.File("services/app/link").Mode = "0755 cap_net_raw=ep"
	text, err := parts.Release.Encode()
	require.NoError(t, err)
	_, err = native.ParseRelease(text, bundle.DefaultLimits())
	require.ErrorContains(t, err, "two things at once")
}

// A release of a later schema is refused as such, whatever else it has that this
// program does not know.
func TestALaterSchemaIsRefusedByItsName(t *testing.T) {
	parts := nativetest.New(t).Parts()
	text, err := parts.Release.Encode()
	require.NoError(t, err)
	for _, more := range []string{"", `"quantum":true,`} {
		later := strings.Replace(string(text), `"schema":1,`, `"schema":3,`+more, 1)
		_, err := native.ParseRelease([]byte(later), bundle.DefaultLimits())
		require.ErrorContains(t, err, "schema 3, this updater reads up to 2: update the updater first")
		requireRefusal(t, err)
	}
	_, err = native.ParseRelease([]byte(strings.Replace(string(text), `"schema":1,`, `"schema":1,"quantum":true,`, 1)), bundle.DefaultLimits())
	require.ErrorContains(t, err, "quantum")
}
