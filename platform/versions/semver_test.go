package versions_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tope/updater/platform/versions"
)

func TestValidVersion(t *testing.T) {
	for _, good := range []string{
		"0.0.0", "1.2.3", "10.20.30", "1.0.0-alpha", "1.0.0-0.3.7", "1.0.0-x-y-z.-", "1.0.0+001", "1.0.0-rc.1+build.5",
		"99999999999999999999.0.0",
	} {
		require.NoError(t, versions.ValidVersion(good), good)
	}
	for _, bad := range []string{
		"", "1", "1.2", "1.2.3.4", "v1.2.3", "01.2.3", "1.02.3", "1.2.3-", "1.2.3-01", "1.2.3-a..b", "1.2.3+", "1.2.3+a+b",
		"1.2.3/..", "../1.2.3", "1.2.3\x00", "1.2.3 ", "-1.2.3", "1.2.-3", "1.2.3-ä", "1.2.3\n",
		"1.2.3-" + strings.Repeat("a", 200),
	} {
		require.Error(t, versions.ValidVersion(bad), "%q", bad)
	}
}

// The message says what to write, when there is only one version that somebody can have
// meant; it never guesses otherwise, and is never taken itself.
func TestWhatVersionWasMeant(t *testing.T) {
	for written, meant := range map[string]string{
		"v1.2.3": "1.2.3", "V1.2.3": "1.2.3", "1.2": "1.2.0", "7": "7.0.0", "2024.01.05": "2024.1.5", "1.2.3 ": "1.2.3",
		"v1.02": "1.2.0", "01.0.00": "1.0.0", "v1.2-rc.1": "1.2.0-rc.1", "1.2.3.4": "", "": "", "v": "", "1..2": "", "latest": "",
		"1.2.x": "", "../1.2": "", "1.2.3-a..b": "",
	} {
		err := versions.ValidVersion(written)
		require.Error(t, err, written)
		if meant == "" {
			require.NotContains(t, err.Error(), "write", written)
			continue
		}
		require.ErrorContains(t, err, `: write "`+meant+`"`)
		require.NoError(t, versions.ValidVersion(meant))
	}
}

func TestCompareOrdersAsSemVerDoes(t *testing.T) {
	ordered := []string{
		"0.0.1", "0.9.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
		"1.0.0-rc.1", "1.0.0", "1.0.0+a", "1.0.0+b", "1.2.0", "1.10.0", "2.0.0", "10.0.0", "99999999999999999999.0.0",
	}
	for i, a := range ordered {
		for j, b := range ordered {
			require.Equal(t, i < j, versions.Compare(a, b) < 0, "%s before %s", a, b)
			require.Equal(t, i == j, versions.Compare(a, b) == 0, "%s is %s", a, b)
		}
	}
}

func TestCompareIsATotalOrder(t *testing.T) {
	version := rapid.Custom(func(t *rapid.T) string {
		return rapid.StringMatching(`(0|[1-9]\d?)\.(0|[1-9]\d?)\.(0|[1-9]\d?)(-(0|[1-9]|[a-c]{1,2})(\.(0|[1-9]|[a-c]))?)?(\+[a-c])?`).Draw(t, "version")
	})
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.SliceOfN(version, 3, 3).Draw(t, "versions")
		for _, v := range some {
			require.NoError(t, versions.ValidVersion(v))
		}
		a, b := some[0], some[1]
		require.Equal(t, -versions.Compare(a, b), versions.Compare(b, a))
		require.Equal(t, a == b, versions.Compare(a, b) == 0)
		slices.SortFunc(some, versions.Compare)
		require.LessOrEqual(t, versions.Compare(some[0], some[2]), 0, "transitive")
	})
}
