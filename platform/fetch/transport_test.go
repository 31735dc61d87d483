package fetch

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/fetch/fetchtest"
)

// TestHeadersAreForTheirServerOnly: whatever way a redirect takes, nobody but the server
// that a header is configured for sees it, nor where the request came from.
func TestHeadersAreForTheirServerOnly(t *testing.T) {
	ca := fetchtest.NewAuthority(t)
	saw := make(chan http.Header, 10)
	away := map[string]string{}
	note := func(w http.ResponseWriter, r *http.Request) {
		saw <- r.Header.Clone()
		hello(w, r)
	}
	away["plain"] = "http://" + serve(t, nil, note)
	away["secure"] = "https://" + serve(t, ca.Server("127.0.0.1", "localhost"), note)
	away["another name"] = strings.Replace(away["secure"], "127.0.0.1", "localhost", 1)
	first := serve(t, ca.Server("127.0.0.1"), func(w http.ResponseWriter, r *http.Request) {
		saw <- r.Header.Clone()
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusFound)
			return
		}
		hello(w, r)
	})
	tr := with(Settings{CAFile: ca.File, Servers: []Server{{
		URL:         "https://" + strings.ToUpper(first),
		Headers:     hidden(map[string]string{"X-Device": word + "1", "authorization": word + "2"}),
		HeaderFiles: map[string]string{"X-Token": file(t, word+"3\n"), "Cookie": file(t, "a="+word)},
	}}})
	all := func(h http.Header) string { return fmt.Sprint(h) }
	for name, to := range away {
		t.Run(name, func(t *testing.T) {
			hears(t, tr, "https://"+first+"/x?sig="+word+"&to="+to)
			sent := <-saw
			require.Equal(t, word+"1", sent.Get("X-Device"))
			require.Equal(t, word+"2", sent.Get("Authorization"))
			require.Equal(t, word+"3", sent.Get("X-Token"))
			require.Equal(t, "a="+word, sent.Get("Cookie"))
			require.NotContains(t, all(<-saw), word)
		})
	}
	t.Run("to itself", func(t *testing.T) {
		hears(t, tr, "https://"+first+"/x?to=/y")
		require.Equal(t, word+"3", (<-saw).Get("X-Token"))
		require.Equal(t, word+"3", (<-saw).Get("X-Token"))
	})
	t.Run("the URL's own password goes first", func(t *testing.T) {
		hears(t, tr, "https://u:p@"+first+"/x?to="+away["plain"])
		require.Equal(t, "Basic dTpw", (<-saw).Get("Authorization"))
		require.Empty(t, (<-saw).Get("Authorization"))
	})
	t.Run("not without TLS", func(t *testing.T) {
		_, _, err := get(t, tr, "http://"+first+"/") // it answers 400 in plain text
		require.NoError(t, err)
		require.Empty(t, saw)
	})
}

// TestHeaderFilesAreReadAnew for each request, and one that is missing is told.
func TestHeaderFilesAreReadAnew(t *testing.T) {
	saw := make(chan string, 1)
	ca := fetchtest.NewAuthority(t)
	url := "https://" + serve(t, ca.Server("127.0.0.1"), func(w http.ResponseWriter, r *http.Request) {
		saw <- r.Header.Get("X-Token")
		hello(w, r)
	})
	token := filepath.Join(t.TempDir(), "token")
	tr := with(Settings{CAFile: ca.File, Servers: []Server{{URL: url, HeaderFiles: map[string]string{"X-Token": token}}}})
	fails(t, tr, url, Setting, "cannot use header_files", token, "[[download.server]]")
	for i := range 3 {
		want := fmt.Sprint(word, i)
		require.NoError(t, os.WriteFile(token, []byte(want), 0o600))
		hears(t, tr, url)
		require.Equal(t, want, <-saw)
	}
	require.NoError(t, os.WriteFile(token, []byte(word+"\r\nX-Injected: 1"), 0o600))
	fails(t, tr, url, Setting, "one line of text")
}

// TestTheAnswersRequestHasNoSecret: code that logs a request finds the caller's own.
func TestTheAnswersRequestHasNoSecret(t *testing.T) {
	url := "http://" + serve(t, nil, hello)
	tr := with(Settings{Servers: []Server{{URL: url, Headers: hidden(map[string]string{"X-Token": word})}}})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	resp, err := tr.RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.Empty(t, resp.Request.Header)
	require.Empty(t, req.Header)
	require.NotContains(t, fmt.Sprintf("%+v %#v", tr, tr), word)
}
