package source_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/platform/source/sourcetest"
)

func TestParse(t *testing.T) {
	for _, c := range sourcetest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			l, err := source.New(c.URL).Parse()
			if c.Refused() {
				var refused *source.Error
				require.ErrorAs(t, err, &refused)
				require.NotEmpty(t, refused.What)
				require.NotEmpty(t, refused.Hint)
				require.NotContains(t, err.Error(), "\n")
				require.NotContains(t, err.Error(), sourcetest.Secret)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.Path, l.Path)
			require.Equal(t, c.Web, l.Web())
			require.NotContains(t, l.Host+l.Place+l.Path, sourcetest.Secret)
		})
	}
}

// An accepted source can be used without another check, and every message about
// one is a single line without a password.
func FuzzParse(f *testing.F) {
	for _, c := range sourcetest.Cases() {
		f.Add(c.URL)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		l, err := source.New(raw).Parse()
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		if l.Web() {
			require.Empty(t, l.Path)
			require.NotEmpty(t, l.Place)
			return
		}
		require.Regexp(t, `^/`, l.Path)
		require.NotContains(t, l.Path, "\x00")
	})
}
