package fetch

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// word is in every secret of these tests, and must be in nothing that is printed.
const word = "S3CRET"

// serve starts a server, over https with a TLS configuration, and returns its HOST:PORT.
func serve(t *testing.T, secure *tls.Config, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if secure != nil {
		s.TLS = secure
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

// with makes a transport on a fake clock whose limits never end.
func with(s Settings) *Transport {
	return New(Config{Settings: s, Clock: clocktest.New()})
}

// get asks with an http.Client, as callers do, and returns the answer's status and body.
func get(t *testing.T, tr *Transport, url string) (int, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		require.NotContains(t, err.Error(), word)
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body), nil
}

// hears requires that a request brings the server's hello.
func hears(t *testing.T, tr *Transport, url string) {
	t.Helper()
	code, body, err := get(t, tr, url)
	require.NoError(t, err)
	require.Equal(t, "hello", body, "%d", code)
}

// fails requires an *Error of this kind, with each of these texts in it.
func fails(t *testing.T, tr *Transport, url string, kind Kind, texts ...string) {
	t.Helper()
	_, _, err := get(t, tr, url)
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, kind, e.Kind, "%v", err)
	for _, text := range texts {
		require.Contains(t, e.Error(), text)
	}
	require.NotContains(t, e.Error(), "\n")
	require.NotEmpty(t, e.Hint)
}

// file writes a file and returns its path.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func hidden(values map[string]string) map[string]secret.Text {
	m := map[string]secret.Text{}
	for k, v := range values {
		m[k] = secret.New(v)
	}
	return m
}

func parsed(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	require.NoError(t, err)
	return u
}

// nobody is a HOST:PORT of loopback where nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	return strings.TrimPrefix(s.URL, "http://")
}
