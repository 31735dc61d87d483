package download

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/stepstest"
)

// requireOutline requires that a failure's outline says something, and nothing that a
// server alone knows: no status but its class, no size, no digest, no word of its own.
func requireOutline(t *testing.T, e *steps.Error, url string) {
	t.Helper()
	outline := strings.ReplaceAll(e.Outline, url, "URL")
	require.Contains(t, outline, "cannot download URL: ")
	require.NotRegexp(t, `[0-9]{2,} bytes|[1-7][0-9][0-9]|gzip|text/|[0-9a-f]{32}|"`, outline)
}

// Whoever asks for a download to learn what a server inside the network answers, learns
// from the outline what kind of answer it was.
func TestOutlinesTellNothingOfAnAnswer(t *testing.T) {
	const word = "INSIDE-4711"
	for name, handle := range map[string]string{
		"another protocol":   "SSH-2.0-" + word + "\nhello",
		"a page":             "HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Length: 11\n\n" + word,
		"a refusal":          "HTTP/1.1 403 " + word + "\nServer: " + word + "\nContent-Length: 0",
		"another size":       "HTTP/1.1 200 OK\nETag: \"" + word + "\"\nContent-Length: 4711",
		"an encoding":        "HTTP/1.1 200 OK\nContent-Encoding: " + word + "\nContent-Length: 300000",
		"a range":            "HTTP/1.1 206 OK\nContent-Range: " + word + "\nContent-Length: 4711",
		"a redirect":         "HTTP/1.1 302 Found\nLocation: ftp://" + word + "/" + word + "?" + word + "\nContent-Length: 0",
		"a broken redirect":  "HTTP/1.1 302 Found\nLocation: http://h:" + word + "/?" + word + "\nContent-Length: 0",
		"a redirect nowhere": "HTTP/1.1 302 Found\nContent-Length: 0",
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, answer(handle))
			task := newTask(t, from(s.url(), bundleOf(300_000, 1)))
			s.meter.Store(task.Meter)
			_, err := do(t, stepFor(s.clk), task)
			e := steps.AsError(err)
			requireOutline(t, e, task.Source.URL.Redacted())
			require.NotContains(t, e.Outline, word)
		})
	}
}

// The target of a redirect may have a signature in its query.
func TestSecretsOfRedirectsAreNotTold(t *testing.T) {
	for name, to := range map[string]string{
		"to another scheme": "ftp://me:s3cr3t@h/r?sig=s3cr3t#s3cr3t",
		"to nonsense":       "http://h:x/r?sig=s3cr3t",
		"to a control":      "http://h/r?sig=\x7fs3cr3t",
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", to)
				w.WriteHeader(http.StatusFound)
			}))
			t.Cleanup(server.Close)
			task := newTask(t, from(server.URL, bundleOf(300_000, 1)))
			text := stepstest.Fails(t, stepFor(newPatient()), task, steps.Unavailable, steps.DownloadFailed)
			require.NotContains(t, text, "s3cr3t")
		})
	}
}

// Nor of what a TLS server or a proxy says of itself.
func TestOutlinesTellNothingOfACertificate(t *testing.T) {
	r := &run{task: newTask(t, from("https://inside/r.zip", nil))}
	for _, kind := range []fetch.Kind{fetch.WrongTime, fetch.Unidentified, fetch.ProxyRefused, fetch.Setting} {
		err := &fetch.Error{Kind: kind, Err: errors.New("until 2020-01-01, by /etc/tope-updater/client.pem"), Hint: "set the clock"}
		require.Equal(t, "host inside: "+string(kind), r.outline(err))
	}
}
