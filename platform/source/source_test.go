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
			l, err := source.Parse(c.URL)
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
			require.Equal(t, c.Web, l.Web != nil)
		})
	}
}

func TestRedactedShowsNoPassword(t *testing.T) {
	for _, c := range sourcetest.Cases() {
		require.NotContains(t, source.Redacted(c.URL), sourcetest.Secret, c.Name)
	}
	require.Equal(t, "https://me:xxxxx@h/r.tope?x=1", source.Redacted("https://me:pw@h/r.tope?x=1"))
	require.Equal(t, "/media/r.tope", source.Redacted("/media/r.tope"))
	require.Equal(t, "me:…", source.Redacted("me:pw@h/r.tope"))
}

// An accepted source can be used without another check, and every message about
// one is a single line without a password.
func FuzzParse(f *testing.F) {
	for _, c := range sourcetest.Cases() {
		f.Add(c.URL)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		l, err := source.Parse(raw)
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		if l.Web != nil {
			require.Empty(t, l.Path)
			require.NotEmpty(t, l.Web.Hostname())
			return
		}
		require.Regexp(t, `^/`, l.Path)
		require.NotContains(t, l.Path, "\x00")
	})
}
