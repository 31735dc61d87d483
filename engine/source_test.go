package engine

import (
	"encoding/json"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/platform/source/sourcetest"
	"github.com/tope/updater/steps"
)

// The engine takes exactly the sources that the Download step can read: it
// refuses any other source before anything is journaled.
func TestTheEngineTakesWhatCanBeDownloaded(t *testing.T) {
	for _, c := range sourcetest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			_, err := checkSource(steps.Source{URL: source.New(c.URL)})
			if !c.Refused() {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, ErrInvalid)
			require.NotContains(t, err.Error(), sourcetest.Secret)
		})
	}
}

// The journal keeps the URLs: one user must not fill it with them.
func TestALongURLIsRefused(t *testing.T) {
	url := "https://h/" + strings.Repeat("a", MaxURL-len("https://h/"))
	_, err := checkSource(steps.Source{URL: source.New(url)})
	require.NoError(t, err)
	_, err = checkSource(steps.Source{URL: source.New(url + "a")})
	require.ErrorIs(t, err, ErrInvalid)
	require.ErrorContains(t, err, "the URL has 4097 bytes, more than the 4096")
}

// An update that version 0.9 has accepted goes on with the URL in its record. One whose
// kept URL is gone fails, with the device unchanged.
func TestWholeSource(t *testing.T) {
	const raw = "https://me:s3cr3t@h/r?t=s3cr3t"
	r, err := wholeSource(keeps{}, &journal.Update{Source: json.RawMessage(`{"url":"` + raw + `","size":7}`)})
	require.NoError(t, err)
	require.Equal(t, raw, r.URL.Unredacted())
	require.EqualValues(t, 7, r.Size)

	withheld := &journal.Update{Source: json.RawMessage(`{"url":"https://h/r?t=…","withheld":true}`)}
	r, err = wholeSource(keeps{url: raw}, withheld)
	require.NoError(t, err)
	require.Equal(t, raw, r.URL.Unredacted())
	_, err = wholeSource(keeps{}, withheld)
	require.Equal(t, steps.Unavailable, steps.AsError(err).Class)
	require.ErrorContains(t, err, "install it again")
}

// keeps is a Keeper that has one URL, or none.
type keeps struct {
	Keeper
	url string
}

func (k keeps) Source(string) (source.URL, error) {
	if k.url == "" {
		return source.URL{}, fs.ErrNotExist
	}
	return source.New(k.url), nil
}
