package download

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/source"
)

// The server that a redirect leads to learns nothing of the URL that was asked for first:
// not its user and password, nor, by a Referer, its query.
func TestARedirectTakesNoSecretsAlong(t *testing.T) {
	b := bundleOf(10_000, 1)
	var got http.Header
	elsewhere := secure(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		_, _ = w.Write(b)
	}), nil)
	first := secure(t, http.RedirectHandler(elsewhere.URL+"/r.zip", http.StatusFound), nil)
	task := newTask(t, from(first.URL, b))
	task.Source.URL = source.New(strings.Replace(first.URL, "https://", "https://me:s3cr3t@", 1) + "/r?sig=s3cr3t#s3cr3t")
	mustDo(t, stepFor(newPatient(), trusting(t, first)), task)
	require.NotEmpty(t, got)
	require.Empty(t, got.Values("Referer"))
	require.Empty(t, got.Values("Authorization"))
	for name, values := range got {
		require.NotContains(t, strings.Join(values, " "), "s3cr3t", name)
	}
}
